//go:build unix

package postgres

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// refused checks that Start returns an error of one line with all the given texts.
func refused(t *testing.T, o Options, texts ...string) {
	t.Helper()
	o.Fast = true
	o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	s, err := Start(t.Context(), o)
	if err == nil {
		stop(t, s)
		t.Fatal("it started")
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error lacks %q: %v", text, err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has several lines: %q", err)
	}
}

func put(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// fakePrograms makes a folder with programs that only print their version.
func fakePrograms(t *testing.T, version string) string {
	t.Helper()
	dir := newDir(t, "bin")
	for _, name := range []string{"postgres", "initdb"} {
		put(t, filepath.Join(dir, name), "#!/bin/sh\necho '"+name+" "+version+"'\n", 0o755)
	}
	return dir
}

func TestRefusesOtherFolders(t *testing.T) {
	t.Run("no name", func(t *testing.T) { refused(t, Options{}, "--data-dir") })
	t.Run("a line break", func(t *testing.T) { refused(t, Options{DataDir: "a\nb"}, "line break", "--data-dir") })
	t.Run("a file", func(t *testing.T) {
		dir := newDir(t, "data")
		put(t, dir, "", 0o600)
		refused(t, Options{DataDir: dir}, dir+" is a file", "--data-dir")
	})
	t.Run("below a file", func(t *testing.T) {
		dir := newDir(t, "data")
		put(t, dir, "", 0o600)
		refused(t, Options{DataDir: dir + "/x"}, "not a directory", "--data-dir")
	})
	t.Run("a server's folder", func(t *testing.T) {
		dir := newDir(t, "data")
		put(t, dir+"/PG_VERSION", "15\n", 0o600)
		refused(t, Options{DataDir: dir}, "did not make", "--data-dir", "--database-url")
	})
	t.Run("a server's folder inside", func(t *testing.T) {
		dir := newDir(t, "data")
		put(t, dir+"/postgres/PG_VERSION", "15\n", 0o600)
		chownToServer(t, dir+"/postgres")
		refused(t, Options{DataDir: dir}, "did not make", "--data-dir", "--database-url")
	})
	t.Run("other files inside", func(t *testing.T) {
		dir := newDir(t, "data")
		put(t, dir+"/postgres/letters.txt", "dear", 0o600)
		chownToServer(t, dir+"/postgres")
		refused(t, Options{DataDir: dir}, "not empty", "--data-dir")
		if text, err := os.ReadFile(dir + "/postgres/letters.txt"); err != nil || string(text) != "dear" {
			t.Errorf("the file was changed: %q, %v", text, err)
		}
	})
	t.Run("a damaged version", func(t *testing.T) {
		dir := newDir(t, "data")
		put(t, dir+"/postgres/PG_VERSION", "\x00\x00", 0o600)
		chownToServer(t, dir+"/postgres")
		refused(t, Options{DataDir: dir}, "damaged", "--data-dir")
	})
}

// chownToServer makes the account that the server would run as the owner of a folder.
func chownToServer(t *testing.T, dir string) {
	t.Helper()
	a, err := freshAccount()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, int(a.uid), int(a.gid)); err != nil {
		t.Fatal(err)
	}
}

func TestRefusesUnreadableFolders(t *testing.T) {
	dir := newDir(t, "closed/data")
	parent := filepath.Dir(dir)
	if err := os.Mkdir(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		hideDescriptorsDir(t)
		refused(t, Options{DataDir: dir}, "runs as user", "cannot reach", "chmod o+x "+parent+"\"", "--data-dir")
		return
	}
	if err := os.Chmod(parent, 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(parent, 0o700)
	refused(t, Options{DataDir: dir}, "permission denied", "--data-dir")
}

// dataOfVersion makes a data folder that has only the files from which the program
// reads the version.
func dataOfVersion(t *testing.T, version string) string {
	t.Helper()
	dir := newDir(t, "data")
	put(t, dir+"/postgres/PG_VERSION", version+"\n", 0o600)
	put(t, dir+"/postgres/"+settingsFile, "", 0o600)
	chownToServer(t, dir+"/postgres")
	return dir
}

func TestRefusesDataOfRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder to root")
	}
	dir := dataOfVersion(t, "15")
	if err := os.Chown(dir+"/postgres", 0, 0); err != nil {
		t.Fatal(err)
	}
	refused(t, Options{DataDir: dir}, "belongs to root", "chown", "--data-dir")
}

func TestRefusesWrongPrograms(t *testing.T) {
	t.Run("none there", func(t *testing.T) {
		refused(t, Options{DataDir: newDir(t, "data"), BinDir: "/nowhere"}, "/nowhere", "no program postgres")
	})
	t.Run("too old", func(t *testing.T) {
		refused(t, Options{DataDir: newDir(t, "data"), BinDir: fakePrograms(t, "(PostgreSQL) 12.9")},
			"version 12", "15 or newer")
	})
	t.Run("something else", func(t *testing.T) {
		refused(t, Options{DataDir: newDir(t, "data"), BinDir: fakePrograms(t, "of the company")},
			"not the postgres of PostgreSQL", "of the company")
	})
	t.Run("another version's data", func(t *testing.T) {
		refused(t, Options{DataDir: dataOfVersion(t, "15"), BinDir: fakePrograms(t, "(PostgreSQL) 99.1")},
			"version 99", "the data was made by version 15")
	})
}

func TestRefusesDataOfAnotherServer(t *testing.T) {
	dir := prepare(t, newDir(t, "data"))
	f, err := openFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.findInstalled(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	sockets := newDir(t, "run")
	if err := f.account.makePrivateDir(sockets); err != nil {
		t.Fatal(err)
	}
	cmd := f.account.command(t.Context(), dir, p.postgres(), "-D", f.cluster(),
		"-c", "listen_addresses=", "-c", "unix_socket_directories="+sockets)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Signal(syscall.SIGINT)
		cmd.Wait()
	}()
	for pm := (postmaster{}); pm.status != "ready"; {
		if pm, _, err = f.readPostmaster(); err != nil || pause(t.Context()) != nil {
			t.Fatal("the other server is not ready", err)
		}
	}
	refused(t, Options{DataDir: dir}, "did not start", "--data-dir")
	if _, ok := running(t, dir); !ok {
		t.Error("the other server was stopped")
	}
}

func TestRefusesDataOfMissingVersion(t *testing.T) {
	serveArchive(t, nil)
	refused(t, Options{DataDir: dataOfVersion(t, "99")}, "the data was made by version 99", "--postgres-bin")
}

func TestServerThatCannotStart(t *testing.T) {
	dir := prepare(t, newDir(t, "data"))
	f := folder{dir: dir}
	auto := filepath.Join(f.cluster(), "postgresql.auto.conf")
	if err := os.WriteFile(auto, []byte("shared_buffers = '1 elephant'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, Options{DataDir: dir}, "did not start", "FATAL", "shared_buffers", dir+"/log")
	if err := os.WriteFile(auto, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, dir)
}

func TestFullDisk(t *testing.T) {
	dir := newDir(t, "disk")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs", dir).CombinedOutput()
	if err != nil {
		t.Skipf("cannot mount a small disk here: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("%v %s", err, out)
		}
	})
	refused(t, Options{DataDir: dir + "/data"}, "disk is full", "--data-dir")
	if _, err := os.Stat(dir + "/data/postgres"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the incomplete setup was not removed: %v", err)
	}
}

func TestInterruptedSetupIsReplaced(t *testing.T) {
	dir := newDir(t, "data")
	put(t, dir+"/postgres.new/PG_VERSION", "15\n", 0o600)
	put(t, dir+"/download/bin/half", "", 0o600)
	start(t, dir)
	if _, err := os.Stat(dir + "/postgres.new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the interrupted setup was not removed: %v", err)
	}
}
