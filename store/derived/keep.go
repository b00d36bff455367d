package derived

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
)

// batch is the number of messages that the backfill reads in one transaction.
const batch = 2000

// KeepUp derives from the texts of before a migration, and sorts what is new into
// the indexes. It is to be run every few seconds: with nothing to do it takes three
// short queries. Several processes may run it at once.
func KeepUp(ctx context.Context, c db.Beginner) error {
	if err := Backfill(ctx, c); err != nil {
		return err
	}
	// Without this, what an import brings would wait for the next vacuum, and a
	// search would read all of it. The more fits into memory, the less often each
	// page of an index is written.
	for _, index := range []string{"sketches_by_band", "message_terms_by_term"} {
		err := pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `SET LOCAL maintenance_work_mem = '512MB';
				SELECT gin_clean_pending_list('`+index+`')`)
			return err
		})
		if db.IsLocked(err) {
			continue // a vacuum is about to do it
		}
		if err != nil {
			return fmt.Errorf("sort new rows into the index %s: %w", index, err)
		}
	}
	return nil
}

// Complete reports whether something was derived from each text, so that the
// indexes hold all of them.
// It returns the latest date of all messages too; the zero time if it is not known.
func Complete(ctx context.Context, s *db.Snapshot) (complete bool, latest time.Time, err error) {
	var date *time.Time
	batch := &pgx.Batch{}
	batch.Queue(`SELECT NOT EXISTS (SELECT FROM text_backfill),
		(SELECT nullif(max(created_date), '-infinity') FROM messages)`).QueryRow(func(row pgx.Row) error {
		return row.Scan(&complete, &date)
	})
	err = s.SendBatch(ctx, batch).Close()
	if date != nil {
		latest = *date
	}
	return complete, latest, err
}

// Backfill derives from the texts of before a migration, in short transactions: it may
// be stopped at any time, and goes on where it was. It returns at once if there are
// none, or if another process does it.
func Backfill(ctx context.Context, c db.Beginner) error {
	for {
		more := false
		if err := db.Retry(ctx, func() error {
			return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) (err error) {
				more, err = backfillBatch(ctx, tx)
				return err
			})
		}); err != nil {
			return fmt.Errorf("derive from the texts of before: %w", err)
		}
		if !more {
			return nil
		}
	}
}

// backfillBatch derives from the next messages. It reports whether there may be more.
//
// A message that already has its rows keeps them: whoever wrote it knew the text as
// it is, while the one that is read here may have changed.
func backfillBatch(ctx context.Context, tx pgx.Tx) (more bool, err error) {
	var tree, message uuid.UUID
	err = tx.QueryRow(ctx, "SELECT after_tree, after_message FROM text_backfill FOR UPDATE SKIP LOCKED").
		Scan(&tree, &message)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	found, err := read(ctx, tx, `SELECT tree_id, message_id, nullif(created_date, '-infinity'), lang, text FROM messages
		WHERE (tree_id, message_id) > ($1, $2) ORDER BY tree_id, message_id LIMIT $3`, tree, message, batch)
	if err != nil {
		return false, err
	}
	if len(found) == 0 {
		_, err := tx.Exec(ctx, "DELETE FROM text_backfill")
		return false, err
	}
	if err := write(ctx, tx, found, keepKnown); err != nil {
		return false, err
	}
	last := found[len(found)-1]
	_, err = tx.Exec(ctx, "UPDATE text_backfill SET after_tree = $1, after_message = $2", last.TreeID, last.MessageID)
	return true, err
}

// DeriveAll derives from the messages of a collection that was just loaded.
func DeriveAll(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `INSERT INTO text_backfill (after_tree, after_message) VALUES ($1, $1)
		ON CONFLICT (only_row) DO UPDATE SET after_tree = $1, after_message = $1`, uuid.Nil); err != nil {
		return fmt.Errorf("derive from texts: %w", err)
	}
	if err := Backfill(ctx, tx); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "ANALYZE sketches (tree_id, message_id), message_terms")
	return err
}
