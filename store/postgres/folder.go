//go:build unix

package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// folder is a data folder and the account that the server runs as.
type folder struct {
	dir     string // absolute, without symbolic links, so that two processes agree on it
	account account
	opened  *os.File // dir as an open file, see [folder.openDir]; else nil
}

func (f folder) path(name string) string { return filepath.Join(f.dir, name) }
func (f folder) cluster() string         { return f.path("postgres") }

func openFolder(dataDir string) (folder, error) {
	if dataDir == "" {
		return folder{}, errors.New("no data folder given: name one with --data-dir")
	}
	if strings.ContainsAny(dataDir, "\n\r\x00") {
		return folder{}, fmt.Errorf("the data folder's name %q has a line break in it, which PostgreSQL cannot handle: "+
			"choose another with --data-dir", dataDir)
	}
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return folder{}, fmt.Errorf("find the data folder %s: %w", dataDir, err)
	}
	if err := makeFolder(dir); err != nil {
		return folder{}, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return folder{}, fmt.Errorf("find the data folder: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "PG_VERSION")); err == nil {
		return folder{}, fmt.Errorf("%s is the data folder of a PostgreSQL server that this program did not make: "+
			"choose another with --data-dir, or connect to that server with --database-url", dir)
	}
	f := folder{dir: dir}
	f.account, err = serverAccount(dir, f.cluster())
	if err != nil {
		return folder{}, err
	}
	if err := f.checkOurs(); err != nil {
		return folder{}, err
	}
	return f, f.allowPassage()
}

func makeFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("the data folder %s is a file: remove it, or choose another folder with --data-dir", dir)
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("open the data folder: %w; choose another with --data-dir", err)
	}
	if err = os.MkdirAll(filepath.Dir(dir), 0o755); err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make the data folder: %w; choose another with --data-dir", err)
	}
	return nil
}
