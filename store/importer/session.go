package importer

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// advisoryLock is the advisory lock that one import at a time holds.
const advisoryLock = 0x7472656569 // "treei"

// open opens the import's connection, which holds the lock and temporary tables.
func (im *run) open(ctx context.Context) error {
	config := im.into.Connection
	// Tables grow by orders of magnitude during an import, so that no statement
	// may keep a plan that was made for empty ones. (The server's plan_cache_mode
	// would also apply to foreign keys, row by row.)
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	var err error
	if im.conn, err = pgx.ConnectConfig(ctx, config); err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	if err := im.prepare(ctx); err != nil {
		im.close()
		return err
	}
	return nil
}

func (im *run) prepare(ctx context.Context) error {
	for _, sql := range []string{
		`SET lock_timeout = 0`,
		`SET statement_timeout = 0`,
		`SET idle_in_transaction_session_timeout = 0`,
	} {
		if _, err := im.conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("prepare the session: %w", err)
		}
	}
	if err := im.prepareVersions(ctx); err != nil {
		return err
	}
	if im.o.DryRun {
		return im.shadow(ctx)
	}
	if err := im.lock(ctx); err != nil {
		return err
	}
	err := im.conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM import_orphans)`).Scan(&im.orphans)
	if err != nil {
		return fmt.Errorf("look for messages that wait for their parent: %w", err)
	}
	if _, err := im.conn.Exec(ctx, seenTable); err != nil {
		return fmt.Errorf("make the import's temporary tables: %w", err)
	}
	return nil
}

// lock waits until no other import runs. The session of a killed import ends
// within moments; longer waits are logged.
func (im *run) lock(ctx context.Context) error {
	for range 20 {
		var free bool
		if err := im.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, advisoryLock).Scan(&free); err != nil {
			return fmt.Errorf("take the import's lock: %w", err)
		}
		if free {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	im.o.Log.Warn("another import is running; waiting until it has ended")
	if _, err := im.conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, advisoryLock); err != nil {
		return fmt.Errorf("wait for another import: %w", err)
	}
	return nil
}

// close ends the session, and with it the lock and the temporary tables.
func (im *run) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := im.conn.Close(ctx); err != nil {
		im.o.Log.Warn("the import's connection did not close cleanly", "error", err)
	}
}
