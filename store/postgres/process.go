//go:build unix

package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// poll is how often a starting or stopping server is looked at.
const poll = 5 * time.Millisecond

// askAgain is after how long a server that is to stop is told so once more.
const askAgain = time.Second

// child is a server that this process started.
type child struct {
	pid  int
	done chan struct{} // closed when it has ended
	err  error         // how it ended, valid once done is closed
}

func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// findRunning tells whether this program's server runs already, having waited
// for one that is just starting or stopping. The caller holds start.lock.
func (s *Server) findRunning(ctx context.Context) (bool, error) {
	for {
		pm, ok, err := s.folder.readPostmaster()
		if !ok || err != nil {
			return false, err
		}
		if !s.folder.serves(pm) {
			return false, nil
		}
		// The file is written line by line, the socket before the status.
		if (pm.socketDir != "" || pm.status != "") && !s.folder.isSocketDir(pm.socketDir) {
			return false, fmt.Errorf("the data in %s is held by a PostgreSQL server (process %d) that this program did not start: stop that server, or choose another folder with --data-dir", s.folder.dir, pm.pid)
		}
		if pm.status == "ready" {
			s.socketDir = pm.socketDir
			return true, nil
		}
		if err := pause(ctx); err != nil {
			return false, fmt.Errorf("PostgreSQL (process %d) on %s is %s: %w", pm.pid, s.folder.dir, pm.status, err)
		}
	}
}

// endsSoon waits a second for the server to be gone.
func (f folder) endsSoon(ctx context.Context) bool {
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		pm, ok, err := f.readPostmaster()
		if err == nil && (!ok || !f.serves(pm)) {
			return true
		}
		if pause(ctx) != nil {
			return false
		}
	}
	return false
}

// launch starts a server and waits until it is ready. The caller holds start.lock.
func (s *Server) launch(ctx context.Context, o Options) error {
	f := s.folder
	major, err := f.clusterVersion()
	if err != nil {
		return err
	}
	p, err := f.findPrograms(ctx, o, major)
	if err != nil {
		return err
	}
	if f.door, err = f.openDoor(ctx, p.postgres()); err != nil {
		return err
	}
	defer f.door.Close() // it may be nil
	if major == 0 {
		o.Log.Info("setting up PostgreSQL", "version", p.major, "programs", p.dir, "data_dir", f.dir)
		if err := f.initialise(ctx, p, o.Fast); err != nil {
			return err
		}
	}
	if s.socketDir, err = f.makeSocketDir(); err != nil {
		return err
	}
	if err := f.account.takeDir(f.path("log")); err != nil {
		return err
	}
	if err := f.writeOwned(filepath.Join(f.cluster(), settingsFile), settings(f.serverPath(f.path("log")))); err != nil {
		return fmt.Errorf("write the server's settings: %w", err)
	}
	// Processes of a killed server may take a moment to notice and to leave.
	for deadline := time.Now().Add(15 * time.Second); ; {
		err := s.launchOnce(ctx, f, p, o.Fast)
		if err == nil {
			s.log.Debug("PostgreSQL is ready", "version", p.major, "data_dir", f.dir, "pid", s.child.pid)
			return nil
		}
		if ctx.Err() != nil || !strings.Contains(err.Error(), "still in use") || time.Now().After(deadline) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (s *Server) launchOnce(ctx context.Context, f folder, p programs, fast bool) error {
	if err := f.clearStale(s.socketDir); err != nil {
		return err
	}
	since := f.logSizes()
	// What is said before the server's own log is open.
	early, err := os.OpenFile(f.path("log/start.log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write the server's log: %w", err)
	}
	defer early.Close()
	since[early.Name()] = 0
	if f.account.switched {
		if err := early.Chown(int(f.account.uid), int(f.account.gid)); err != nil {
			return fmt.Errorf("give the server its log: %w", err)
		}
	}

	args := []string{"-D", f.serverPath(f.cluster()), "-c", "listen_addresses=", "-c", "port=" + socketPort, "-c", "cluster_name=treewarden",
		"-c", "unix_socket_permissions=0700", "-c", "unix_socket_directories=" + f.serverPath(s.socketDir)}
	if fast {
		args = append(args, fastArguments...)
	}
	// Without this call's context, and in a session of its own: the server
	// must outlive both, and a Ctrl-C in the terminal is not for it.
	cmd := f.command(context.WithoutCancel(ctx), p.postgres(), args...)
	cmd.SysProcAttr.Setsid = true
	cmd.Stdout, cmd.Stderr = early, early
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	c := &child{pid: cmd.Process.Pid, done: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		close(c.done)
		if s.ready.Load() && !s.leaving.Load() {
			s.log.Error("PostgreSQL ended unexpectedly", "error", c.err, "log", f.path("log"))
		}
	}()
	s.child = c
	if err := s.waitReady(ctx); err != nil {
		if errors.Is(err, errEnded) {
			err = fmt.Errorf("PostgreSQL did not start in %s (%w): %w; its log is in %s", f.dir, c.err, complaints(f.saidSince(since)), f.path("log"))
		}
		return err
	}
	return nil
}

var errEnded = errors.New("the server ended")

// waitReady waits as long as it takes: after a crash the server may have
// minutes of work to repeat.
func (s *Server) waitReady(ctx context.Context) error {
	begun, told := time.Now(), false
	for {
		if s.child.ended() {
			return errEnded
		}
		pm, ok, err := s.folder.readPostmaster()
		if err != nil {
			return errors.Join(err, s.shutDown())
		}
		if ok && pm.pid == s.child.pid && pm.status == "ready" {
			s.ready.Store(true)
			return nil
		}
		if err := pause(ctx); err != nil {
			return errors.Join(fmt.Errorf("PostgreSQL is not ready yet: %w", err), s.shutDown())
		}
		if !told && time.Since(begun) > 3*time.Second {
			told = true
			s.log.Info("PostgreSQL is still starting; after a crash it repeats the last minutes' work", "data_dir", s.folder.dir)
		}
	}
}

// clearStale removes what a dead server left, where PostgreSQL itself would be
// misled because the server's process number belongs to something else now.
func (f folder) clearStale(socketDir string) error {
	pm, ok, err := f.readPostmaster()
	if !ok || err != nil || f.serves(pm) {
		return err
	}
	for _, path := range []string{
		filepath.Join(f.cluster(), "postmaster.pid"),
		filepath.Join(socketDir, ".s.PGSQL."+socketPort+".lock"),
	} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove what a crashed server left: %w", err)
		}
	}
	return nil
}

// shutDown ends the server, whoever started it: sessions are cut, the data is
// written out, and it has left when this returns. The caller holds start.lock.
func (s *Server) shutDown() error {
	s.leaving.Store(true)
	pm, ok, err := s.folder.readPostmaster()
	if err != nil {
		return err
	}
	if !ok || !s.folder.serves(pm) {
		if s.child == nil || s.child.ended() {
			return nil
		}
		pm = postmaster{pid: s.child.pid} // it has not come so far as to write its file
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var asked time.Time
	for s.lives(pm) {
		// A server that has just begun may not listen yet and lose what it is
		// told; one that is leaving minds no second time.
		if time.Since(asked) > askAgain {
			asked = time.Now()
			if err := syscall.Kill(pm.pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("stop PostgreSQL (process %d): %w", pm.pid, err)
			}
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("PostgreSQL (process %d) on %s is still writing its data after %s: it will end by itself, do not kill it", pm.pid, s.folder.dir, stopTimeout)
		}
	}
	if s.socketDir != s.folder.path("run") {
		os.Remove(s.socketDir) // among the temporary files; not there if it never came so far
	}
	return nil
}

// lives says whether a server is still there. Of a child the system tells for
// sure, also before it has turned to its data.
func (s *Server) lives(pm postmaster) bool {
	if s.child != nil && s.child.pid == pm.pid {
		return !s.child.ended()
	}
	return s.folder.serves(pm)
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(poll):
		return nil
	}
}
