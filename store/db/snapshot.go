package db

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Snapshot is a transaction that reads one snapshot of the database, on a connection that it
// has for itself. Its BEGIN goes with its first batch, and needs no round trip of its own.
type Snapshot struct {
	conn   *pgxpool.Conn
	before []string // statements to run before the next one
}

// Read runs do in a snapshot.
func Read(ctx context.Context, pool *pgxpool.Pool, do func(s *Snapshot) error) error {
	c, err := Acquire(ctx, pool)
	if err != nil {
		return Translate(err)
	}
	ended := false
	defer func() {
		if !ended {
			c.Release() // closes the connection if the transaction did not end
		}
	}()
	s := &Snapshot{conn: c, before: []string{"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}}
	if err := do(s); err != nil {
		return Translate(err)
	}
	// Nothing was written, so that nobody has to wait for the end.
	ended = true
	go func() {
		defer c.Release()
		if c.Conn().PgConn().TxStatus() != idle {
			_, _ = c.Exec(context.WithoutCancel(ctx), "COMMIT")
		}
	}()
	return nil
}

// Before adds a statement without results that runs before the next one, if there is one.
func (s *Snapshot) Before(sql string) { s.before = append(s.before, sql) }

// SendBatch sends a batch, as pgx does.
func (s *Snapshot) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	all := &pgx.Batch{}
	for _, sql := range s.before {
		all.Queue(sql)
	}
	n := len(s.before)
	s.before = nil
	all.QueuedQueries = slices.Concat(all.QueuedQueries, batch.QueuedQueries)
	results := s.conn.SendBatch(ctx, all)
	for range n {
		if _, err := results.Exec(); err != nil {
			break // the others have the same error
		}
	}
	return results
}

// flush runs the statements that are to run before the next one.
func (s *Snapshot) flush(ctx context.Context) error {
	if len(s.before) == 0 {
		return nil
	}
	sql := strings.Join(s.before, "; ")
	s.before = nil
	_, err := s.conn.Exec(ctx, sql)
	return err
}

// Exec implements Conn.
func (s *Snapshot) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if err := s.flush(ctx); err != nil {
		return pgconn.CommandTag{}, err
	}
	return s.conn.Exec(ctx, sql, args...)
}

// Query implements Conn.
func (s *Snapshot) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	return s.conn.Query(ctx, sql, args...)
}

// QueryRow implements Conn.
func (s *Snapshot) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if err := s.flush(ctx); err != nil {
		return failed{err}
	}
	return s.conn.QueryRow(ctx, sql, args...)
}

// failed is a row that could not be read.
type failed struct{ err error }

func (f failed) Scan(...any) error { return f.err }
