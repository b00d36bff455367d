//go:build unix

package postgres

import (
	"context"
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

// descriptors is where Linux shows a process its own open files. Only a test
// changes it.
var descriptors = "/proc/self/fd"

// doorPath is the data folder as a server sees it that was given the open
// folder, its only file besides standard input, output and error. Such a path
// needs no permission on the folders above, and the server's own children
// inherit it.
func doorPath() string { return descriptors + "/3" }

// letServerIn opens the data folder itself to the server's account, no more
// than to pass through.
func (f folder) letServerIn() error {
	if !f.account.switched {
		return nil
	}
	info, err := os.Stat(f.dir)
	if err != nil {
		return fmt.Errorf("open the data folder: %w", err)
	}
	if !f.account.passes(info) {
		if err := os.Chmod(f.dir, info.Mode().Perm()|0o011); err != nil {
			return fmt.Errorf("let user %s into the data folder: %w", f.account.name, err)
		}
	}
	return nil
}

// openDoor tries whether the server's account can get at the data folder, by
// starting one of its programs there. As root that fails below /root or what
// mktemp makes. Root can, so it opens the folder and hands it to the server
// (see [folder.command]); Linux only. The result is nil where no door is
// needed, and to be closed when the server has started.
func (f folder) openDoor(ctx context.Context, postgres string) (*os.File, error) {
	if !f.account.switched {
		return nil, nil
	}
	err := f.account.command(ctx, f.dir, postgres, "--version").Run()
	if err == nil || !errors.Is(err, os.ErrPermission) {
		return nil, err
	}
	if runtime.GOOS == "linux" {
		door, err := os.Open(f.dir)
		if err != nil {
			return nil, fmt.Errorf("open the data folder: %w", err)
		}
		// The child enters its folder while it still has our descriptors.
		through := descriptors + "/" + strconv.Itoa(int(door.Fd()))
		if f.account.command(ctx, through, postgres, "--version").Run() == nil {
			return door, nil
		}
		door.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	where := "a folder above it"
	if dir, ok := f.account.barrier(f.dir); ok {
		where = dir
	}
	return nil, fmt.Errorf("as root PostgreSQL runs as user %s, who cannot reach the data folder %s: %s is closed to others. "+
		"Choose a folder elsewhere, such as --data-dir /var/lib/treewarden, or open the way with \"chmod o+x %s\"",
		f.account.name, f.dir, where, where)
}

// command prepares a program of the server's that works on the data folder,
// and gives it the door when there is one. Its paths must come from serverPath.
func (f folder) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	if f.door == nil {
		return f.account.command(ctx, f.dir, program, args...)
	}
	// Not in the data folder: PostgreSQL goes to its programs' folder and back
	// to where it was, by path, before it enters the data.
	cmd := f.account.command(ctx, "/", program, args...)
	cmd.ExtraFiles = []*os.File{f.door}
	return cmd
}

// serverPath is how the server calls a path, which may be in the data folder
// or elsewhere.
func (f folder) serverPath(path string) string {
	if inside, ok := strings.CutPrefix(path, f.dir+"/"); ok && f.door != nil {
		return doorPath() + "/" + inside
	}
	return path
}

// ourPath undoes serverPath, also within what a server says and for a server
// that another process started.
func (f folder) ourPath(text string) string {
	return strings.ReplaceAll(text, doorPath()+"/", f.dir+"/")
}

// barrier is the topmost folder on the way to dir that the account cannot pass.
func (a account) barrier(dir string) (string, bool) {
	path := "/"
	for _, part := range strings.Split(filepath.Clean(dir), "/") {
		path = filepath.Join(path, part)
		if info, err := os.Stat(path); err == nil && !a.passes(info) {
			return path, true
		}
	}
	return "", false
}

// passes reads the permission bits only: good enough to open our own folder
// and to name a closed one, while openDoor decides.
func (a account) passes(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	mode := info.Mode().Perm()
	switch {
	case stat.Uid == a.uid:
		return mode&0o100 != 0
	case stat.Gid == a.gid:
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}
