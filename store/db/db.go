// Package db speaks PostgreSQL: connections and transactions, paged queries, rows
// in and out by binary COPY, and errors of the driver as errors of ours.
package db

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Conn is the pool or a transaction. An action and its audit row commit in one
// transaction.
type Conn interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Beginner is the pool or a transaction, in which a transaction can begin.
type Beginner interface {
	Conn
	Begin(ctx context.Context) (pgx.Tx, error)
}

// InOneSnapshot runs do with two connections that see the same snapshot, or with
// one if no more are free. A non-empty lock statement runs before the snapshot is
// taken. do may write on the first connection.
func InOneSnapshot(ctx context.Context, pool *pgxpool.Pool, lock string, do func(tx pgx.Tx, conns []Conn) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead}
	return pgx.BeginTxFunc(ctx, pool, options, func(tx pgx.Tx) error {
		if lock != "" {
			// What is counted anew waits for all writers.
			for _, sql := range []string{"SET LOCAL lock_timeout = 0", lock} {
				if _, err := tx.Exec(ctx, sql); err != nil {
					return err
				}
			}
		}
		var snapshot string
		if err := tx.QueryRow(ctx, "SELECT pg_export_snapshot()").Scan(&snapshot); err != nil {
			return err
		}
		if pool.Config().MaxConns < 2 {
			return do(tx, []Conn{tx})
		}
		second, err := pool.BeginTx(ctx, options)
		if err != nil {
			return err
		}
		_, err = second.Exec(ctx, "SET TRANSACTION SNAPSHOT '"+snapshot+"'")
		if err == nil {
			err = do(tx, []Conn{tx, second})
		}
		return errors.Join(err, second.Rollback(context.WithoutCancel(ctx)))
	})
}

// InSnapshot runs do in one snapshot of the database, which it cannot change.
func InSnapshot(ctx context.Context, pool *pgxpool.Pool, do func(tx pgx.Tx) error) error {
	return Translate(pgx.BeginTxFunc(ctx, pool,
		pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, do))
}

// SendBatch runs the statements of a batch, if there are any, in one round trip.
func SendBatch(ctx context.Context, tx pgx.Tx, batch *pgx.Batch) error {
	if batch.Len() == 0 {
		return nil
	}
	return tx.SendBatch(ctx, batch).Close()
}
