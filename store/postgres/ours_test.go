//go:build unix

package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// snapshot describes every entry of a folder: its mode, owner and text.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		stat := info.Sys().(*syscall.Stat_t)
		text := []byte{}
		if info.Mode().IsRegular() {
			text, err = os.ReadFile(path)
		}
		fmt.Fprintln(&b, path, info.Mode(), stat.Uid, stat.Gid, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestForeignFoldersStayAsTheyAre names data folders that hold what another program
// made: each is refused, and nothing in it changes (fault 40).
func TestForeignFoldersStayAsTheyAre(t *testing.T) {
	for name, files := range map[string][]string{
		"run":                  {"run/nginx.pid"},
		"an empty run":         {"run/"},
		"an empty log":         {"log/"},
		"log":                  {"log/syslog.log"},
		"run and log":          {"run/", "log/messages", "etc/passwd"},
		"a file":               {"letters.txt"},
		"a hidden file":        {".bashrc"},
		"a download":           {"download/film"},
		"users.lock":           {"users.lock"},
		"a repository":         {".git/config", "run/x"},
		"a lock folder":        {"start.lock/", "run/"},
		"a lock and more":      {"start.lock", "letters.txt"},
		"a lock and run":       {"start.lock", "run/nginx.pid"},
		"a lock and log":       {"start.lock", "log/deep/x.log"},
		"a setup and more":     {"postgres.new/PG_VERSION", "letters.txt"},
		"another server":       {"postgres/PG_VERSION"},
		"other files in it":    {"postgres/letters.txt"},
		"an empty server's":    {"postgres/", "run/"},
		"a download of theirs": {"postgresql-17/bin/postgres"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := newDir(t, "data")
			for _, file := range files {
				if path, folder := strings.CutSuffix(file, "/"); folder {
					if err := os.MkdirAll(filepath.Join(dir, path), 0o755); err != nil {
						t.Fatal(err)
					}
					continue
				}
				put(t, filepath.Join(dir, file), "15\n", 0o644)
			}
			if strings.HasPrefix(files[0], "postgres/") {
				chownToServer(t, dir+"/postgres")
			}
			before := snapshot(t, dir)
			refused(t, Options{DataDir: dir}, "--data-dir")
			if after := snapshot(t, dir); after != before {
				t.Errorf("the folder was changed from\n%s to\n%s", before, after)
			}
		})
	}
}

// TestRootFolderIsRefused names the root of the file system as the data folder: its
// /run stays as it is (fault 40).
func TestRootFolderIsRefused(t *testing.T) {
	before, err := os.Lstat("/run")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("this machine has no /run")
	}
	refused(t, Options{DataDir: "/"}, "not empty", "--data-dir")
	after, err := os.Lstat("/run")
	if err != nil || after.Mode() != before.Mode() ||
		after.Sys().(*syscall.Stat_t).Uid != before.Sys().(*syscall.Stat_t).Uid {
		t.Errorf("/run was %v and is %v (%v)", before, after, err)
	}
	if _, err := os.Lstat("/start.lock"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a lock was made in /: %v", err)
	}
}

// TestLinksInTheDataFolder puts a link in the place of the socket's folder: what it
// leads to stays as it is (fault 40).
func TestLinksInTheDataFolder(t *testing.T) {
	dir := prepare(t, newDir(t, "data"))
	elsewhere := newDir(t, "elsewhere")
	if err := os.Mkdir(elsewhere, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir + "/run"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, dir+"/run"); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, elsewhere)
	refused(t, Options{DataDir: dir}, dir+"/run", "--data-dir")
	if after := snapshot(t, elsewhere); after != before {
		t.Errorf("the folder behind the link was changed from %s to %s", before, after)
	}
}

// TestHalfMadeFolders starts on what interrupted setups leave (fault 40).
func TestHalfMadeFolders(t *testing.T) {
	for name, files := range map[string][]string{
		"only locks":           {"start.lock", "users.lock"},
		"an interrupted setup": {"start.lock", "users.lock", "postgres.new/PG_VERSION", "download/bin/half"},
		"the data was removed": {
			"start.lock", "users.lock", "log/start.log", "log/postgres-" + time.Now().UTC().Format("Mon") + ".log",
		},
		"a disk of its own": {"lost+found/x"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := newDir(t, "data")
			for _, file := range files {
				put(t, filepath.Join(dir, file), "", 0o600)
			}
			stop(t, start(t, dir))
		})
	}
	t.Run("a restored backup", func(t *testing.T) {
		dir := prepare(t, newDir(t, "data"))
		for _, name := range []string{"run", "log"} {
			if err := os.Chmod(filepath.Join(dir, name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Remove(dir + "/start.lock"); err != nil {
			t.Fatal(err)
		}
		stop(t, start(t, dir))
	})
}
