package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestServe(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	s := start(t, dir, "serve", "--log-format", "json")

	// A second command uses the server's database, and its changes take effect
	// at once.
	key := strings.TrimSpace(must(t, dir, "", "key", "create", "--name", "probe", "--role", "moderator"))
	if status, body := s.call(t, "GET", "/api/v1/trollboard?frame=day", key, ""); status != http.StatusOK ||
		!strings.Contains(body, `"items"`) {
		t.Errorf("the trollboard answers %d: %s", status, body)
	}
	if status, _ := s.call(t, "GET", "/api/v1/trollboard", "", ""); status != http.StatusUnauthorized {
		t.Errorf("without a key the trollboard answers %d", status)
	}
	must(t, dir, "", "key", "revoke", "probe")
	if status, _ := s.call(t, "GET", "/api/v1/trollboard", key, ""); status != http.StatusUnauthorized {
		t.Errorf("with a revoked key the trollboard answers %d", status)
	}
	refused(t, dir, "", failed, "--listen", "serve", "--listen", s.address)
	refused(t, dir, "", failed, "--listen", "demo", "--listen", s.address)

	if status := s.end(t, syscall.SIGTERM); status != done {
		t.Errorf("told to stop, it ends with %d\n%s", status, s.stderr)
	}
	if s.stdout.String() != "" {
		t.Errorf("serve prints %q to standard output", s.stdout)
	}
	for line := range strings.Lines(s.stderr.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line of the log is not JSON: %q", line)
		}
	}
	if databaseRuns(t, dir) {
		t.Error("the database runs on after serve")
	}
}

// TestKilledServe kills the program at once. The next command uses the orphaned
// database, loses nothing, and stops it.
func TestKilledServe(t *testing.T) {
	t.Parallel()
	dir := usedDir(t)
	s := start(t, dir, "serve")
	must(t, dir, "correct horse battery", "staff", "create", "--name", "warden", "--role", "admin", "--password-stdin")
	s.end(t, os.Kill)
	if got := must(t, dir, "", "staff", "list"); !strings.Contains(got, "warden") {
		t.Errorf("after a kill, staff list prints %q", got)
	}
	if databaseRuns(t, dir) {
		t.Error("the orphaned database runs on")
	}
	if status := start(t, dir, "serve").end(t, os.Interrupt); status != done {
		t.Errorf("interrupted, serve ends with %d", status)
	}
}

// TestKilledDatabase kills serve's own PostgreSQL: serve starts it again and
// answers as before.
func TestKilledDatabase(t *testing.T) {
	t.Parallel()
	dir := usedDir(t)
	s := start(t, dir, "serve")
	key := strings.TrimSpace(must(t, dir, "", "key", "create", "--name", "probe", "--role", "moderator"))
	file, err := os.ReadFile(filepath.Join(dir, "postgres", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.Fields(string(file))[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the database is back", func() bool { return strings.Contains(s.stderr.String(), "was started again") })
	if status, body := s.call(t, "GET", "/api/v1/trollboard", key, ""); status != http.StatusOK {
		t.Errorf("the trollboard answers %d: %s", status, body)
	}
	if status := s.end(t, syscall.SIGTERM); status != done {
		t.Errorf("told to stop, it ends with %d\n%s", status, s.stderr)
	}
	if databaseRuns(t, dir) {
		t.Error("the database runs on after serve")
	}
}

// signInLink finds the links that demo prints: role and address.
var signInLink = regexp.MustCompile(`(?m)^ +(admin|moderator|data_lead) +(http://\S+)$`)

func TestDemo(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	s := start(t, dir, "demo")
	links := s.links(t)
	board := s.follow(t, links["admin"], "/trollboard")
	if n := strings.Count(board, `href="/users/`); n < 20 {
		t.Errorf("the link leads to a board with %d users on it:\n%s", n, board)
	}
	s.follow(t, links["moderator"], "/")
	s.follow(t, links["data_lead"], "/audit")

	key := strings.TrimSpace(must(t, dir, "", "key", "create", "--name", "probe", "--role", "admin"))
	for _, query := range []string{"frame=day", "frame=week", "frame=month", "frame=total", "status=banned",
		"formula=open-assistant", "lang=he", "lang=zh"} {
		if n := s.count(t, "/trollboard?limit=200&"+query, key); n < 3 {
			t.Errorf("the board with %s has %d users", query, n)
		}
	}
	for _, kind := range []string{"ban", "delete", "edit", "review", "label", "report", "react", "halt", "resume",
		"update_user", "undo"} {
		if n := s.count(t, "/audit?kind="+kind, key); n == 0 {
			t.Errorf("the log has nothing of the kind %s", kind)
		}
	}
	if got := must(t, dir, "", "audit", "verify"); !strings.Contains(got, "chain holds") {
		t.Errorf("audit verify prints %q", got)
	}
	if strings.Contains(s.stderr.String(), "level=WARN") || strings.Contains(s.stderr.String(), "level=ERROR") {
		t.Errorf("demo complains:\n%s", s.stderr)
	}
	testTimedBan(t, s, key)
	log := must(t, dir, "", "audit", "export")
	if status := s.end(t, os.Interrupt); status != done {
		t.Errorf("interrupted, it ends with %d\n%s", status, s.stderr)
	}

	// The second start keeps all data and prints new links.
	again := start(t, dir, "demo")
	if fresh := again.links(t); fresh["admin"] == links["admin"] {
		t.Error("the second start prints the same link")
	}
	if got := must(t, dir, "", "audit", "export"); got != log {
		t.Error("the second start did something to the collection")
	}
	again.end(t, os.Interrupt)
	testDemoWithoutAll(t, dir)
}

// testDemoWithoutAll starts the demonstration after one of its accounts was
// removed from the console and another was banned. Both stay so, and the third
// account gets its link.
func testDemoWithoutAll(t *testing.T, dir string) {
	t.Helper()
	must(t, dir, "", "staff", "role", "data_lead", "general")
	s := start(t, dir, "serve")
	key := strings.TrimSpace(must(t, dir, "", "key", "create", "--name", "banning", "--role", "admin"))
	var id string
	for line := range strings.Lines(must(t, dir, "", "staff", "list")) {
		if fields := strings.Fields(line); fields[0] == "moderator" {
			id = fields[len(fields)-1]
		}
	}
	if status, body := s.call(t, "POST", "/api/v1/users/"+id+"/ban", key,
		`{"reason": "for the test"}`); status != http.StatusOK {
		t.Fatalf("the ban answers %d: %s", status, body)
	}
	s.end(t, os.Interrupt)

	s = start(t, dir, "demo")
	eventually(t, "the links are printed", func() bool { return strings.Contains(s.stdout.String(), "Ctrl+C") })
	for _, want := range []string{"admin      http://", "moderator  is banned", "data_lead  is no longer staff"} {
		if !strings.Contains(s.stdout.String(), want) {
			t.Errorf("demo does not print %q: %s", want, s.stdout)
		}
	}
}

// links waits for the sign-in links and checks that nothing else is printed
// before the console answers.
func (s *server) links(t *testing.T) map[string]string {
	t.Helper()
	eventually(t, "the links are printed", func() bool { return strings.Contains(s.stdout.String(), "Ctrl+C") })
	links := map[string]string{}
	for _, m := range signInLink.FindAllStringSubmatch(s.stdout.String(), -1) {
		links[m[1]] = m[2]
	}
	if len(links) != 3 || !strings.Contains(s.stdout.String(), "http://"+s.address) {
		t.Fatalf("demo prints %q", s.stdout)
	}
	return links
}

// follow opens a sign-in link as a browser does, and then a page.
func (s *server) follow(t *testing.T, link, path string) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := http.Client{Jar: jar}
	for _, address := range []string{link, "http://" + s.address + path} {
		answer, err := browser.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || strings.HasPrefix(answer.Request.URL.Path, "/sign-in") {
			t.Fatalf("%s leads to %s, %d (%v)", address, answer.Request.URL, answer.StatusCode, err)
		}
		if address != link {
			return string(page)
		}
	}
	return ""
}

// count returns the number of items on the first page of a list of the API.
func (s *server) count(t *testing.T, path, key string) int {
	t.Helper()
	status, body := s.call(t, "GET", "/api/v1"+path, key, "")
	var list struct{ Items []json.RawMessage }
	if err := json.Unmarshal([]byte(body), &list); err != nil || status != http.StatusOK {
		t.Fatalf("GET %s answers %d: %s", path, status, body)
	}
	return len(list.Items)
}

// testTimedBan bans a user for a moment. The ban ends by itself, and the log
// has an entry for it.
func testTimedBan(t *testing.T, s *server, key string) {
	_, body := s.call(t, "GET", "/api/v1/trollboard?limit=1", key, "")
	var board struct {
		Items []struct {
			UserID string `json:"user_id"`
		}
	}
	if err := json.Unmarshal([]byte(body), &board); err != nil || len(board.Items) != 1 {
		t.Fatalf("the trollboard answers %s", body)
	}
	user := "/api/v1/users/" + board.Items[0].UserID
	until := time.Now().Add(2 * time.Second).UTC().Format(time.RFC3339Nano)
	if status, body := s.call(t, "POST", user+"/ban", key,
		fmt.Sprintf(`{"reason": "just a moment", "until": %q}`, until)); status != http.StatusOK {
		t.Fatalf("the ban answers %d: %s", status, body)
	}
	eventually(t, "the ban ends", func() bool {
		_, body := s.call(t, "GET", "/api/v1/audit?kind=unban&target="+board.Items[0].UserID, key, "")
		return strings.Contains(body, `"via":"system"`)
	})
	if status, body := s.call(t, "GET", user, key, ""); status != http.StatusOK ||
		!strings.Contains(body, `"status":"active"`) {
		t.Errorf("after the end of a ban the user is %s", body)
	}
}
