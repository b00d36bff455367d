//go:build unix

package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// fileLock is an advisory lock on a file (flock). The kernel releases it when the
// process ends. The server does not inherit it.
type fileLock struct{ file *os.File }

// lockExclusive waits for the lock. Its holder starts or stops a server. That
// takes seconds, or longer when PostgreSQL recovers from a crash.
func lockExclusive(ctx context.Context, path string, log *slog.Logger) (*fileLock, error) {
	l, err := openLock(path)
	if err != nil {
		return nil, err
	}
	// A blocking flock cannot be cancelled, so this loop tries repeatedly.
	for begun, logged := time.Now(), false; ; {
		ok, err := l.tryExclusive()
		if ok {
			return l, nil
		}
		if err != nil {
			l.release()
			return nil, err
		}
		if err := pause(ctx); err != nil {
			l.release()
			return nil, fmt.Errorf("another process is starting or stopping PostgreSQL (it holds %s): %w", path, err)
		}
		if !logged && time.Since(begun) > 3*time.Second {
			logged = true
			log.Info("waiting for another process that starts or stops PostgreSQL", "lock", path)
		}
	}
}

// joinUsers takes a shared lock and reports whether no other process had one. The
// caller holds start.lock, so no process joins or leaves meanwhile.
func joinUsers(path string) (l *fileLock, alone bool, err error) {
	if l, err = openLock(path); err != nil {
		return nil, false, err
	}
	if alone, err = l.tryExclusive(); err == nil {
		err = l.flock(syscall.LOCK_SH | syscall.LOCK_NB)
	}
	if err != nil {
		l.release()
		return nil, false, err
	}
	return l, alone, nil
}

func openLock(path string) (*fileLock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the data folder's lock: %w; "+
			"check the owner of the folder, or choose another with --data-dir", err)
	}
	// A lock that root makes in a user's folder must be open to that user.
	if os.Geteuid() == 0 {
		if uid, gid, err := owner(filepath.Dir(path)); err == nil && uid != 0 {
			if err := file.Chown(int(uid), int(gid)); err != nil {
				file.Close()
				return nil, fmt.Errorf("change the owner of the data folder's lock: %w", err)
			}
		}
	}
	return &fileLock{file: file}, nil
}

// tryExclusive takes the exclusive lock. It returns false at once when another
// process has the lock, exclusive or shared.
func (l *fileLock) tryExclusive() (bool, error) {
	err := l.flock(syscall.LOCK_EX | syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

func (l *fileLock) flock(how int) error {
	for {
		switch err := syscall.Flock(int(l.file.Fd()), how); {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return err
		default:
			return fmt.Errorf("lock %s: %w (the data folder needs a file system with locks; "+
				"choose another with --data-dir)", l.file.Name(), err)
		}
	}
}

// release unlocks explicitly. Closing alone is not enough: a process that is
// being forked may hold a copy of the descriptor, and with it the lock.
func (l *fileLock) release() {
	_ = syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN) // if it fails, closing still unlocks
	l.file.Close()
}
