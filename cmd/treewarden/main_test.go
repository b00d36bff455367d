package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the program, built once for all tests. They run it as people and
// scripts do.
var binary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "treewarden-cmd")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // for the server of the prepared data folder
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary = filepath.Join(dir, "treewarden")
	build := exec.Command("go", "build", "-ldflags", "-X main.version=v0.0.0-test", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	for _, name := range os.Environ() { // the developer's settings must not change the tests
		if name, _, _ = strings.Cut(name, "="); strings.HasPrefix(name, "TREEWARDEN_") &&
			!strings.HasPrefix(name, "TREEWARDEN_TEST_") {
			os.Unsetenv(name)
		}
	}
	return m.Run()
}

// dataDir makes a folder that the account of a server can enter. Only root can
// enter the folder of t.TempDir.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "treewarden-data")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil { // the server's account must have access
		t.Fatal(err)
	}
	return filepath.Join(dir, "data folder")
}

// prepared is a data folder in which "migrate" has run, made by the first test that copies
// it. A new folder takes seconds of work, of initdb and of all migrations.
var prepared = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(filepath.Dir(binary), "prepared")
	out, err := exec.Command(binary, "--data-dir", dir, "migrate").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("prepare a data folder: %w\n%s", err, out)
	}
	return dir, nil
})

// usedDir makes a folder like dataDir, with an empty, migrated database in it, for tests
// that are not about the first start.
func usedDir(t *testing.T) string {
	t.Helper()
	from, err := prepared()
	if err != nil {
		t.Fatal(err)
	}
	dir := dataDir(t)
	if out, err := exec.Command("cp", "-a", from, dir).CombinedOutput(); err != nil {
		t.Fatalf("copy the prepared data folder: %v\n%s", err, out)
	}
	return dir
}

// result holds the output and status of a command.
type result struct {
	status         int
	stdout, stderr string
}

// tool runs a command on a data folder, with some standard input.
func tool(t *testing.T, dir, stdin string, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"--data-dir", dir}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatalf("run %q: %v", args, err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// must runs a command that has to succeed without an error message, and returns
// its result.
func must(t *testing.T, dir, stdin string, args ...string) string {
	t.Helper()
	r := tool(t, dir, stdin, args...)
	if r.status != done || r.stderr != "" {
		t.Fatalf("%q ended with %d\nstdout: %s\nstderr: %s", args, r.status, r.stdout, r.stderr)
	}
	return r.stdout
}

// refused runs a command that has to fail with a status, with one line on
// standard error that holds some words, and with nothing on standard output.
func refused(t *testing.T, dir, stdin string, status int, words string, args ...string) {
	t.Helper()
	r := tool(t, dir, stdin, args...)
	if r.status != status || r.stdout != "" {
		t.Errorf("%q ended with %d, want %d; stdout: %q", args, r.status, status, r.stdout)
	}
	if !strings.HasPrefix(r.stderr, "treewarden: ") || strings.Count(r.stderr, "\n") != 1 ||
		!strings.HasSuffix(r.stderr, "\n") {
		t.Errorf("%q does not end with one line on standard error: %q", args, r.stderr)
	}
	if !strings.Contains(r.stderr, words) {
		t.Errorf("%q says %q, want it to speak of %q", args, r.stderr, words)
	}
}

// server is a running serve or demo.
type server struct {
	cmd            *exec.Cmd
	address        string
	stdout, stderr *syncBuffer
	ended          chan error
}

// start runs serve or demo on a free port and waits until it is ready.
func start(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	return startProgram(t, binary, dir, args...)
}

// startProgram is like start for a program that runs the binary.
func startProgram(t *testing.T, program, dir string, args ...string) *server {
	t.Helper()
	s := &server{address: freeAddress(t), stdout: &syncBuffer{}, stderr: &syncBuffer{}, ended: make(chan error, 1)}
	s.cmd = exec.Command(program, append([]string{"--data-dir", dir, "--listen", s.address}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = s.stdout, s.stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- s.cmd.Wait() }()
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			s.end(t, syscall.SIGTERM)
		}
	})
	eventually(t, "the server is ready", func() bool {
		select {
		case err := <-s.ended:
			s.ended <- err
			t.Fatalf("%q ended early: %v\n%s", args, err, s.stderr)
		default:
		}
		answer, err := http.Get("http://" + s.address + "/readyz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return s
}

// end sends a signal and returns the exit status, or -1 if the signal killed
// it.
func (s *server) end(t *testing.T, signal os.Signal) int {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.ended:
	case <-time.After(time.Minute):
		t.Fatalf("it does not stop\n%s", s.stderr)
	}
	return s.cmd.ProcessState.ExitCode()
}

// call sends a request with a key and returns status and body.
func (s *server) call(t *testing.T, method, path, key, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method,
		"http://"+s.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !happened(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// databaseRuns reports whether a PostgreSQL runs on a data folder.
func databaseRuns(t *testing.T, dir string) bool {
	t.Helper()
	_, err := os.Stat(filepath.Join(dir, "postgres", "postmaster.pid"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// syncBuffer collects output and can be read at the same time.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
