package db

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Pipe queues statements on one connection and sends them in one round trip.
// BEGIN and COMMIT may be among them. Each statement sees the changes of those
// before it. After an error, the rest are not run.
type Pipe struct {
	*pgxpool.Conn
	Ctx   context.Context // a pipe lives as long as one call
	Batch pgx.Batch
}

// Queue adds a statement.
func (p *Pipe) Queue(sql string, args ...any) { p.Batch.Queue(sql, args...) }

// Each adds a query; do is called for each row, scanned into targets.
func (p *Pipe) Each(targets []any, do func(), sql string, args ...any) {
	p.Batch.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, targets, func() error {
			do()
			return nil
		})
		return err
	})
}

// Flush runs the queued statements.
func (p *Pipe) Flush() error {
	if p.Batch.Len() == 0 {
		return nil
	}
	batch := p.Batch
	p.Batch = pgx.Batch{}
	return p.SendBatch(p.Ctx, &batch).Close()
}

// Commit runs the queued statements and commits. With check, it commits in a
// second round trip, after the results were checked.
func (p *Pipe) Commit(check bool) error {
	if check {
		if err := p.Flush(); err != nil {
			return err
		}
	}
	p.Queue("COMMIT")
	if err := p.Flush(); err != nil {
		return err
	}
	if p.Conn.Conn().PgConn().TxStatus() != idle {
		return errors.New("the transaction did not end")
	}
	return nil
}

// idle is the status of a connection without an open transaction.
const idle = 'I'

// Rollback rolls back the transaction, if one is open.
func (p *Pipe) Rollback() {
	c := p.Conn.Conn()
	if c.IsClosed() || c.PgConn().TxStatus() == idle {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.Ctx), 5*time.Second)
	defer cancel()
	c.Exec(ctx, "ROLLBACK") // on failure the connection is closed, which ends the transaction
}
