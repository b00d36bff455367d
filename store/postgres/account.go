//go:build unix

package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the user that the server runs as. PostgreSQL refuses to run as root.
type account struct {
	uid, gid uint32
	name     string
	switched bool // this process is root, and the server runs as another user
}

// serverAccount returns the account of this process, unless that is root. For root
// it returns the owner of the server's data. If there is no data, it returns the
// owner of the data folder, or the user postgres or nobody if that is root too.
func serverAccount(dataDir, cluster string) (account, error) {
	clusterUID, clusterGID, clusterErr := owner(cluster)
	if clusterErr != nil && !errors.Is(clusterErr, os.ErrNotExist) {
		return account{}, fmt.Errorf("open the data folder: %w; choose another with --data-dir", clusterErr)
	}
	if self := uint32(os.Geteuid()); self != 0 {
		if clusterErr == nil && clusterUID != self {
			return account{}, fmt.Errorf("the data in %s belongs to user %s: "+
				"run this program as that user, or choose another folder with --data-dir", cluster, userName(clusterUID))
		}
		return freshAccount()
	}
	if clusterErr == nil {
		if clusterUID == 0 {
			return account{}, fmt.Errorf("the data in %s belongs to root, and PostgreSQL refuses to run as root: "+
				"change its owner with \"chown -R postgres %s\", or choose another folder with --data-dir", cluster, cluster)
		}
		return account{uid: clusterUID, gid: clusterGID, name: userName(clusterUID), switched: true}, nil
	}
	uid, gid, err := owner(dataDir)
	if err != nil {
		return account{}, fmt.Errorf("open the data folder: %w; choose another with --data-dir", err)
	}
	if uid != 0 {
		return account{uid: uid, gid: gid, name: userName(uid), switched: true}, nil
	}
	return freshAccount()
}

// freshAccount returns the account for the server of a new data folder.
func freshAccount() (account, error) {
	if self := uint32(os.Geteuid()); self != 0 {
		return account{uid: self, gid: uint32(os.Getegid()), name: userName(self)}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if a, ok := lookUp(name); ok {
			return a, nil
		}
	}
	return account{}, errors.New("PostgreSQL refuses to run as root, and this machine has neither a user postgres " +
		"nor a user nobody: add one (\"useradd --system postgres\"), run this program as another user, " +
		"or name a server of your own with --database-url")
}

func lookUp(name string) (account, bool) {
	u, err := user.Lookup(name)
	if err != nil {
		return account{}, false
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	if uidErr != nil || gidErr != nil || uid == 0 {
		return account{}, false
	}
	return account{uid: uint32(uid), gid: uint32(gid), name: name, switched: true}, true
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

func owner(path string) (uid, gid uint32, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, fmt.Errorf("%s: this system does not report the owner of a file", path)
	}
	return stat.Uid, stat.Gid, nil
}

// command prepares a program of PostgreSQL. It runs as the server's account and
// in dir. It does not get variables of this process that change its behaviour,
// such as PGDATA, PGPORT or the language of messages.
func (a account) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	// HOME must be a folder that the account can enter. The home of root is not.
	cmd.Env = []string{"HOME=" + dir, "LANG=C", "TZ=UTC"}
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	if a.switched {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: a.uid, Gid: a.gid}}
	} else {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	return cmd
}

// ensureDir makes a folder in the data folder that only the server's account can
// enter. A folder that exists, perhaps from a backup, gets the same permissions if
// this program made what it holds.
func (a account) ensureDir(path string) error {
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, os.ErrExist) {
		if err := checkContents(path); err != nil {
			return err
		}
		err = os.Chmod(path, 0o700)
	}
	if err == nil && a.switched {
		err = os.Lchown(path, int(a.uid), int(a.gid))
	}
	if err != nil {
		return fmt.Errorf("make a folder for the server: %w", err)
	}
	return nil
}

// own gives the files of a folder to the server's account: a log of the same day of the
// week, which another account wrote, would keep the server from starting.
func (a account) own(dir string) error {
	if !a.switched {
		return nil
	}
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		err = errors.Join(err, os.Lchown(filepath.Join(dir, entry.Name()), int(a.uid), int(a.gid)))
	}
	if err != nil {
		return fmt.Errorf("give the files of %s to user %s: %w", dir, a.name, err)
	}
	return nil
}

// makePrivateDir makes a folder that only the server's account can enter. It
// refuses an existing folder with another owner or mode: among the temporary
// files, another user may have made it.
func (a account) makePrivateDir(path string) error {
	err := os.Mkdir(path, 0o700)
	switch {
	case err == nil:
		if a.switched {
			if err := os.Lchown(path, int(a.uid), int(a.gid)); err != nil {
				return fmt.Errorf("give %s to user %s: %w", path, a.name, err)
			}
		}
		return nil
	case !errors.Is(err, os.ErrExist):
		return fmt.Errorf("make a folder of the server: %w", err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("open a folder of the server: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || stat.Uid != a.uid || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s exists, but is not a folder that belongs to user %s alone (mode 0700): remove it", path, a.name)
	}
	return nil
}
