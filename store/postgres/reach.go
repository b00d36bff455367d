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

// descriptorsDir is the folder of a process's own open files on Linux. Only a
// test changes it.
var descriptorsDir = "/proc/self/fd"

// openDirPath returns the path of the data folder for a server that gets it as an
// open file: its first file after standard input, output and error. This path needs
// no permission on the folders above. The server's own processes inherit the file.
func openDirPath() string { return descriptorsDir + "/3" }

// allowPassage lets the server's account pass through the data folder. The
// account cannot list the folder.
func (f folder) allowPassage() error {
	if !f.account.switched {
		return nil
	}
	info, err := os.Stat(f.dir)
	if err != nil {
		return fmt.Errorf("open the data folder: %w", err)
	}
	if !f.account.canPass(info) {
		if err := os.Chmod(f.dir, info.Mode().Perm()|0o011); err != nil {
			return fmt.Errorf("let user %s pass through the data folder: %w", f.account.name, err)
		}
	}
	return nil
}

// openDir tests whether the server's account can reach the data folder, by running
// one of its programs there. If it cannot (below /root, or in a folder that mktemp
// made), root opens the folder, and [folder.command] passes it to the server as an
// open file. This works on Linux only. The result is nil when the account can
// reach the folder. The caller closes it after the start of the server.
func (f folder) openDir(ctx context.Context, postgres string) (*os.File, error) {
	if !f.account.switched {
		return nil, nil
	}
	err := f.account.command(ctx, f.dir, postgres, "--version").Run()
	if err == nil || !errors.Is(err, os.ErrPermission) {
		return nil, err
	}
	if runtime.GOOS == "linux" {
		opened, err := os.Open(f.dir)
		if err != nil {
			return nil, fmt.Errorf("open the data folder: %w", err)
		}
		// The child enters its folder before it runs the program, so this process's
		// descriptor is still valid there.
		through := descriptorsDir + "/" + strconv.Itoa(int(opened.Fd()))
		if f.account.command(ctx, through, postgres, "--version").Run() == nil {
			return opened, nil
		}
		opened.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	closed := "a folder above it"
	if dir, ok := f.account.closedFolder(f.dir); ok {
		closed = dir
	}
	return nil, fmt.Errorf("this program runs as root, so PostgreSQL runs as user %s, which cannot reach the data "+
		"folder %s: "+
		"other users may not enter %s. Choose another folder, such as --data-dir /var/lib/treewarden, "+
		"or open it with \"chmod o+x %s\"", f.account.name, f.dir, closed, closed)
}

// command prepares a program of PostgreSQL that works on the data folder. It
// passes on the open folder if there is one. Paths must come from serverPath.
func (f folder) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	if f.opened == nil {
		return f.account.command(ctx, f.dir, program, args...)
	}
	// The working folder cannot be the data folder: PostgreSQL first leaves its
	// working folder and returns to it by path.
	cmd := f.account.command(ctx, "/", program, args...)
	cmd.ExtraFiles = []*os.File{f.opened}
	return cmd
}

// serverPath returns a path as the server must use it.
func (f folder) serverPath(path string) string {
	if inside, ok := strings.CutPrefix(path, f.dir+"/"); ok && f.opened != nil {
		return openDirPath() + "/" + inside
	}
	return path
}

// ourPath is the reverse of serverPath. It also replaces the paths in a text, such
// as the output of a server.
func (f folder) ourPath(text string) string {
	return strings.ReplaceAll(text, openDirPath()+"/", f.dir+"/")
}

// closedFolder returns the topmost folder in the path dir that the account cannot
// pass, and false if there is none.
func (a account) closedFolder(dir string) (string, bool) {
	path := "/"
	for _, part := range strings.Split(filepath.Clean(dir), "/") {
		path = filepath.Join(path, part)
		if info, err := os.Stat(path); err == nil && !a.canPass(info) {
			return path, true
		}
	}
	return "", false
}

// canPass reads only the permission bits, not access control lists. That is enough
// for the program's own folder and for error messages. openDir tests the real access.
func (a account) canPass(info os.FileInfo) bool {
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
