package counters

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/store/db"
)

// Delete counts a deletion of messages, none of which is deleted, before it is made, many
// of them on another connection of pool. authors are those of the messages that it aims
// at, and at is its time. The trees of the messages are locked already. Close ends the
// count if the transaction fails.
func (t *Update) Delete(
	ctx context.Context, c db.Conn, pool *pgxpool.Pool, trees, messages, authors []uuid.UUID, at time.Time,
) error {
	if len(t.known) > 0 {
		return errWatchedTwice
	}
	// Afterwards they contribute nothing but the deletion, so that they need not be
	// counted again.
	for _, author := range authors {
		t.addDeletion(author, pgtype.Timestamptz{Time: at, Valid: true}, 1)
	}
	of := t.deletionOf(trees, messages, at)
	if len(messages) < manyMessages {
		return t.countSubset(ctx, c, of, -1)
	}
	of.Subset, of.ahead = presentSubset, t.countAhead(ctx, pool, of)
	t.deleted = append(t.deleted, of)
	return db.SortInMemory(ctx, c)
}

// WatchDeletion makes the counters follow messages whose deletion changes in any
// way. The query returns tree_id and message_id; now is not after the time of
// Settle. The trees of the messages are locked already.
//
// It reads the messages in the order of their keys. In any other order, a large
// deletion would read each page of the tables and their indexes many times.
func (t *Update) WatchDeletion(ctx context.Context, c db.Conn, now time.Time, query string, args ...any) error {
	if len(t.known) > 0 {
		return errWatchedTwice
	}
	rows, err := c.Query(ctx, `SELECT m.tree_id, m.message_id, m.user_id, m.deleted,
			m.deleted_root IS NOT DISTINCT FROM m.message_id, coalesce(m.deleted_at, m.created_date)
		FROM (SELECT * FROM (`+query+`) w ORDER BY tree_id, message_id) w
		JOIN messages m ON m.tree_id = w.tree_id AND m.message_id = w.message_id
		WHERE m.user_id IS NOT NULL`, args...)
	if err != nil {
		return err
	}
	var all, present struct{ trees, messages []uuid.UUID }
	var tree, message, author uuid.UUID
	var deleted, aimedAt bool
	var at pgtype.Timestamptz
	if _, err := pgx.ForEachRow(rows, []any{&tree, &message, &author, &deleted, &aimedAt, &at}, func() error {
		all.trees, all.messages = append(all.trees, tree), append(all.messages, message)
		switch {
		case !deleted:
			present.trees, present.messages = append(present.trees, tree), append(present.messages, message)
		case aimedAt:
			t.addDeletion(author, at, -1)
		}
		return nil
	}); err != nil {
		return err
	}
	if len(all.messages) == 0 {
		return nil
	}
	t.subsets = append(t.subsets, t.deletionOf(all.trees, all.messages, now))
	if len(present.messages) == 0 {
		return nil
	}
	return t.countSubset(ctx, c, t.deletionOf(present.trees, present.messages, now), -1)
}

// deletionOf returns the deletion's subset of messages.
func (t *Update) deletionOf(trees, messages []uuid.UUID, now time.Time) watchedSubset {
	from, models := RuleArgs(t.Rule)
	return watchedSubset{Subset: deletionSubset, messages: len(messages), args: []any{
		from, models, db.IDArray(trees), db.IDArray(messages), now.Add(-daysKept), now.Add(-HoursKept),
	}}
}

// addDeletion adds the fact that a deletion aimed at a message, times a sign. It is
// all that a deleted message contributes to the subset.
func (t *Update) addDeletion(author uuid.UUID, at pgtype.Timestamptz, sign int64) {
	var d Deltas
	d.Once(Deletion, Standing{Deleted: true})
	t.Add(author, at, sign, &d)
}
