//go:build unix

package postgres

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// postmaster is the content of a server's postmaster.pid.
type postmaster struct {
	pid       int
	socketDir string
	status    string // starting, ready or stopping
}

// readPostmaster returns false if there is no postmaster.pid, or while a server
// writes it. The file may be one of a server that has crashed.
func (f folder) readPostmaster() (postmaster, bool, error) {
	text, err := os.ReadFile(filepath.Join(f.cluster(), "postmaster.pid"))
	if errors.Is(err, os.ErrNotExist) {
		return postmaster{}, false, nil
	}
	if err != nil {
		return postmaster{}, false, fmt.Errorf("check whether PostgreSQL runs: %w; "+
			"choose another folder with --data-dir", err)
	}
	lines := strings.Split(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 0 {
		return postmaster{}, false, nil
	}
	pm := postmaster{pid: pid}
	if len(lines) > 4 {
		pm.socketDir = f.ourPath(strings.TrimSpace(lines[4]))
	}
	if len(lines) > 7 {
		pm.status = strings.TrimSpace(lines[7])
	}
	return pm, true, nil
}

// findServer returns the server on this data, and false if none runs. A server that
// starts or stops counts too.
func (f folder) findServer() (postmaster, bool, error) {
	pm, ok, err := f.readPostmaster()
	return pm, ok && f.isServer(pm), err
}

// isServer reports whether the process exists and is a server on this data. After
// a crash, the process number may belong to another program.
func (f folder) isServer(pm postmaster) bool {
	if err := syscall.Kill(pm.pid, 0); errors.Is(err, syscall.ESRCH) {
		return false
	}
	if runtime.GOOS == "linux" {
		// The working directory of a server is its data. A zombie process has none.
		at, err := os.Stat(fmt.Sprintf("/proc/%d/cwd", pm.pid))
		if err == nil {
			here, err := os.Stat(f.cluster())
			return err != nil || os.SameFile(at, here)
		}
		return errors.Is(err, os.ErrPermission)
	}
	out, err := exec.Command("ps", "-o", "comm=", "-p", strconv.Itoa(pm.pid)).Output()
	return err == nil && strings.Contains(string(out), "postgres")
}
