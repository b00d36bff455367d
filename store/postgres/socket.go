//go:build unix

package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
)

// maxSocketPath is the lowest limit of all systems: macOS allows 103 bytes, Linux 107.
const maxSocketPath = 103

// makeSocketDir makes the folder of the server's socket: run/ in the data folder.
// If that path is too long for a socket, or has a character that is not allowed in
// addresses, it is a private temporary folder. Its name depends on the data
// folder. The path of the clients counts; the server may use a shorter one.
func (f folder) makeSocketDir() (string, error) {
	dir := f.path("run")
	if fitsSocket(dir) {
		return dir, f.account.ensureDir(dir)
	}
	for _, parent := range []string{os.TempDir(), "/tmp"} {
		dir = filepath.Join(parent, f.shortName())
		if _, closed := f.account.closedFolder(parent); fitsSocket(dir) && !(closed && f.account.switched) {
			break
		}
	}
	return dir, f.account.makePrivateDir(dir)
}

// isSocketDir reports whether this program started the server with this socket
// folder. It ignores the parent of a temporary folder, because TMPDIR may have changed.
func (f folder) isSocketDir(dir string) bool {
	return dir == f.path("run") || filepath.Base(dir) == f.shortName()
}

func (f folder) shortName() string {
	sum := sha256.Sum256([]byte(f.dir))
	return "treewarden-" + hex.EncodeToString(sum[:8])
}

// fitsSocket also refuses the characters that PostgreSQL and its clients treat as
// separators, and those that need quotes in a settings file.
func fitsSocket(dir string) bool {
	return filepath.IsAbs(dir) && !strings.ContainsAny(dir, ",\"'\\") &&
		len(filepath.Join(dir, ".s.PGSQL."+socketPort)) <= maxSocketPath
}
