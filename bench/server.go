package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"treewarden/store/postgres"
)

// bulk is the amount of log between two checkpoints of the server. With less,
// loading consists mostly of checkpoints. All other settings are the program's.
const bulk = "16GB"

// startServer starts a PostgreSQL in a folder, or uses the one that an earlier
// run started there. It returns the address of the database.
func startServer(ctx context.Context, dir string) (*postgres.Server, string, error) {
	server, err := postgres.Start(ctx, postgres.Options{DataDir: dir, BinDir: os.Getenv("TREEWARDEN_POSTGRES_BIN")})
	if err != nil {
		return nil, "", fmt.Errorf("start PostgreSQL: %w", err)
	}
	address := server.URL("")
	if err := asSuperuser(ctx, address, "ALTER SYSTEM SET max_wal_size = '"+bulk+"'",
		"SELECT pg_reload_conf()"); err != nil {
		return nil, "", fmt.Errorf("set up PostgreSQL: %w", err)
	}
	return server, address, nil
}

// asSuperuser runs statements as the role that owns the server. The program
// itself never uses this role.
func asSuperuser(ctx context.Context, address string, statements ...string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	query := u.Query()
	query.Set("user", "postgres")
	u.RawQuery = query.Encode()
	conn, err := pgx.Connect(ctx, u.String())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// stopwatch logs the times of the steps of loading.
type stopwatch struct {
	log  func(format string, args ...any)
	last time.Time
}

func (w *stopwatch) lap(format string, args ...any) {
	w.log("%8.1f s  %s", time.Since(w.last).Seconds(), fmt.Sprintf(format, args...))
	w.last = time.Now()
}
