package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// residentMiB returns the memory of a process, in MiB.
func residentMiB(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("the memory of a process can be read on Linux only: %v", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes >> 10
}

// hold opens connections and sends the beginning of a request on each.
func hold(t *testing.T, address string, n int, beginning string) (refused int) {
	t.Helper()
	for range n {
		c, err := net.DialTimeout("tcp", address, 10*time.Second)
		if err != nil {
			refused++
			continue
		}
		t.Cleanup(func() { c.Close() })
		if _, err := io.WriteString(c, beginning); err != nil {
			refused++
		}
	}
	return refused
}

// TestManyHeldClients holds 1,000 clients and 60 half-sent bodies: the memory stays
// bounded and the board answers (faults 35 and 37). It prints the figures:
//
//	go test ./cmd/treewarden -run TestManyHeldClients -v
func TestManyHeldClients(t *testing.T) {
	dir := usedDir(t)
	s := start(t, dir, "serve")
	moderator := strings.TrimSpace(must(t, dir, "", "key", "create", "--name", "probe", "--role", "moderator"))
	collector := strings.TrimSpace(must(t, dir, "", "key", "create", "--name", "front end", "--role", "collector"))
	before := residentMiB(t, s.cmd.Process.Pid)
	hold(t, s.address, 500, "")
	hold(t, s.address, 250, "GET /trollboard HTTP/1.1\r\nHost: x\r\n")
	hold(t, s.address, 250, "GET /sign-in HTTP/1.1\r\nHost: x\r\n\r\n")
	const announced = "POST /api/v1/ingest HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n" +
		"Content-Length: 16000000\r\nAuthorization: Bearer %s\r\n\r\n%s"
	part := strings.Repeat(" ", 1<<20)
	hold(t, s.address, 30, fmt.Sprintf(announced, collector, part))
	hold(t, s.address, 30, fmt.Sprintf(announced, "unknown", part))
	most := 0
	for range 20 {
		if status, body := s.call(t, "GET", "/api/v1/trollboard", moderator, ""); status != http.StatusOK {
			t.Errorf("the board answers %d: %s", status, body)
		}
		most = max(most, residentMiB(t, s.cmd.Process.Pid))
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("1,000 clients held open and 60 half-sent bodies: %d MiB resident, %d MiB before", most, before)
	if most >= 200 {
		t.Errorf("the program takes %d MiB", most)
	}
}

// TestFewOpenFiles serves with few open files and more clients than that: it goes on
// and answers people who are signed in (fault 35).
func TestFewOpenFiles(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell to set the limit of open files with")
	}
	dir := usedDir(t)
	whole := binary
	limited := binary + "-few-files"
	script := fmt.Sprintf("#!%s\nulimit -n 300\nexec %q \"$@\"\n", shell, whole)
	if err := os.WriteFile(limited, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	s := startProgram(t, limited, dir, "serve")
	moderator := strings.TrimSpace(must(t, dir, "", "key", "create", "--name", "probe", "--role", "moderator"))
	for range 3 {
		hold(t, s.address, 200, "GET /trollboard HTTP/1.1\r\nHost: x\r\n")
		if status, body := s.call(t, "GET", "/api/v1/trollboard", moderator, ""); status != http.StatusOK {
			t.Errorf("the board answers %d: %s", status, body)
		}
	}
	select {
	case err := <-s.ended:
		s.ended <- err
		t.Errorf("serve ended: %v\n%s", err, s.stderr)
	default:
	}
	if !strings.Contains(s.stderr.String(), "max_connections=200") {
		t.Errorf("the log does not say that connections were closed:\n%s", s.stderr)
	}
}

// TestCapacitySettings refuses settings that nothing could run with, before a database
// starts.
func TestCapacitySettings(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	refused(t, dir, "", misuse, "TREEWARDEN_DATABASE_CONNECTIONS", "serve", "--database-connections", "3")
	refused(t, dir, "", misuse, "TREEWARDEN_MAX_CONNECTIONS", "serve", "--max-connections", "15")
	refused(t, dir, "", misuse, "TREEWARDEN_MAX_CONNECTIONS", "serve", "--max-connections=-1")
	if _, err := os.Stat(dir); err == nil {
		t.Error("a refused setting made the data folder")
	}
}
