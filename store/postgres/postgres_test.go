//go:build unix

package postgres

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// otherProcess, when set, makes this test binary a process that uses the
// server on the data folder that it names, until its standard input ends.
const otherProcess = "TREEWARDEN_POSTGRES_OTHER_PROCESS"

func TestMain(m *testing.M) {
	if dir := os.Getenv(otherProcess); dir != "" {
		os.Exit(useServer(dir))
	}
	status := m.Run()
	if parent := prepared.parent; parent != "" {
		if err := os.RemoveAll(parent); err != nil {
			slog.Error("remove the prepared data folder", "error", err)
			status = max(status, 1)
		}
	}
	os.Exit(status)
}

func useServer(dir string) int {
	// Not Fast, because some tests kill the server and check its data.
	s, err := Start(context.Background(), Options{DataDir: dir})
	if err != nil {
		slog.Error("start", "error", err)
		return 1
	}
	os.Stdout.WriteString(s.URL("") + "\n")
	io.Copy(io.Discard, os.Stdin)
	if err := s.Stop(); err != nil {
		slog.Error("stop", "error", err)
		return 1
	}
	return 0
}

// other is a second process on the same data folder.
type other struct {
	cmd   *exec.Cmd
	stdin io.Closer
	url   string
}

func startOther(t *testing.T, dir string) *other {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), otherProcess+"="+dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the other process printed no address: %v", err)
	}
	return &other{cmd: cmd, stdin: stdin, url: strings.TrimSpace(line)}
}

func (o *other) leave(t *testing.T) {
	t.Helper()
	o.stdin.Close()
	if err := o.cmd.Wait(); err != nil {
		t.Fatalf("the other process: %v", err)
	}
}

// newParent makes a folder that the server's account can reach also when the tests run
// as root, unlike that of t.TempDir.
func newParent() (string, error) {
	var (
		scratch string
		memory  syscall.Statfs_t
	)
	if os.Getenv("TMPDIR") == "" && syscall.Statfs("/dev/shm", &memory) == nil &&
		uint64(memory.Bavail)*uint64(memory.Bsize) > 1<<30 {
		scratch = "/dev/shm" // a setup takes a third of the time there
	}
	parent, err := os.MkdirTemp(scratch, "tw")
	if err != nil {
		return "", err
	}
	return parent, os.Chmod(parent, 0o755)
}

// newDir returns the path of a data folder that does not exist yet, in a folder that
// the server's account can reach.
func newDir(t *testing.T, name string) string {
	t.Helper()
	parent, err := newParent()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(parent, name)
	t.Cleanup(func() {
		if pm, ok, _ := (folder{dir: dir}).findServer(); ok {
			t.Errorf("a server still runs on %s, process %d", dir, pm.pid)
			syscall.Kill(pm.pid, syscall.SIGQUIT)
		}
		if err := os.RemoveAll(parent); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// prepared is a data folder whose server has run and stopped. Tests that are not about
// the setup copy it, because a setup takes most of their time.
var prepared struct {
	sync.Once
	parent string
	err    error
}

// prepare makes a data folder as if its server had run and stopped, and returns its path.
func prepare(t *testing.T, dir string) string {
	t.Helper()
	prepared.Do(func() {
		if prepared.parent, prepared.err = newParent(); prepared.err != nil {
			return
		}
		var s *Server
		s, prepared.err = Start(context.Background(), Options{DataDir: filepath.Join(prepared.parent, "data"), Fast: true})
		if prepared.err == nil {
			prepared.err = s.Stop()
		}
	})
	if prepared.err != nil {
		t.Fatal("prepare a data folder: ", prepared.err)
	}
	// It keeps owners and modes.
	out, err := exec.Command("cp", "-a", filepath.Join(prepared.parent, "data"), dir).CombinedOutput()
	if err != nil {
		t.Fatalf("copy the prepared data folder: %v %s", err, out)
	}
	return dir
}

// eachDir runs a test on a prepared data folder that the server's account can reach, and on one
// that only root can reach.
func eachDir(t *testing.T, test func(t *testing.T, dir string)) {
	t.Helper()
	t.Run("open", func(t *testing.T) { test(t, prepare(t, newDir(t, "data"))) })
	t.Run("closed", func(t *testing.T) { test(t, prepare(t, closedDir(t, "data"))) })
}

func start(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Start(t.Context(), Options{DataDir: dir, Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

// selectText runs a query that returns one text.
func selectText(t *testing.T, address, query string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var answer string
	if err := conn.QueryRow(t.Context(), query).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func running(t *testing.T, dir string) (pid int, ok bool) {
	t.Helper()
	pm, ok, err := folder{dir: dir}.findServer()
	if err != nil {
		t.Fatal(err)
	}
	return pm.pid, ok
}

const (
	insertWord  = `CREATE TABLE IF NOT EXISTS kept (word text); INSERT INTO kept VALUES ('here'); `
	selectWords = `SELECT string_agg(word, ' ') FROM kept`
)

func write(t *testing.T, address string) {
	t.Helper()
	execute(t, address, insertWord)
}

func execute(t *testing.T, address, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestColdThenWarmStart(t *testing.T) {
	dir := newDir(t, "data")
	s := start(t, dir)
	if !s.owned {
		t.Error("the first process does not own the server")
	}
	write(t, s.URL(""))
	stop(t, s)
	stop(t, s) // a second time does nothing
	if _, ok := running(t, dir); ok {
		t.Error("the server runs after Stop")
	}

	s = start(t, dir)
	if got := selectText(t, s.URL(""), selectWords); got != "here" {
		t.Errorf("after a restart the table holds %q", got)
	}
}

func TestServerSettings(t *testing.T) {
	s := start(t, prepare(t, newDir(t, "data")))
	for query, want := range map[string]string{
		`SHOW server_encoding`:  "UTF8",
		`SHOW timezone`:         "UTC",
		`SHOW listen_addresses`: "",
		`SHOW jit`:              "off",
		`SHOW work_mem`:         "32MB",
		`SHOW data_checksums`:   "on",
		`SELECT lower('ÄÉЖΣ')`:  "äéжσ",
		`SELECT current_user`:   "treewarden",
		`SHOW is_superuser`:     "off",
		`SELECT max(x) FROM (VALUES ('a'), ('Z')) v(x)`: "a", // sorted by bytes
	} {
		if got := selectText(t, s.URL(""), query); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	const name = `Ünïcode "name"`
	execute(t, s.URL(""), `CREATE DATABASE `+pgx.Identifier{name}.Sanitize())
	if got := selectText(t, s.URL(name), `SELECT current_database()`); got != name {
		t.Errorf("connected to %q", got)
	}
}

func TestDurableUnlessFast(t *testing.T) {
	dir := prepare(t, newDir(t, "data"))
	s, err := Start(t.Context(), Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, s)
	for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		if got := selectText(t, s.URL(""), "SHOW "+name); got != "on" {
			t.Errorf("%s is %s", name, got)
		}
	}
}

func TestSecondProcessUsesTheServer(t *testing.T) {
	eachDir(t, func(t *testing.T, dir string) {
		first := startOther(t, dir)
		pid, _ := running(t, dir)

		s := start(t, dir)
		if s.owned {
			t.Error("the second process owns the server of the first")
		}
		if s.URL("") != first.url {
			t.Errorf("the processes use the addresses %s and %s", first.url, s.URL(""))
		}
		conn, err := pgx.Connect(t.Context(), s.URL(""))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())

		first.leave(t)
		if err := conn.Ping(t.Context()); err != nil {
			t.Errorf("the connection is closed after the owner left: %v", err)
		}
		if now, ok := running(t, dir); !ok || now != pid {
			t.Errorf("server %d became %d (running: %t)", pid, now, ok)
		}
		write(t, s.URL(""))
		stop(t, s)
		if _, ok := running(t, dir); ok {
			t.Error("the last process did not stop the server")
		}
	})
}

func TestManyStartAtOnce(t *testing.T) {
	dir := newDir(t, "data")
	var wait sync.WaitGroup
	servers := make([]*Server, 6)
	for i := range servers {
		wait.Go(func() {
			s, err := Start(t.Context(), Options{DataDir: dir, Fast: true})
			if err != nil {
				t.Error(err)
				return
			}
			servers[i] = s
		})
	}
	wait.Wait()
	owners := 0
	for _, s := range servers {
		if s == nil {
			continue
		}
		if s.owned {
			owners++
		}
		wait.Go(func() {
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if owners != 1 {
		t.Errorf("%d processes own the server, want 1", owners)
	}
	if _, ok := running(t, dir); ok {
		t.Error("the server runs after all have left")
	}
}

func TestTakesOverTheServerOfAKilledOwner(t *testing.T) {
	eachDir(t, func(t *testing.T, dir string) {
		first := startOther(t, dir)
		write(t, first.url)
		pid, _ := running(t, dir)
		first.cmd.Process.Kill()
		first.cmd.Wait()

		s := start(t, dir)
		if now, _ := running(t, dir); now != pid {
			t.Errorf("server %d was not taken over, %d runs", pid, now)
		}
		if !s.owned {
			t.Error("no process owns the server")
		}
		if got := selectText(t, s.URL(""), selectWords); got != "here" {
			t.Errorf("the table holds %q", got)
		}
		stop(t, s)
		if _, ok := running(t, dir); ok {
			t.Error("the new owner could not stop the server")
		}
	})
}

func TestRecoversWhenAllWereKilled(t *testing.T) {
	eachDir(t, func(t *testing.T, dir string) {
		first := startOther(t, dir)
		write(t, first.url)
		pid, _ := running(t, dir)
		first.cmd.Process.Kill()
		syscall.Kill(pid, syscall.SIGKILL)
		first.cmd.Wait()

		s := start(t, dir)
		if got := selectText(t, s.URL(""), selectWords); got != "here" {
			t.Errorf("after recovery the table holds %q", got)
		}
	})
}

func TestStalePidOfAnotherProcess(t *testing.T) {
	dir := prepare(t, newDir(t, "data"))
	s := start(t, dir)
	socketDir := s.socketDir
	stop(t, s)
	// After a crash any process may get the server's number. Here it is this process.
	text := strings.Join([]string{
		strconv.Itoa(os.Getpid()), s.folder.cluster(), "1", "5432", socketDir, "", "0 0", "ready", "",
	}, "\n")
	if err := os.WriteFile(filepath.Join(dir, "postgres", "postmaster.pid"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := start(t, dir); !s.owned {
		t.Error("Start took this process for the server")
	}
}

func TestTroublesomePaths(t *testing.T) {
	for _, name := range []string{
		"ünï/çødé 数据", "comma, quote' \"double\" back\\slash", "percent%20 plus+ q?x=1#y [bracket]*",
		strings.Repeat("long/", 40) + "data",
	} {
		t.Run("", func(t *testing.T) {
			dir := newDir(t, name)
			s := start(t, dir)
			if got := selectText(t, s.URL(""), `SHOW data_directory`); got != filepath.Join(dir, "postgres") {
				t.Errorf("connected to the server on %q", got)
			}
			if _, err := url.Parse(s.URL("")); err != nil {
				t.Error(err)
			}
			o := startOther(t, dir)
			if o.url != s.URL("") {
				t.Errorf("another process uses %s, this one %s", o.url, s.URL(""))
			}
			o.leave(t)
		})
	}
}

func TestRelativeDataDir(t *testing.T) {
	dir := newDir(t, "work")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	s := start(t, ".treewarden")
	if got := selectText(t, s.URL(""), `SHOW data_directory`); got != filepath.Join(dir, ".treewarden", "postgres") {
		t.Errorf("the data is in %s", got)
	}
}

func TestCancelledStart(t *testing.T) {
	dir := newDir(t, "data")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Options{DataDir: dir, Fast: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	start(t, dir)
}

// TestStartCancelledAtAnyMoment ignores the interrupt, as a shell's background
// process does. A server that it starts inherits this, and ignores the interrupt
// until it has set its own handler.
func TestStartCancelledAtAnyMoment(t *testing.T) {
	signal.Ignore(os.Interrupt)
	defer signal.Reset(os.Interrupt)
	dir := prepare(t, newDir(t, "data"))
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelError}))
	for timeout := time.Duration(0); timeout < 400*time.Millisecond; timeout = timeout*3/2 + time.Millisecond {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		s, err := Start(ctx, Options{DataDir: dir, Fast: true, Log: log})
		timedOut := ctx.Err() != nil
		cancel()
		if err != nil && !timedOut {
			t.Errorf("with a timeout of %s: %v", timeout, err)
		}
		if err == nil {
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if logged.Len() > 0 {
		t.Errorf("a cancelled start logged errors: %s", logged.String())
	}
}
