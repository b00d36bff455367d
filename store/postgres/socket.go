//go:build unix

package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
)

// maxSocketPath is the least of the systems' limits: macOS allows 103 bytes, Linux 107.
const maxSocketPath = 103

// makeSocketDir chooses and makes the folder of the server's socket: run/ in
// the data folder, or, where that path is too long for a socket or has a
// character that addresses cannot carry, a private folder among the temporary
// files that is named after the data folder. It is the clients' path that
// counts: the server's is the same, or a short one through the door.
func (f folder) makeSocketDir() (string, error) {
	dir := f.path("run")
	if fitsSocket(dir) {
		return dir, f.account.takeDir(dir)
	}
	for _, parent := range []string{os.TempDir(), "/tmp"} {
		dir = filepath.Join(parent, f.shortName())
		if _, closed := f.account.barrier(parent); fitsSocket(dir) && !(closed && f.account.switched) {
			break
		}
	}
	return dir, f.account.makeDir(dir)
}

// isSocketDir tells whether a server with this socket folder was started by
// this program on this data. The temporary folder may be another one today.
func (f folder) isSocketDir(dir string) bool {
	return dir == f.path("run") || filepath.Base(dir) == f.shortName()
}

func (f folder) shortName() string {
	sum := sha256.Sum256([]byte(f.dir))
	return "treewarden-" + hex.EncodeToString(sum[:8])
}

// fitsSocket also refuses what PostgreSQL and its clients read as a list, and
// what a settings file would have to quote.
func fitsSocket(dir string) bool {
	return filepath.IsAbs(dir) && !strings.ContainsAny(dir, ",\"'\\") &&
		len(filepath.Join(dir, ".s.PGSQL."+socketPort)) <= maxSocketPath
}
