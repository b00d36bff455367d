// Package bulk loads a whole collection into an empty database.
package bulk

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"treewarden/store/boards"
	"treewarden/store/cases"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/derived"
	"treewarden/store/tables"
)

// lock is the advisory lock for filling an empty database. Two processes that
// start together fill it once.
const lock = 0x7472656577646d

// NoDate is the value of a missing date.
var NoDate any = db.Undated

// Table holds rows for one table. The rows are streamed, not buffered.
type Table struct {
	Name    string
	Columns []string
	Rows    int
	Row     func(i int) []any
}

// Collection is a whole collection by table, with the outputs of one classifier.
type Collection struct {
	Model   string   // the classifier's name
	Outputs []string // the names of its outputs
	// Tables returns the tables in the order of their foreign keys. It takes the
	// classifier's id and the index of each output in its arrays.
	Tables func(model int16, places []int) []Table
}

// IsEmpty reports whether the database holds no contributor and no tree. It may
// hold staff and keys.
func IsEmpty(ctx context.Context, c db.Conn) (bool, error) {
	var empty bool
	err := c.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM trees)
		AND NOT EXISTS (SELECT FROM users WHERE role = 'general')`).Scan(&empty)
	return empty, db.Translate(err)
}

// Fill loads a collection into an empty database and reports whether it did.
// Another process may have filled it.
func Fill(ctx context.Context, tx pgx.Tx, now time.Time, b Collection) (bool, error) {
	for _, sql := range []string{"SET LOCAL lock_timeout = 0", fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", lock)} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return false, err
		}
	}
	if empty, err := IsEmpty(ctx, tx); err != nil || !empty {
		return false, err
	}
	return true, Load(ctx, tx, now, b)
}

// Load copies a collection table by table and recounts everything. It fails if one
// of the ids exists.
func Load(ctx context.Context, tx pgx.Tx, now time.Time, b Collection) error {
	model, err := tables.RegisterModel(ctx, tx, b.Model, b.Outputs, false)
	if err != nil {
		return err
	}
	places := make([]int, len(b.Outputs))
	for i, output := range b.Outputs {
		places[i] = model.At[output]
	}
	// The figures of the collection are counted whole after this.
	if _, err := tx.Exec(ctx, "DELETE FROM insight_state"); err != nil {
		return err
	}
	for _, t := range b.Tables(model.ID, places) {
		source := pgx.CopyFromSlice(t.Rows, func(i int) ([]any, error) { return t.Row(i), nil })
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.Name}, t.Columns, source); err != nil {
			return fmt.Errorf("load %s: %w", t.Name, err)
		}
	}
	if err := derived.DeriveAll(ctx, tx); err != nil {
		return err
	}
	if err := cases.SyncAll(ctx, tx); err != nil {
		return err
	}
	// Without fresh statistics the server would plan for empty tables. Columns
	// that are only displayed need none.
	if _, err := tx.Exec(ctx, `ANALYZE users, trees, message_trees, reactions, reports, cases,
		messages (tree_id, message_id, parent_id, user_id, created_date, lang, deleted, deleted_root, review_result),
		label_votes (tree_id, message_id, user_id, at), classifier_outputs (tree_id, message_id, toxicity, at)`); err != nil {
		return err
	}
	if err := counters.RebuildIn(ctx, tx, now); err != nil {
		return fmt.Errorf("count the signals: %w", err)
	}
	if _, err := tx.Exec(ctx, "ANALYZE user_signals, user_languages"); err != nil {
		return err
	}
	return boards.AnnounceAll(ctx, tx)
}
