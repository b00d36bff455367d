//go:build unix

package storetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/store/postgres"
)

// server is what this process's tests share.
var server struct {
	sync.Mutex
	users    int  // tests that run now, Main, and databases that are dropped
	kept     bool // Main runs, and waits for dropping
	dropping sync.WaitGroup
	dropped  error
	admin    *pgxpool.Pool
	adminURL string
	own      *postgres.Server // nil on a server of the person's own
	template string
}

// open starts the server, or reaches the given one, and makes sure of the template.
func open(ctx context.Context) error {
	server.adminURL = os.Getenv("TREEWARDEN_TEST_DATABASE_URL")
	if server.adminURL == "" {
		dir, err := dataDir(ctx)
		if err != nil {
			return err
		}
		server.own, err = postgres.Start(ctx, postgres.Options{
			DataDir: dir,
			BinDir:  os.Getenv("TREEWARDEN_POSTGRES_BIN"),
			Log:     slog.New(slog.DiscardHandler),
			Fast:    true,
			// Tests that run at once have stores of their own, and so have those of
			// several packages.
			Connections: 250,
		})
		if err != nil {
			return fmt.Errorf("start the tests' PostgreSQL: %w (the tests' data in %s may be removed at any time)", err, dir)
		}
		server.adminURL = server.own.URL("postgres")
		if err := limitLog(ctx); err != nil {
			return err
		}
	}
	config, err := pgxpool.ParseConfig(server.adminURL)
	if err != nil {
		return fmt.Errorf("read TREEWARDEN_TEST_DATABASE_URL: %w", err)
	}
	config.MaxConns = 8 // dropping waits for connections to end; making databases keeps the server busy, not us
	if server.admin, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return fmt.Errorf("reach the tests' PostgreSQL: %w", err)
	}
	return ensureTemplate(ctx)
}

// limitLog keeps the write-ahead log small, which would take gigabytes of what
// may be memory, and keep them after the tests.
func limitLog(ctx context.Context) error {
	u, err := url.Parse(server.adminURL)
	if err != nil {
		return err
	}
	query := u.Query()
	query.Set("user", "postgres") // the superuser
	conn, err := pgx.Connect(ctx, "postgres:///postgres?"+strings.ReplaceAll(query.Encode(), "+", "%20"))
	if err != nil {
		return fmt.Errorf("reach the tests' PostgreSQL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var limited bool
	if err := conn.QueryRow(ctx, `SELECT current_setting('max_wal_size') = '256MB'`).Scan(&limited); err != nil ||
		limited {
		return err
	}
	for _, sql := range []string{`ALTER SYSTEM SET max_wal_size = '256MB'`, `ALTER SYSTEM SET min_wal_size = '64MB'`,
		`SELECT pg_reload_conf()`} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("set up the tests' PostgreSQL: %w", err)
		}
	}
	return nil
}

func shut() error {
	if server.admin != nil {
		server.admin.Close()
		server.admin = nil
	}
	if server.own != nil {
		err := server.own.Stop()
		server.own = nil
		return err
	}
	return nil
}

// dataDir names the shared data by user and version, because neither may use
// what the other made.
func dataDir(ctx context.Context) (string, error) {
	major, err := postgres.Version(ctx, os.Getenv("TREEWARDEN_POSTGRES_BIN"))
	if err != nil {
		return "", err
	}
	dir := filepath.Join(scratch(), fmt.Sprintf("treewarden-test-%d-pg%d", os.Getuid(), major))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("make the folder of the tests' PostgreSQL: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("open the folder of the tests' PostgreSQL: %w", err)
	}
	// The name can be guessed, and a stranger's folder is no place for our server.
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(stat.Uid) != os.Getuid() {
		return "", fmt.Errorf("%s is not a folder of this user's: remove it, or set TMPDIR to another place", dir)
	}
	return dir, nil
}

// scratch is TMPDIR where that is set, else a file system in memory that has
// room: a database takes 17 ms to make there against 200 ms on a disk.
func scratch() string {
	const memory, room = "/dev/shm", 4 << 30
	var stat syscall.Statfs_t
	if os.Getenv("TMPDIR") == "" && syscall.Statfs(memory, &stat) == nil &&
		uint64(stat.Bavail)*uint64(stat.Bsize) >= room {
		return memory
	}
	return os.TempDir()
}
