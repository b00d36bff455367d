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

// poll is the time between two checks of a server that starts or stops, or of a lock.
const poll = 5 * time.Millisecond

// repeatSignal is the time between two signals to a server that must stop.
const repeatSignal = time.Second

// child is a server that this process started.
type child struct {
	pid  int
	done chan struct{} // closed when the server has ended
	err  error         // the result of Wait; valid after done is closed
}

func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// findRunning reports whether a server of this program runs on the data folder, and
// sets socketDir. It waits while a server starts or stops. The caller holds
// start.lock.
func (s *Server) findRunning(ctx context.Context) (bool, error) {
	for {
		pm, ok, err := s.folder.findServer()
		if !ok || err != nil {
			return false, err
		}
		// PostgreSQL writes the file line by line, the socket before the status.
		if (pm.socketDir != "" || pm.status != "") && !s.folder.isSocketDir(pm.socketDir) {
			return false, fmt.Errorf("a PostgreSQL server (process %d) that this program did not start uses the data in %s: "+
				"stop that server, or choose another folder with --data-dir", pm.pid, s.folder.dir)
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

// endsSoon waits up to a second for the end of the server and reports whether it has
// ended.
func (f folder) endsSoon(ctx context.Context) bool {
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		if _, ok, err := f.findServer(); !ok && err == nil {
			return true
		}
		if pause(ctx) != nil {
			return false
		}
	}
	return false
}

// launch starts a server and waits until it is ready. The caller holds start.lock.
func (s *Server) launch(ctx context.Context) error {
	f, o := s.folder, s.options
	major, err := f.clusterVersion()
	if err != nil {
		return err
	}
	p, err := f.findPrograms(ctx, o, major)
	if err != nil {
		return err
	}
	if f.opened, err = f.openDir(ctx, p.postgres()); err != nil {
		return err
	}
	defer f.opened.Close() // it may be nil
	if major == 0 {
		o.Log.Info("setting up PostgreSQL", "version", p.major, "programs", p.dir, "data_dir", f.dir)
		if err := f.initialise(ctx, p, o.Fast); err != nil {
			return err
		}
	}
	if s.socketDir, err = f.makeSocketDir(); err != nil {
		return err
	}
	if err := f.account.ensureDir(f.path("log")); err != nil {
		return err
	}
	if err := f.account.own(f.path("log")); err != nil {
		return err
	}
	text := settings(f.serverPath(f.path("log")), o.Connections)
	if err := f.writeOwned(filepath.Join(f.cluster(), settingsFile), text); err != nil {
		return fmt.Errorf("write the server's settings: %w", err)
	}
	// After a server was killed, its processes still use its shared memory for a short
	// time, and PostgreSQL refuses to start.
	for deadline := time.Now().Add(15 * time.Second); ; {
		err := s.launchOnce(ctx, f, p, o.Fast)
		if err == nil {
			s.options.Log.Debug("PostgreSQL is ready", "version", p.major, "data_dir", f.dir, "pid", s.child.pid)
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
	// The server writes here until its own log is open.
	early, err := os.OpenFile(f.path("log/start.log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write the server's log: %w", err)
	}
	defer early.Close()
	since[early.Name()] = 0
	if f.account.switched {
		if err := early.Chown(int(f.account.uid), int(f.account.gid)); err != nil {
			return fmt.Errorf("change the owner of the server's log: %w", err)
		}
	}

	args := []string{"-D", f.serverPath(f.cluster()), "-c", "listen_addresses=", "-c", "port=" + socketPort,
		"-c", "cluster_name=treewarden", "-c", "unix_socket_permissions=0700",
		"-c", "unix_socket_directories=" + f.serverPath(s.socketDir)}
	if fast {
		args = append(args, fastArguments...)
	}
	// Neither the end of this context nor Ctrl-C in the terminal may stop the server.
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
			s.options.Log.Error("PostgreSQL ended unexpectedly", "error", c.err, "log", f.path("log"))
		}
	}()
	s.child = c
	if err := s.waitReady(ctx); err != nil {
		if errors.Is(err, errServerEnded) {
			err = fmt.Errorf("PostgreSQL did not start in %s (%w): %w; its log is in %s",
				f.dir, c.err, errorLines(f.logSince(since)), f.path("log"))
		}
		return err
	}
	return nil
}

var errServerEnded = errors.New("the server ended")

// waitReady has no time limit: the recovery after a crash may take minutes.
func (s *Server) waitReady(ctx context.Context) error {
	begun, logged := time.Now(), false
	for {
		if s.child.ended() {
			return errServerEnded
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
		if !logged && time.Since(begun) > 3*time.Second {
			logged = true
			s.options.Log.Info("PostgreSQL is still starting; after a crash it repeats the work of the last minutes",
				"data_dir", s.folder.dir)
		}
	}
}

// clearStale removes the files of a server that has crashed. PostgreSQL would
// refuse to start if another process now has the number in these files.
func (f folder) clearStale(socketDir string) error {
	pm, ok, err := f.readPostmaster()
	if !ok || err != nil || f.isServer(pm) {
		return err
	}
	for _, path := range []string{
		filepath.Join(f.cluster(), "postmaster.pid"),
		filepath.Join(socketDir, ".s.PGSQL."+socketPort+".lock"),
	} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the files of a crashed server: %w", err)
		}
	}
	return nil
}

// shutDown stops the server, also one that another process started, and waits for its
// end. The server closes its sessions and writes its data. The caller holds
// start.lock.
func (s *Server) shutDown() error {
	s.leaving.Store(true)
	pm, ok, err := s.folder.findServer()
	if err != nil {
		return err
	}
	if !ok {
		if s.child == nil || s.child.ended() {
			return nil
		}
		pm = postmaster{pid: s.child.pid} // it has not written its file yet
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var signalled time.Time
	for s.isAlive(pm) {
		// A server that has just started may ignore the signal, so this loop repeats it.
		// A server that is stopping ignores a second one.
		if time.Since(signalled) > repeatSignal {
			signalled = time.Now()
			if err := syscall.Kill(pm.pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("stop PostgreSQL (process %d): %w", pm.pid, err)
			}
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("PostgreSQL (process %d) on %s is still writing its data after %s: "+
				"it will end by itself, do not kill it", pm.pid, s.folder.dir, stopTimeout)
		}
	}
	if s.socketDir != s.folder.path("run") {
		_ = os.Remove(s.socketDir) // a temporary folder; it may not exist
	}
	return nil
}

// isAlive reports whether a server still runs. It knows the end of a child from Wait,
// also before the child has opened its data.
func (s *Server) isAlive(pm postmaster) bool {
	if s.child != nil && s.child.pid == pm.pid {
		return !s.child.ended()
	}
	return s.folder.isServer(pm)
}

// pause waits for one poll, or returns the error of the context.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(poll):
		return nil
	}
}
