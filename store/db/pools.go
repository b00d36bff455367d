package db

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// LockWait is how long a statement waits for a lock, and a change for a connection.
// A preview waits for its turn, a connection and a lock within the ten seconds of a
// request. A big ban holds its locks for about two seconds.
const LockWait = 3 * time.Second

// MinConnections is the least number of connections of a program.
const MinConnections = 5

// Extra is the number of connections that a program opens beside its pools: one that
// listens, one that checks the schema, and one for an import.
const Extra = 3

// ErrBusy means that a change waited for others as long as it may. It was not done.
var ErrBusy = errors.New("others are changing the same objects, or too much is being changed at once; nothing was " +
	"done, try again in a moment")

// errTooFew is the error of a number of connections below the least.
var errTooFew = fmt.Errorf("the program needs at least %d connections to the database; give more with "+
	"--database-connections (TREEWARDEN_DATABASE_CONNECTIONS)", MinConnections)

// Pools are the connections to a database. Each kind of work has its own, so that
// changes that wait for each other leave connections to pages.
type Pools struct {
	// Reads is for pages, sign-in and all that is short.
	Reads *pgxpool.Pool
	// Acts is for the actions of people, their previews and jobs.
	Acts *pgxpool.Pool
	// Lines is for the ingest of front ends.
	Lines *pgxpool.Pool
	// Searches is for looking through the texts of messages.
	Searches *pgxpool.Pool

	previews chan struct{} // held by previews
}

// DefaultConnections returns the number of connections if none is configured.
func DefaultConnections() int { return min(max(20, 4*runtime.NumCPU()), 60) }

// OpenPools opens the pools of a database, with a number of connections in all: a
// quarter for actions, a quarter for lines, a tenth for searches, the rest for reads.
// With 0 the number is that of
// the URL (pool_max_conns), or else the default.
func OpenPools(ctx context.Context, url string, connections int) (*Pools, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("the database URL cannot be read: %w", err)
	}
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	config.ConnConfig.RuntimeParams["application_name"] = "treewarden"
	config.MinConns, config.MinIdleConns = 0, 0
	// A connection that is opened with a parameter would not pass every pooler.
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, fmt.Sprintf("SET lock_timeout = %d", LockWait.Milliseconds()))
		return err
	}
	if connections == 0 {
		if plain, err := pgx.ParseConfig(url); err == nil && plain.RuntimeParams["pool_max_conns"] != "" {
			connections = max(MinConnections, int(config.MaxConns))
		}
	}
	given := connections != 0
	if given && connections < MinConnections {
		return nil, errTooFew
	}
	if !given {
		if connections, err = fit(ctx, config.ConnConfig.Copy()); err != nil {
			return nil, err
		}
	}
	p := &Pools{}
	acts := connections / 4
	lines := connections / 4
	searches := max(1, connections/10)
	for _, share := range []struct {
		pool **pgxpool.Pool
		size int
	}{
		{&p.Reads, connections - acts - lines - searches}, {&p.Acts, acts}, {&p.Lines, lines}, {&p.Searches, searches},
	} {
		c := config.Copy()
		c.MaxConns = int32(share.size) //nolint:gosec // a number of connections
		if *share.pool, err = pgxpool.NewWithConfig(ctx, c); err != nil {
			p.Close()
			return nil, fmt.Errorf("open the database: %w", err)
		}
	}
	p.previews = make(chan struct{}, max(1, acts/2))
	if given {
		if err := check(ctx, p.Reads, connections); err != nil {
			p.Close()
			return nil, err
		}
	}
	return p, nil
}

// fit returns the default number of connections: at most half of what the server allows.
func fit(ctx context.Context, config *pgx.ConnConfig) (int, error) {
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return 0, fmt.Errorf("the database does not answer; check --database-url: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	most, err := allowed(ctx, c)
	return max(MinConnections, min(DefaultConnections(), most/2)), err
}

// check returns an error if the server does not allow a number of connections.
func check(ctx context.Context, pool *pgxpool.Pool, connections int) error {
	most, err := allowed(ctx, pool)
	if err != nil {
		return err
	}
	if connections+Extra > most {
		return fmt.Errorf("the program would open %d connections, and the database server allows %d in all; give fewer "+
			"with --database-connections (TREEWARDEN_DATABASE_CONNECTIONS), or raise max_connections of the server",
			connections+Extra, most)
	}
	return nil
}

// allowed returns the number of connections that the server allows.
func allowed(ctx context.Context, q Conn) (most int, err error) {
	if err := q.QueryRow(ctx, `SELECT current_setting('max_connections')::int -
		current_setting('superuser_reserved_connections')::int`).Scan(&most); err != nil {
		return 0, fmt.Errorf("the database does not answer; check --database-url: %w", err)
	}
	return most, nil
}

// Close closes all connections.
func (p *Pools) Close() {
	for _, pool := range []*pgxpool.Pool{p.Reads, p.Acts, p.Lines, p.Searches} {
		if pool != nil {
			pool.Close()
		}
	}
}

// Act returns a connection for an action or a preview, and the function that gives it
// back. Previews leave some connections to actions.
func (p *Pools) Act(ctx context.Context, preview bool) (c *pgxpool.Conn, release func(), err error) {
	leave := func() {}
	if preview {
		wait := time.NewTimer(LockWait)
		defer wait.Stop()
		select {
		case p.previews <- struct{}{}:
			leave = func() { <-p.previews }
		case <-wait.C:
			return nil, nil, ErrBusy
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
	c, err = Acquire(ctx, p.Acts)
	if err != nil {
		leave()
		return nil, nil, err
	}
	return c, func() {
		c.Release() // closes the connection if a transaction is still open
		leave()
	}, nil
}

// Acquire returns a connection of a pool. If all are taken for LockWait, it returns
// ErrBusy.
func Acquire(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, LockWait)
	defer cancel()
	c, err := pool.Acquire(limited)
	if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return c, err
	}
	// One that is free by now shows that the server answers.
	if pool.Stat().ConstructingConns() > 0 {
		return nil, errors.Join(ErrUnavailable, err) // no connection comes about
	}
	return nil, ErrBusy
}
