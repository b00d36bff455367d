//go:build unix

package postgres

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// closedDir returns the path of a data folder that does not exist yet and that only
// root can reach, as below /root or in a folder that mktemp made.
func closedDir(t *testing.T, name string) string {
	t.Helper()
	if os.Geteuid() != 0 || runtime.GOOS != "linux" {
		t.Skip("this test needs root on Linux")
	}
	dir := newDir(t, "closed/"+name)
	if err := os.Mkdir(closedAbove(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// closedAbove returns the folder above dir that the server's account cannot pass.
func closedAbove(dir string) string {
	above, _, _ := strings.Cut(dir, "/closed/")
	return above + "/closed"
}

// hideDescriptorsDir makes the system look like one without /proc, so that a folder
// can be reached only by its path.
func hideDescriptorsDir(t *testing.T) {
	t.Helper()
	former := descriptorsDir
	t.Cleanup(func() { descriptorsDir = former })
	descriptorsDir = "/nowhere"
}

const dataAsOpenFile = "/proc/self/fd/3/postgres"

func TestClosedFolderColdThenWarmStart(t *testing.T) {
	dir := closedDir(t, "data")
	s := start(t, dir)
	if got := selectText(t, s.URL(""), `SHOW data_directory`); got != dataAsOpenFile {
		t.Errorf("the server's path of its data is %s", got)
	}
	if want := filepath.Join(dir, "run"); s.socketDir != want {
		t.Errorf("the socket is in %s, want %s", s.socketDir, want)
	}
	write(t, s.URL(""))
	stop(t, s)
	if _, ok := running(t, dir); ok {
		t.Error("the server runs after Stop")
	}
	if logs, err := filepath.Glob(filepath.Join(dir, "log", "postgres-*.log")); err != nil || len(logs) != 1 {
		t.Errorf("the server's logs: %v, %v", logs, err)
	}

	s = start(t, dir)
	if got := selectText(t, s.URL(""), selectWords); got != "here" {
		t.Errorf("after a restart the table holds %q", got)
	}
	// A session and a worker open files that no process had open before.
	execute(t, s.URL(""), `CREATE DATABASE another`)
	if got := selectText(t, s.URL("another"), `SELECT current_database()`); got != "another" {
		t.Errorf("connected to %q", got)
	}
}

func TestClosedFolderGetsPermissions(t *testing.T) {
	dir := prepare(t, closedDir(t, "data"))
	first := startOther(t, dir)
	if err := os.Chmod(closedAbove(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	s := start(t, dir)
	if s.owned || s.URL("") != first.url {
		t.Error("the running server was not recognised")
	}
	first.leave(t)
	stop(t, s)

	s = start(t, dir)
	if got := selectText(t, s.URL(""), `SHOW data_directory`); got != filepath.Join(dir, "postgres") {
		t.Errorf("the server's path of its data is %s after the folder was opened", got)
	}
}

func TestClosedFolderTroublesomePaths(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // the server's account cannot reach this folder either
	for _, name := range []string{"ünï/comma, quote' back\\slash", strings.Repeat("long/", 40) + "data"} {
		t.Run("", func(t *testing.T) {
			dir := closedDir(t, name)
			s := start(t, dir)
			if !strings.HasPrefix(s.socketDir, "/tmp/treewarden-") {
				t.Errorf("the socket is in %s", s.socketDir)
			}
			o := startOther(t, dir)
			if o.url != s.URL("") {
				t.Errorf("another process uses %s, this one %s", o.url, s.URL(""))
			}
			o.leave(t)
		})
	}
}

func TestClosedFolderFailuresNameThePath(t *testing.T) {
	dir := prepare(t, closedDir(t, "data"))
	s := start(t, dir)
	conn, err := pgx.Connect(t.Context(), s.address(superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `ALTER SYSTEM SET ssl = on`); err != nil { // without a certificate
		t.Error(err)
	}
	conn.Close(t.Context())
	stop(t, s)
	refused(t, Options{DataDir: dir}, "did not start", "server.crt", dir+"/log")

	if err := os.WriteFile(dir+"/postgres/postgresql.auto.conf", []byte("include 'nowhere.conf'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, Options{DataDir: dir}, "did not start", dir+"/postgres/nowhere.conf")
}

func TestClosedProgramsAreRefused(t *testing.T) {
	bin := closedDir(t, "bin")
	for _, name := range []string{"postgres", "initdb"} {
		put(t, filepath.Join(bin, name), "#!/bin/sh\necho '"+name+" (PostgreSQL) 18.1'\n", 0o755)
	}
	refused(t, Options{DataDir: newDir(t, "data"), BinDir: bin},
		"cannot run its programs", "may not enter "+closedAbove(bin))
}
