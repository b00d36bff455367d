//go:build unix

package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// setupNames are the entries of a data folder whose setup was interrupted. The first
// is made before everything else, and no other program is likely to use the second.
var setupNames = []string{"start.lock", "postgres.new", "users.lock", "download"}

// checkOurs returns an error if the data folder holds anything that this program did
// not make. It changes nothing. The folder may be empty, complete, or half made: a
// setup may have been interrupted, or goes on in another process.
func (f folder) checkOurs() error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return fmt.Errorf("read the data folder: %w; choose another with --data-dir", err)
	}
	// The data is looked for after the folder was read: run and log are made later.
	if _, err := os.Stat(filepath.Join(f.cluster(), settingsFile)); err == nil {
		return nil
	}
	names := map[string]os.DirEntry{}
	for _, entry := range entries {
		names[entry.Name()] = entry
	}
	begun := isFile(names[setupNames[0]]) || isFolder(names[setupNames[1]])
	for name, entry := range names {
		switch {
		case name == "lost+found" && isFolder(entry): // of a disk of its own
		case name == "postgres":
			// Its error says more than that of the folder.
			if _, err := f.clusterVersion(); err != nil {
				return err
			}
		case begun && (slices.Contains(setupNames, name) || strings.HasPrefix(name, "postgresql-")):
		case begun && (name == "run" || name == "log"): // the data was removed to begin anew
			if err := checkContents(f.path(name)); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s is not empty, and this program did not make %q in it: choose an empty or new folder "+
				"with --data-dir", f.dir, name)
		}
	}
	return nil
}

func isFile(entry os.DirEntry) bool   { return entry != nil && entry.Type().IsRegular() }
func isFolder(entry os.DirEntry) bool { return entry != nil && entry.IsDir() }

// checkContents returns an error unless a path is a folder, and no link to one, with
// nothing in it but sockets and logs of a server. A missing one is fine.
func checkContents(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the data folder: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder that this program made: remove it, or choose another data folder with "+
			"--data-dir", path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("read the data folder: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasPrefix(name, ".s.PGSQL.") && !(entry.Type().IsRegular() && strings.HasSuffix(name, ".log")) {
			return fmt.Errorf("%s holds %q, which this program did not make: move it away, or choose another data folder "+
				"with --data-dir", path, name)
		}
	}
	return nil
}
