//go:build unix

// Package postgres finds, sets up, starts and stops the program's own
// PostgreSQL, so that a clone and one command are enough to run Treewarden.
//
// The data folder holds:
//
//	postgres/       the server's data, made by initdb, owned by the account that the server runs as
//	run/            the server's socket; nothing listens on TCP
//	log/            the server's log, one file for each day of the week
//	start.lock      held while somebody decides whether to start or to stop the server
//	users.lock      shared by every process that uses the server
//
// Several processes may use one data folder at a time. Whoever comes first
// starts the server, whoever leaves last stops it, and a server that outlived a
// killed process is taken over by the next one. A server that was killed itself
// is started again by whoever calls Revive. Both locks are released by the
// kernel when their holder dies, so nothing is ever left to be cleaned by hand.
//
// Access is by file permission: the socket's folder belongs to the server's
// account alone, and whoever can open it could read the data anyway. The
// program connects as the role "treewarden", which owns its databases and may
// create others but is no superuser; the superuser is "postgres", on the same
// socket.
//
// PostgreSQL does not run as root, so root's server runs as somebody else, who
// may not be let through to the data folder: below /root, or in what mktemp
// makes. On Linux root then hands it the folder as an open file, and the server
// knows its data as /proc/self/fd/3/postgres.
package postgres

import (
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

// Names inside the server. The port is only a part of the socket's file name.
const (
	programRole     = "treewarden"
	programDatabase = "treewarden"
	superuser       = "postgres"
	socketPort      = "5432"
)

// stopTimeout bounds the waits of Stop: a shutdown writes out all dirty pages first.
const stopTimeout = 2 * time.Minute

// Options says where the server's data is and how to run it.
type Options struct {
	// DataDir is the data folder, made when missing. A relative path is
	// relative to the working directory.
	DataDir string
	// BinDir is the folder that holds the programs postgres and initdb. When it
	// is empty they are searched for, and downloaded as the last resort.
	BinDir string
	// Log receives what happens to the server; nil means slog.Default().
	Log *slog.Logger
	// Fast gives up durability for speed. A crash of the machine may lose the
	// whole data folder: for tests and benchmarks only.
	Fast bool
}

// Server is a running PostgreSQL that this process may use until it calls Stop.
type Server struct {
	folder    folder
	options   Options
	log       *slog.Logger
	socketDir string
	users     *fileLock
	owned     bool
	logged    map[string]int64 // the sizes of the logs when the server was joined
	child     *child           // nil when another process started the server
	ready     atomic.Bool
	leaving   atomic.Bool // from here on the server's end is no surprise

	stop    sync.Once
	stopErr error
}

// Start makes sure that a server runs on the data folder and returns how to
// reach it. When another process of this program already runs it, that one is
// used and left running by Stop for as long as anybody uses it.
//
// The errors say what is wrong with the data folder, the server's programs or
// the disk, and what to do about it; nothing in the data folder is lost by a
// failed start.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s, err := join(ctx, o)
	return s, withAdvice(err)
}

// join takes this process's share of the server.
func join(ctx context.Context, o Options) (*Server, error) {
	f, err := openFolder(o.DataDir)
	if err != nil {
		return nil, err
	}
	deciding, err := lockExclusive(ctx, f.path("start.lock"), o.Log)
	if err != nil {
		return nil, err
	}
	defer deciding.release()

	users, alone, err := joinUsers(f.path("users.lock"))
	if err != nil {
		return nil, err
	}
	s := &Server{folder: f, options: o, log: o.Log, users: users}
	if err := s.bringUp(ctx, o, alone); err != nil {
		users.release()
		return nil, err
	}
	s.logged = f.logSizes()
	return s, nil
}

// bringUp finds the running server or starts one. The caller holds start.lock.
func (s *Server) bringUp(ctx context.Context, o Options, alone bool) error {
	running, err := s.findRunning(ctx)
	if err != nil {
		return err
	}
	if running {
		err := s.prepareDatabases(ctx)
		if err == nil {
			// Nobody else uses it, so whoever started it is dead.
			if s.owned = alone; alone {
				s.log.Info("took over the PostgreSQL that a former process left running", "data_dir", s.folder.dir)
			}
			return nil
		}
		// It may have been dying just then; if it lives, it is not ours to restart.
		if !s.folder.endsSoon(ctx) {
			return err
		}
	}
	if err := s.launch(ctx, o); err != nil {
		return err
	}
	s.owned = true
	if err := s.prepareDatabases(ctx); err != nil {
		return errors.Join(err, s.shutDown())
	}
	return nil
}

// Owned says whether this process started the server, or took it over from one
// that died.
func (s *Server) Owned() bool { return s.owned }

// URL is the address of a database in this server; "" means "treewarden". The
// database is created when missing. Should that fail the reason is logged, and
// connecting to the address tells that the database does not exist.
func (s *Server) URL(database string) string {
	if database == "" || database == programDatabase {
		return s.address(programRole, programDatabase) // made by Start
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.createDatabase(ctx, database); err != nil {
		s.log.Error("cannot create the database", "database", database, "error", err)
	}
	return s.address(programRole, database)
}

func (s *Server) address(role, database string) string {
	// All in the query, because a host that is a path has no place before it.
	query := url.Values{"host": {s.socketDir}, "port": {socketPort}, "user": {role}, "sslmode": {"disable"}}
	// A plus sign is a space to some readers and a plus sign to others.
	encoded := strings.ReplaceAll(query.Encode(), "+", "%20")
	return "postgres:///" + url.PathEscape(database) + "?" + encoded
}

// Stop ends this process's use of the server. The last one out stops it; when
// others still use it, it goes on. Calling Stop again does nothing.
func (s *Server) Stop() error {
	s.stop.Do(func() { s.stopErr = s.leave() })
	return s.stopErr
}

func (s *Server) leave() error {
	s.leaving.Store(true)
	defer s.users.release()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	deciding, err := lockExclusive(ctx, s.folder.path("start.lock"), s.log)
	if err != nil {
		return fmt.Errorf("PostgreSQL may still run on %s: %w", s.folder.dir, err)
	}
	defer deciding.release()
	// Nobody can join while start.lock is held, so the answer stays true.
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
