package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"treewarden/store/bulk"
	"treewarden/store/db"
)

// What the package bulk loads, by the names that users of a Store know.
type (
	Bulk  = bulk.Collection
	Table = bulk.Table
)

// NoDate is the value of a missing date.
var NoDate = bulk.NoDate

// Empty reports whether the database holds no contributor and no tree. It may
// hold staff and keys.
func (s *Store) Empty(ctx context.Context) (bool, error) { return bulk.IsEmpty(ctx, s.pool) }

// Load adds a collection to the database in one transaction and counts its
// signals. It fails if one of the ids exists.
func (s *Store) Load(ctx context.Context, b Bulk) error {
	defer s.boards.MarkAll()
	return db.Translate(pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		return bulk.Load(ctx, tx, s.now(), &s.threshold, b)
	}))
}

// Fill loads a collection into an empty database and reports whether it did.
// Another process may have filled it.
func (s *Store) Fill(ctx context.Context, b Bulk) (filled bool, err error) {
	defer s.boards.MarkAll()
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
		filled, err = bulk.Fill(ctx, tx, s.now(), &s.threshold, b)
		return err
	})
	return filled && err == nil, db.Translate(err)
}
