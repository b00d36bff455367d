package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestWithoutDatabase runs the commands that need no database. They must not
// start one.
func TestWithoutDatabase(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	if got := must(t, dir, "", "version"); got != "v0.0.0-test\n" {
		t.Errorf("version prints %q", got)
	}
	help := must(t, dir, "", "help")
	for _, words := range []string{"serve", "demo", "migrate status", "import", "score explain", "staff create",
		"key revoke", "audit export", "export write", "export verify", "policy why", "completion",
		"TREEWARDEN_DATABASE_URL", "TREEWARDEN_DATA_DIR", "TREEWARDEN_LISTEN", "TREEWARDEN_LOG_FORMAT"} {
		if !strings.Contains(help, words) {
			t.Errorf("help does not speak of %s", words)
		}
	}
	if got := must(t, dir, "", "help", "staff", "create"); !strings.Contains(got, "--password-stdin") ||
		got != must(t, dir, "", "staff", "create", "--help") {
		t.Errorf("help of one command prints %q", got)
	}
	for _, wrong := range []struct {
		words string
		args  []string
	}{
		{"serve", nil},
		{"--nonsense", []string{"--nonsense"}},
		{"nonsense", []string{"nonsense"}},
		{"nonsense", []string{"help", "nonsense"}},
		{"create", []string{"staff"}},
		{"--name", []string{"staff", "create", "--role", "admin"}},
		{"moderator", []string{"staff", "create", "--name", "x", "--role", "general"}},
		{"--password-stdin", []string{"staff", "create", "--name", "x", "--role", "admin"}},
		{"collector", []string{"key", "create", "--name", "x", "--role", "boss"}},
		{"--expires-in", []string{"key", "create", "--name", "x", "--expires-in=-1h"}},
		{"day", []string{"score", "explain", "x", "--frame", "year"}},
		{"text", []string{"--log-format", "xml", "version"}},
		{"--scale", []string{"demo", "--scale", "0"}},
		{"zsh", []string{"completion", "tcsh"}},
		{"user.ban", []string{"policy", "why", "ada", "user.bann"}},
		{"message:ID", []string{"policy", "why", "ada", "user.ban", "ada"}},
		{"--reason", []string{"policy", "restore"}},
	} {
		refused(t, dir, "", misuse, wrong.words, wrong.args...)
	}
	refused(t, dir, "", failed, "password", "staff", "create", "--name", "x", "--role", "admin", "--password-stdin")
	for _, address := range []string{"", "nonsense", "127.0.0.1", "127.0.0.1:99999", "nowhere:-1", ":0x50", "[::1"} {
		refused(t, dir, "", misuse, "--listen", "serve", "--listen", address)
	}
	refused(t, dir, "", failed, "--listen", "serve", "--listen", "nowhere.invalid:80")
	for _, command := range [][]string{{"staff", "list"}, {"migrate"}, {"migrate", "status"},
		{"serve", "--listen", "127.0.0.1:0"}} {
		refused(t, dir, "", failed, "--database-url", append(command, "--database-url", "postgres://127.0.0.1:1/nowhere")...)
		refused(t, dir, "", failed, "--database-url", append(command, "--database-url", "no address")...)
	}
	if databaseRuns(t, dir) {
		t.Error("a database was started for nothing")
	}
}

// TestCompletion loads each script into its shell, if the shell is installed.
func TestCompletion(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ shell, check string }{
		{"bash", `eval "$0"; COMP_WORDS=(treewarden --secure staff cr); COMP_CWORD=3; _treewarden; echo "${COMPREPLY[*]}"`},
		{"zsh", `compdef() { :; }; compadd() { shift; print -l -- "$@" | grep "^cr"; }; eval "$0"
			words=(treewarden --secure staff cr); CURRENT=4; _treewarden`},
		{"fish", `eval $argv[1]; complete -C "treewarden --secure staff cr" | string match -r "^create"`},
	} {
		script := must(t, ".", "", "completion", x.shell)
		if !strings.Contains(script, "password-stdin") {
			t.Errorf("the script for %s does not know --password-stdin", x.shell)
		}
		if _, err := exec.LookPath(x.shell); err != nil {
			t.Logf("%s is not here, its script was not run", x.shell)
			continue
		}
		out, err := exec.Command(x.shell, "-c", x.check, script).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "create" {
			t.Errorf("%s completes staff cr to %q (%v)", x.shell, out, err)
		}
	}
}

// TestAccountsKeysAndLog runs the commands for accounts, keys and the log, each
// as a process of its own on one data folder.
func TestAccountsKeysAndLog(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)

	// The first two commands run at the same time.
	ends := make(chan result, 2)
	for _, role := range []string{"admin", "moderator"} {
		go func() {
			ends <- tool(t, dir, "correct horse battery\n", "staff", "create",
				"--name", "first "+role, "--role", role, "--password-stdin")
		}()
	}
	for range 2 {
		if r := <-ends; r.status != done || r.stderr != "" || !strings.HasPrefix(r.stdout, "created first ") {
			t.Errorf("one of two commands at once ended with %d: %s%s", r.status, r.stdout, r.stderr)
		}
	}
	if databaseRuns(t, dir) {
		t.Error("the database runs on after the last command")
	}

	// A server counts in the background.
	refused(t, dir, "", failed, "never counted", "insights", "verify")

	// The other commands run beside a server, so that none has to start a
	// database.
	s := start(t, dir, "serve")
	if got := must(t, dir, "", "migrate"); got != "the schema is up to date\n" {
		t.Errorf("migrate prints %q", got)
	}
	if got := must(t, dir, "", "migrate", "status"); !strings.Contains(got, "0001_people.sql") ||
		strings.Contains(got, "  no\n") {
		t.Errorf("migrate status prints %q", got)
	}
	testStaff(t, dir)
	testKeys(t, dir)
	testLog(t, dir)
	testExplain(t, dir)
	testPolicy(t, dir)
	refused(t, dir, "", failed, "no user", "score", "explain", "nobody")
	if got := must(t, dir, "", "score", "explain", "first admin", "--json"); !json.Valid([]byte(got)) ||
		!strings.Contains(got, `"parts"`) {
		t.Errorf("score explain --json prints %q", got)
	}
	if got := must(t, dir, "", "score", "explain", "first admin", "--frame", "week", "--formula",
		"open-assistant"); !strings.Contains(got, "red_flags") || !strings.Contains(got, "week") {
		t.Errorf("score explain prints %q", got)
	}
	must(t, dir, "", "--log-format", "json", "--log-level", "error", "staff", "list")
	s.end(t, syscall.SIGTERM)

	// A reader that goes away causes no error message, and no database keeps
	// running.
	cmd := exec.Command("sh", "-c", `"$0" --data-dir "$1" audit export | true; echo done`, binary, dir)
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "done\n" {
		t.Errorf("an export that nobody reads says %q (%v)", out, err)
	}
	eventually(t, "the database of an export that nobody read is stopped", func() bool { return !databaseRuns(t, dir) })
}

func testStaff(t *testing.T, dir string) {
	refused(t, dir, "correct horse battery\n", failed, "name", "staff", "create",
		"--name", "first admin", "--role", "admin", "--password-stdin")
	refused(t, dir, "short\n", failed, "10", "staff", "create", "--name", "second", "--role", "admin", "--password-stdin")
	if got := must(t, dir, "", "staff", "list"); strings.Count(got, "\n") != 3 ||
		!strings.Contains(got, "first moderator  moderator  active") {
		t.Errorf("staff list prints %q", got)
	}
	var staff []struct{ Username, Role string }
	if err := json.Unmarshal([]byte(must(t, dir, "", "staff", "list", "--json")), &staff); err != nil || len(staff) != 2 {
		t.Errorf("staff list --json holds %v, %v", staff, err)
	}
	must(t, dir, "", "staff", "role", "first moderator", "data_lead")
	must(t, dir, "another horse battery", "staff", "password", "first moderator", "--password-stdin")
	if got := must(t, dir, "", "staff", "list"); !strings.Contains(got, "first moderator  data_lead") {
		t.Errorf("after a change of role, staff list prints %q", got)
	}
	refused(t, dir, "", failed, "staff list", "staff", "role", "nobody", "admin")
	refused(t, dir, "another horse battery", failed, "staff list", "staff", "password", "nobody", "--password-stdin")
	refused(t, dir, "", failed, "without an admin", "staff", "role", "first admin", "general")
}

func testKeys(t *testing.T, dir string) {
	key := must(t, dir, "", "key", "create", "--name", "front end", "--role", "collector", "--expires-in", "720h")
	if strings.Count(key, "\n") != 1 || strings.ContainsAny(strings.TrimSuffix(key, "\n"), " \t\n") || len(key) < 40 {
		t.Errorf("key create prints %q, want a key alone", key)
	}
	for _, args := range [][]string{{"key", "list"}, {"key", "list", "--json"}} {
		if got := must(t, dir, "", args...); !strings.Contains(got, "front end") ||
			strings.Contains(got, strings.TrimSpace(key)) {
			t.Errorf("%q prints %q", args, got)
		}
	}
	refused(t, dir, "", failed, "name", "key", "create", "--name", "front end", "--role", "collector")
	must(t, dir, "", "key", "revoke", "front end")
	refused(t, dir, "", failed, "revoked", "key", "revoke", "front end")
	refused(t, dir, "", failed, "key list", "key", "revoke", "nobody")
	if got := must(t, dir, "", "key", "list"); !strings.Contains(got, "revoked") {
		t.Errorf("after a revocation, key list prints %q", got)
	}
}

func testLog(t *testing.T, dir string) {
	must(t, dir, "", "insights", "count")
	if got := must(t, dir, "", "insights", "verify"); !strings.Contains(got, "are what the messages say") {
		t.Errorf("insights verify says %q", got)
	}
	if got := must(t, dir, "", "audit", "verify"); !strings.HasPrefix(got, "6 actions, chain holds, head ") {
		t.Errorf("audit verify prints %q", got)
	}
	kept := filepath.Join(t.TempDir(), "checkpoint")
	if err := os.WriteFile(kept, []byte(must(t, dir, "", "audit", "checkpoint")), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, dir, "", "audit", "verify", "--checkpoint", kept)
	if r := tool(t, dir, `{"seq": 2, "hash": "`+strings.Repeat("0", 64)+`"}`, "audit", "verify", "--checkpoint",
		"-"); r.status != failed || !strings.Contains(r.stdout, "another one than the checkpoint names") {
		t.Errorf("a checkpoint of another log: %+v", r)
	}
	refused(t, dir, "nonsense", failed, "is no checkpoint", "audit", "verify", "--checkpoint", "-")
	lines := strings.Split(strings.TrimSuffix(must(t, dir, "", "audit", "export"), "\n"), "\n")
	var last map[string]int
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) != 7 || last["total"] != 6 {
		t.Errorf("audit export prints %d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

// TestInterruptedCommand checks that an interrupted command leaves no database
// running.
func TestInterruptedCommand(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	for i, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGTERM, syscall.SIGINT} {
		cmd := exec.Command(binary, "--data-dir", dir, "migrate")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// while it sets up, starts or migrates the database, or is done
		time.Sleep(time.Duration(20<<(2*i)) * time.Millisecond)
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Log(err)
		}
		if databaseRuns(t, dir) {
			t.Errorf("after %v the database runs on", signal)
		}
	}
	must(t, dir, "", "staff", "list")
}

// TestHelpBeginsWithACommandsOwnFlags (fault 32) reads the help of some commands: the
// flags of all commands come last.
func TestHelpBeginsWithACommandsOwnFlags(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	for flag, command := range map[string][]string{"--dry-run": {"import"}, "--password-stdin": {"staff", "create"},
		"--scale": {"demo"}} {
		help := must(t, dir, "", append(command, "--help")...)
		own, all := strings.Index(help, flag), strings.Index(help, "Flags of all commands:")
		if own < 0 || all < own || strings.Index(help, "--database-url") < all || strings.Index(help, "--help") < all {
			t.Errorf("%v: the flags are not in order: %s", command, help)
		}
	}
}
