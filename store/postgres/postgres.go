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
// starts the server, and the last one stops it. If all of them were killed and the
// server still runs, the next process uses it and stops it at the end. If the server
// itself was killed, Revive starts it again. The kernel releases both locks when a
// process ends, so they need no cleanup.
//
// File permissions control the access: the socket's folder belongs to the
// server's account, which can read the data anyway. The program connects as the
// role "treewarden". This role owns its databases and may create others, but is
// no superuser. The superuser is "postgres", on the same socket.
//
// PostgreSQL refuses to run as root, so root starts the server as another user.
// This user may have no access to the data folder, for example below /root or in a
// folder that mktemp made. On Linux root then passes the folder to the server as an
// open file, and the server uses the path /proc/self/fd/3/postgres for its data.
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

// minMajor is the oldest major version of PostgreSQL that the program works with.
const minMajor = 15

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

// Options are the folders of the server and the way to run it.
type Options struct {
	// DataDir is the data folder. It is made when it is missing.
	DataDir string
	// BinDir is the folder of the programs postgres and initdb. When it is empty,
	// the program searches for them, and downloads them if there are none.
	BinDir string
	// Log receives messages about the server. Nil means slog.Default().
	Log *slog.Logger
	// Connections is the number of connections that one process opens, 0 if that is not
	// configured. The server allows more, for other commands and instances.
	Connections int
	// Fast is for tests and benchmarks. The server is faster, but a crash of the
	// machine may destroy the data.
	Fast bool
}

// Server is a running PostgreSQL that this process may use until it calls Stop.
type Server struct {
	folder    folder
	options   Options // Log is set
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
// An error names the problem with the data folder, the server's programs or the
// disk, and a remedy. A failed start loses no data.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s, err := join(ctx, o)
	return s, withAdvice(err, "")
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
	s := &Server{folder: f, options: o, users: users}
	if err := s.findOrLaunch(ctx, alone); err != nil {
		users.release()
		return nil, err
	}
	s.logged = f.logSizes()
	return s, nil
}

// findOrLaunch finds the running server, or starts one. With alone no other process
// uses the server. The caller holds start.lock.
func (s *Server) findOrLaunch(ctx context.Context, alone bool) error {
	running, err := s.findRunning(ctx)
	if err != nil {
		return err
	}
	if running {
		err := s.prepareDatabase(ctx)
		if err == nil {
			// Alone means that the process that started the server has ended.
			if s.owned = alone; alone {
				s.options.Log.Info("using the PostgreSQL that an earlier process left running", "data_dir", s.folder.dir)
			}
			return nil
		}
		// The server may be stopping. If it keeps running, this process must not start
		// another one.
		if !s.folder.endsSoon(ctx) {
			return err
		}
	}
	if err := s.launch(ctx); err != nil {
		return err
	}
	s.owned = true
	if err := s.prepareDatabase(ctx); err != nil {
		return errors.Join(err, s.shutDown())
	}
	return nil
}

// URL returns the address of a database on this server, as a postgres URL. "" means
// the database of the program, which Start has made.
func (s *Server) URL(database string) string {
	return s.address(programRole, cmp.Or(database, programDatabase))
}

func (s *Server) address(role, database string) string {
	// A path is not valid as the host of a URL, only as a parameter.
	query := url.Values{"host": {s.socketDir}, "port": {socketPort}, "user": {role}, "sslmode": {"disable"}}
	// Only some clients read a plus sign as a space.
	encoded := strings.ReplaceAll(query.Encode(), "+", "%20")
	return "postgres:///" + url.PathEscape(database) + "?" + encoded
}

// Stop ends the use of the server by this process. It stops the server if no other
// process uses it, which may take 2 minutes. A second call returns the same error.
func (s *Server) Stop() error {
	s.stop.Do(func() { s.stopErr = s.leave() })
	return s.stopErr
}

func (s *Server) leave() error {
	s.leaving.Store(true)
	defer s.users.release()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	startLock, err := lockExclusive(ctx, s.folder.path("start.lock"), s.options.Log)
	if err != nil {
		return fmt.Errorf("PostgreSQL may still run on %s: %w", s.folder.dir, err)
	}
	defer startLock.release()
	// No process can join while this one holds start.lock, so last stays valid.
	last, err := s.users.tryExclusive()
	if err != nil {
		return fmt.Errorf("PostgreSQL may still run on %s: %w", s.folder.dir, err)
	}
	if !last {
		s.options.Log.Debug("PostgreSQL keeps running, because other processes use it", "data_dir", s.folder.dir)
		return nil
	}
	return s.shutDown()
}
