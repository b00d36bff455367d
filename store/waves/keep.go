package waves

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
)

// The work of one call of KeepUp: messages of a transaction, and transactions.
const (
	batch   = 200
	batches = 50
)

// KeepUp compares the messages that are new or edited with those before them, and
// keeps the waves. It is to be run every few seconds. It compares up to 10,000
// messages in short transactions, and reports whether more may be left. It may be
// stopped at any time: the next call goes on where it was. Several processes may
// run it at once: one of them works, the others return.
//
// Messages of a transaction that goes on are left for later, and so are those that
// were committed after the oldest such transaction began.
func KeepUp(ctx context.Context, c db.Beginner) (more bool, err error) {
	for range batches {
		if err := db.Retry(ctx, func() error {
			return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) (err error) {
				more, err = step(ctx, tx)
				return err
			})
		}); err != nil {
			return false, fmt.Errorf("keep the waves: %w", err)
		}
		if !more {
			return false, nil
		}
	}
	return true, nil
}

// place is a place in the order in which sketches were written.
type place struct {
	changed int64
	message uuid.UUID
}

// queued is a message with its place.
type queued struct {
	Changed   int64
	TreeID    uuid.UUID
	MessageID uuid.UUID
}

// step does the next messages. It reports whether there may be more.
func step(ctx context.Context, tx pgx.Tx) (more bool, err error) {
	var at place
	err = tx.QueryRow(ctx, "SELECT changed, message_id FROM wave_cursor FOR UPDATE SKIP LOCKED").
		Scan(&at.changed, &at.message)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil // another process does it
	}
	if err != nil {
		return false, err
	}
	if moved, err := beginAnew(ctx, tx, at); moved || err != nil {
		return moved, err
	}
	next, err := db.Collect[queued](ctx, tx, `SELECT changed, tree_id, message_id FROM sketches
		WHERE (changed, message_id) > ($1, $2) AND changed < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
		ORDER BY changed, message_id LIMIT $3`, at.changed, at.message, batch)
	if err != nil || len(next) == 0 {
		return false, err
	}
	last := next[len(next)-1]
	r := round{tx: tx, batch: next, end: place{last.Changed, last.MessageID}, nodes: map[uuid.UUID]*node{}}
	if err := r.run(ctx); err != nil {
		return false, err
	}
	_, err = tx.Exec(ctx, "UPDATE wave_cursor SET changed = $1, message_id = $2", last.Changed, last.MessageID)
	return len(next) == batch, err
}

// reset is the number of sketches that beginAnew changes at once.
const reset = 5000

// beginAnew finds out whether the database was restored on another server, whose
// transactions have smaller numbers, so that new sketches would come before old
// ones. It numbers such sketches anew, some at a time, and finds all waves again from
// the first message on. It reports whether it did something.
func beginAnew(ctx context.Context, tx pgx.Tx, at place) (bool, error) {
	// No row can be seen whose transaction has not begun.
	tag, err := tx.Exec(ctx, `UPDATE sketches SET changed = 0 WHERE (tree_id, message_id) IN (
		SELECT tree_id, message_id FROM sketches WHERE changed >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint
		ORDER BY changed DESC LIMIT $1)`, reset)
	if err != nil {
		return false, err
	}
	foreign := tag.RowsAffected() > 0
	if !foreign {
		err = tx.QueryRow(ctx, "SELECT $1 >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint", at.changed).
			Scan(&foreign)
	}
	if err != nil || !foreign {
		return false, err
	}
	if _, err = tx.Exec(ctx, "TRUNCATE waves, wave_messages, word_sketches"); err != nil {
		return false, err
	}
	_, err = tx.Exec(ctx, "UPDATE wave_cursor SET changed = 0, message_id = $1", uuid.Nil)
	return true, err
}
