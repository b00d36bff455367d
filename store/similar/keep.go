package similar

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
)

// batch is the number of messages that the backfill sketches in one transaction.
const batch = 2000

// Beginner is the pool or a transaction.
type Beginner interface {
	db.Conn
	Begin(ctx context.Context) (pgx.Tx, error)
}

// KeepUp sketches the messages from before there were sketches, and sorts new
// sketches into their index. It is to be run every few seconds: with nothing to
// do it takes two short queries. Several processes may run it at once.
func KeepUp(ctx context.Context, c Beginner) error {
	if err := Backfill(ctx, c); err != nil {
		return err
	}
	// Without this, the sketches of an import would wait for the next vacuum, and
	// a search would read all of them. The more of them fit into memory, the less
	// often each page of the index is written.
	err := pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SET LOCAL maintenance_work_mem = '512MB';
			SELECT gin_clean_pending_list('sketches_by_band')`)
		return err
	})
	if err != nil {
		return fmt.Errorf("sort sketches into their index: %w", err)
	}
	return nil
}

// Backfill sketches the messages from before there were sketches, in short
// transactions: it may be stopped at any time, and goes on where it was. It
// returns at once if there are none, or if another process does it.
func Backfill(ctx context.Context, c Beginner) error {
	for {
		more := false
		if err := db.Retry(ctx, func() error {
			return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) (err error) {
				more, err = backfillBatch(ctx, tx)
				return err
			})
		}); err != nil {
			return fmt.Errorf("sketch the messages from before: %w", err)
		}
		if !more {
			return nil
		}
	}
}

// backfillBatch sketches the next messages. It reports whether there may be more.
//
// A message that already has a sketch keeps it: whoever wrote it knew the text as
// it is, while the one that is read here may have changed.
func backfillBatch(ctx context.Context, tx pgx.Tx) (more bool, err error) {
	var tree, message uuid.UUID
	err = tx.QueryRow(ctx, "SELECT after_tree, after_message FROM sketch_backfill FOR UPDATE SKIP LOCKED").
		Scan(&tree, &message)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	found, err := read(ctx, tx, `SELECT tree_id, message_id, text FROM messages
		WHERE (tree_id, message_id) > ($1, $2) ORDER BY tree_id, message_id LIMIT $3`, tree, message, batch)
	if err != nil {
		return false, err
	}
	if len(found) == 0 {
		_, err := tx.Exec(ctx, "DELETE FROM sketch_backfill")
		return false, err
	}
	if _, err := write(ctx, tx, found, "NOTHING"); err != nil {
		return false, err
	}
	last := found[len(found)-1]
	_, err = tx.Exec(ctx, "UPDATE sketch_backfill SET after_tree = $1, after_message = $2", last.TreeID, last.MessageID)
	return true, err
}

// SketchAll sketches the messages of a collection that was just loaded.
func SketchAll(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `INSERT INTO sketch_backfill (after_tree, after_message) VALUES ($1, $1)
		ON CONFLICT (only_row) DO UPDATE SET after_tree = $1, after_message = $1`, uuid.Nil); err != nil {
		return fmt.Errorf("sketch texts: %w", err)
	}
	if err := Backfill(ctx, tx); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "ANALYZE sketches (tree_id, message_id)")
	return err
}
