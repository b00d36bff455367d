//go:build unix

// Package postgres finds, sets up, starts and stops the program's own
// PostgreSQL, so that a clone and one command are enough to run Treewarden.
//
// The data folder holds:
//
//	postgres/       the server's data, made by initdb, owned by the account that the server runs as
//	run/            the server's socket; nothing listens on TCP
//	log/            the server's log, one file for each day of the week
//	start.lock      held by a process while it starts or stops the server
//	users.lock      shared by all processes that use the server
//
// Several processes may use one data folder at the same time. The first one
// starts the server, and the last one stops it. If all of them were killed, the
// next process takes over the server that they left. If the server itself was
// killed, Revive starts it again. The kernel releases both locks when a process
// ends, so nobody has to clean up by hand.
//
// File permissions control the access: the socket's folder belongs to the
// server's account, which can read the data anyway. The program connects as the
// role "treewarden". This role owns its databases and may create others, but is
// no superuser. The superuser is "postgres", on the same socket.
//
// PostgreSQL refuses to run as root, so root starts the server as another user.
// This user may have no way to the data folder, for example below /root or in a
// folder that mktemp made. On Linux root then passes the folder to the server as
// an open file, and the server's path of its data is /proc/self/fd/3/postgres.
package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// MinMajor is the oldest major version of PostgreSQL that the program works with.
const MinMajor = 15

// Names inside the server. The port is only used in the name of the socket.
const (
	programRole     = "treewarden"
	programDatabase = "treewarden"
	superuser       = "postgres"
	socketPort      = "5432"
)

// stopTimeout limits how long Stop waits. A shutdown first writes all changed
// pages to the disk.
const stopTimeout = 2 * time.Minute

// Options tells where the server's data is and how to run the server.
type Options struct {
	// DataDir is the data folder. It is made when it is missing.
	DataDir string
	// BinDir is the folder of the programs postgres and initdb. When it is empty,
	// the program searches for them, and downloads them if there are none.
	BinDir string
	// Log receives messages about the server. Nil means slog.Default().
	Log *slog.Logger
	// Fast is for tests and benchmarks. The server is faster, but a crash of the
	// machine may destroy the data.
	Fast bool
}

// Server is a running PostgreSQL that this process may use until it calls Stop.
type Server struct {
	folder    folder
	options   Options
	log       *slog.Logger
	socketDir string
	users     *fileLock
	owned     bool             // this process started the server, or took it over
	logged    map[string]int64 // the sizes of the logs when this process began to use the server
	child     *child           // nil when another process started the server
	ready     atomic.Bool
	leaving   atomic.Bool // from now on, the end of the server is expected

	stop    sync.Once
	stopErr error
}

// Start makes sure that a server runs on the data folder. If another process of
// this program has started one, Start returns that one.
//
// Errors tell what is wrong with the data folder, the server's programs or the
// disk, and what to do about it. A failed start loses no data.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s, err := join(ctx, o)
	return s, withAdvice(err)
}

// join registers this process as a user of the server.
func join(ctx context.Context, o Options) (*Server, error) {
	f, err := openFolder(o.DataDir)
	if err != nil {
		return nil, err
	}
	startLock, err := lockExclusive(ctx, f.path("start.lock"), o.Log)
	if err != nil {
		return nil, err
	}
	defer startLock.release()

	users, alone, err := joinUsers(f.path("users.lock"))
	if err != nil {
		return nil, err
	}
	s := &Server{folder: f, options: o, log: o.Log, users: users}
	if err := s.findOrLaunch(ctx, o, alone); err != nil {
		users.release()
		return nil, err
	}
	s.logged = f.logSizes()
	return s, nil
}

// findOrLaunch finds the running server, or starts one. The caller holds start.lock.
func (s *Server) findOrLaunch(ctx context.Context, o Options, alone bool) error {
	running, err := s.findRunning(ctx)
	if err != nil {
		return err
	}
	if running {
		err := s.prepareDatabase(ctx)
		if err == nil {
			// No other process uses it, so the one that started it has ended.
			if s.owned = alone; alone {
				s.log.Info("took over the PostgreSQL that a former process left running", "data_dir", s.folder.dir)
			}
			return nil
		}
		// It may be ending right now. If it goes on, another process is responsible.
		if !s.folder.endsSoon(ctx) {
			return err
		}
	}
	if err := s.launch(ctx, o); err != nil {
		return err
	}
	s.owned = true
	if err := s.prepareDatabase(ctx); err != nil {
		return errors.Join(err, s.shutDown())
	}
	return nil
}

// URL is the address of a database on this server. "" means the database of the
// program, which Start has made.
func (s *Server) URL(database string) string {
	return s.address(programRole, cmp.Or(database, programDatabase))
}

func (s *Server) address(role, database string) string {
	// A host that is a path can only stand in the query.
	query := url.Values{"host": {s.socketDir}, "port": {socketPort}, "user": {role}, "sslmode": {"disable"}}
	// Some clients read a plus sign as a space, others do not.
	encoded := strings.ReplaceAll(query.Encode(), "+", "%20")
	return "postgres:///" + url.PathEscape(database) + "?" + encoded
}

// Stop ends the use of the server by this process. It stops the server if no
// other process uses it. A second call does nothing.
func (s *Server) Stop() error {
	s.stop.Do(func() { s.stopErr = s.leave() })
	return s.stopErr
}

func (s *Server) leave() error {
	s.leaving.Store(true)
	defer s.users.release()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	startLock, err := lockExclusive(ctx, s.folder.path("start.lock"), s.log)
	if err != nil {
		return fmt.Errorf("PostgreSQL may still run on %s: %w", s.folder.dir, err)
	}
	defer startLock.release()
	// No process can join while start.lock is held, so the answer stays valid.
	last, err := s.users.tryExclusive()
	if err != nil {
		return fmt.Errorf("PostgreSQL may still run on %s: %w", s.folder.dir, err)
	}
	if !last {
		s.log.Debug("PostgreSQL goes on, others use it", "data_dir", s.folder.dir)
		return nil
	}
	return s.shutDown()
}
