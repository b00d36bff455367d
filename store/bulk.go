package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"treewarden/store/boards"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// loadLock is the advisory lock under which an empty database is filled, so
// that two processes that are started together fill it once.
const loadLock = 0x7472656577646d

// NoDate is what stands for the date of what has none.
var NoDate any = db.Undated

// Table is rows for one table: they are written as they are sent, never gathered.
type Table struct {
	Name    string
	Columns []string
	Rows    int
	Row     func(i int) []any
}

// Bulk is a whole collection, table by table, with the outputs of one classifier.
type Bulk struct {
	Model   string   // the classifier's name
	Outputs []string // the names of its outputs
	// Tables gives the tables in the order in which they refer to each other,
	// given the classifier's id and where each output stands in its arrays, from 0.
	Tables func(model int16, places []int) []Table
}

// Empty says whether the database holds no collection yet: no contributor and
// no tree. Staff and keys may be there.
func (s *Store) Empty(ctx context.Context) (bool, error) { return isEmpty(ctx, s.pool) }

func isEmpty(ctx context.Context, c db.Conn) (bool, error) {
	var empty bool
	err := c.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM trees)
		AND NOT EXISTS (SELECT FROM users WHERE role = 'general')`).Scan(&empty)
	return empty, db.Translate(err)
}

// Load adds a collection to the database, in one transaction, and counts its
// signals. It fails when one of the ids is there already.
func (s *Store) Load(ctx context.Context, b Bulk) error {
	defer s.boards.MarkAll()
	return db.Translate(pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return s.load(ctx, tx, b) }))
}

// Fill loads a collection into a database that is empty, and says whether it
// did: another process may have been first.
func (s *Store) Fill(ctx context.Context, b Bulk) (filled bool, err error) {
	defer s.boards.MarkAll()
	err = db.Translate(pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(loadLock)); err != nil {
			return err
		}
		if filled, err = isEmpty(ctx, tx); err != nil || !filled {
			return err
		}
		return s.load(ctx, tx, b)
	}))
	return filled && err == nil, err
}

// load copies a collection table by table, and counts everything anew.
func (s *Store) load(ctx context.Context, tx pgx.Tx, b Bulk) error {
	model, err := tables.RegisterModel(ctx, tx, b.Model, b.Outputs, false)
	if err != nil {
		return err
	}
	places := make([]int, len(b.Outputs))
	for i, output := range b.Outputs {
		places[i] = model.At[output]
	}
	for _, t := range b.Tables(model.ID, places) {
		source := pgx.CopyFromSlice(t.Rows, func(i int) ([]any, error) { return t.Row(i), nil })
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.Name}, t.Columns, source); err != nil {
			return fmt.Errorf("load %s: %w", t.Name, err)
		}
	}
	// Until the server gets round to it by itself, its plans for these tables
	// would be made for empty ones. What is only shown needs no figures.
	if _, err := tx.Exec(ctx, `ANALYZE users, trees, message_trees, reactions, reports,
		messages (tree_id, message_id, parent_id, user_id, created_date, lang, deleted, deleted_root, review_result),
		label_votes (tree_id, message_id, user_id, at), classifier_outputs (tree_id, message_id, toxicity, at)`); err != nil {
		return err
	}
	from, err := s.threshold.Read(ctx, tx)
	if err != nil {
		return err
	}
	if err := counters.RebuildIn(ctx, tx, s.now(), from); err != nil {
		return fmt.Errorf("count the signals: %w", err)
	}
	if _, err := tx.Exec(ctx, "ANALYZE user_signals, user_languages"); err != nil {
		return err
	}
	return boards.AnnounceAll(ctx, tx)
}
