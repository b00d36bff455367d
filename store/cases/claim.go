package cases

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
	"treewarden/store/figures"
)

// Lease is how long a claim lasts without a sign of life.
const Lease = 10 * time.Minute

// heldSQL is the person who holds a case c at time $1: the one who claimed it, while
// they are active and have one of the roles $2 that may work in the queue; else null.
const heldSQL = `(SELECT h.user_id FROM users h WHERE h.user_id = c.claimed_by AND c.claimed_until > $1
	AND h.role = ANY ($2) AND ` + activeSQL + `)`

// activeSQL is true for a person or key h who may still do something.
const activeSQL = `h.erased_at IS NULL AND (h.banned_at IS NULL OR h.banned_until <= $1)
	AND NOT EXISTS (SELECT FROM api_keys k WHERE k.user_id = h.user_id
		AND (k.revoked_at IS NOT NULL OR k.expires_at <= $1))`

// Holders tells who can hold a case at a time.
type Holders struct {
	Now   time.Time
	Roles []string // those that may work in the queue
}

// Claim makes a person the holder of an open case for the time of a lease, and records
// that they have seen it. It reports whether they hold it now, and whether they did not
// before.
func Claim(ctx context.Context, c db.Conn, id int64, by uuid.UUID, h Holders) (held, fresh bool, err error) {
	err = c.QueryRow(ctx, `WITH before AS (SELECT claimed_by FROM cases WHERE case_id = $3 FOR UPDATE),
		claimed AS (UPDATE cases c SET claimed_by = $4, claimed_until = $5 FROM before
			WHERE c.case_id = $3 AND c.status = 'open' AND coalesce(`+heldSQL+`, $4) = $4 RETURNING c.case_id),
		seen AS (INSERT INTO case_views AS v (user_id, case_id, seen_at, opened_at) SELECT $4, case_id, $1, $1 FROM claimed
			ON CONFLICT (user_id, case_id) DO UPDATE SET seen_at = excluded.seen_at,
				opened_at = CASE WHEN v.seen_at > $6 THEN coalesce(v.opened_at, $1) ELSE $1 END)
		SELECT EXISTS (SELECT FROM claimed), coalesce((SELECT claimed_by FROM before) <> $4, true)`,
		h.Now, h.Roles, id, by, h.Now.Add(Lease), h.Now.Add(-Break)).Scan(&held, &fresh)
	return held, fresh, err
}

// Release ends a person's claim of a case.
func Release(ctx context.Context, c db.Conn, id int64, by uuid.UUID) error {
	_, err := c.Exec(ctx, `UPDATE cases SET claimed_by = NULL, claimed_until = NULL
		WHERE case_id = $1 AND claimed_by = $2`, id, by)
	return err
}

// ReleaseAll ends all claims of a person, and reports whether there were any.
func ReleaseAll(ctx context.Context, c db.Conn, by uuid.UUID) (bool, error) {
	done, err := c.Exec(ctx, "UPDATE cases SET claimed_by = NULL, claimed_until = NULL WHERE claimed_by = $1", by)
	return done.RowsAffected() > 0, err
}

// Skip ends a person's claim of a case, and has it no longer offered to them.
func Skip(ctx context.Context, c db.Conn, id int64, by uuid.UUID, now time.Time) error {
	if err := Release(ctx, c, id, by); err != nil {
		return err
	}
	_, err := c.Exec(ctx, `INSERT INTO case_views (user_id, case_id, seen_at, skipped_at) VALUES ($1, $2, $3, $3)
		ON CONFLICT (user_id, case_id) DO UPDATE SET skipped_at = excluded.skipped_at`, by, id, now)
	return err
}

// TakeBack has the cases offered again that a person skipped.
func TakeBack(ctx context.Context, c db.Conn, by uuid.UUID) error {
	_, err := c.Exec(ctx, "UPDATE case_views SET skipped_at = NULL WHERE user_id = $1 AND skipped_at IS NOT NULL", by)
	return err
}

// Postpone ends the claims of an open case and has it offered to nobody before a time.
// It returns the author, and whether the case was open and held by nobody else.
func Postpone(
	ctx context.Context, c db.Conn, id int64, by uuid.UUID, until time.Time, h Holders,
) (author uuid.UUID, ok bool, err error) {
	err = c.QueryRow(ctx, `UPDATE cases c SET later_until = $5, claimed_by = NULL, claimed_until = NULL
		WHERE c.case_id = $3 AND c.status = 'open' AND coalesce(`+heldSQL+`, $4) = $4
		RETURNING coalesce(c.user_id, '00000000-0000-0000-0000-000000000000')`, h.Now, h.Roles, id, by, until).Scan(&author)
	if errors.Is(err, pgx.ErrNoRows) {
		return author, false, nil
	}
	return author, err == nil, err
}

// Claims returns the holder of each case that somebody holds.
func Claims(ctx context.Context, c db.Conn, h Holders) (map[int64]uuid.UUID, error) {
	return pairs(ctx, c, `SELECT case_id, held FROM (SELECT c.case_id, `+heldSQL+` AS held FROM cases c
		WHERE c.claimed_by IS NOT NULL AND c.status = 'open') h WHERE held IS NOT NULL`, h.Now, h.Roles)
}

// Skipped returns the cases that a person skipped.
func Skipped(ctx context.Context, c db.Conn, by uuid.UUID) (map[int64]uuid.UUID, error) {
	return pairs(ctx, c, "SELECT case_id, user_id FROM case_views WHERE user_id = $1 AND skipped_at IS NOT NULL", by)
}

// Seen returns which of some cases a person has opened.
func Seen(ctx context.Context, c db.Conn, by uuid.UUID, ids []int64) (map[int64]uuid.UUID, error) {
	return pairs(ctx, c, "SELECT case_id, user_id FROM case_views WHERE user_id = $1 AND case_id = ANY ($2)", by, ids)
}

func pairs(ctx context.Context, c db.Conn, sql string, args ...any) (map[int64]uuid.UUID, error) {
	rows, err := c.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	found := map[int64]uuid.UUID{}
	var id int64
	var user uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&id, &user}, func() error {
		found[id] = user
		return nil
	})
	return found, err
}

// Chosen are open cases with their messages.
type Chosen struct {
	IDs             []int64
	Trees, Messages []uuid.UUID
}

// chosenSQL is the condition on an open case c that person $3 decides with case $4: one
// of author $5 that nobody else holds, that is in one of the languages $6, unless that is
// null, and that somebody has flagged who is not banned.
const chosenSQL = `c.status = 'open' AND coalesce(` + heldSQL + `, $3) = $3
	AND (c.case_id = $4 OR c.user_id = $5 AND ($6::text[] IS NULL OR EXISTS (SELECT FROM unnest($6) AS within(lang)
			WHERE lower(` + figures.LangSQL + `) = within.lang
				OR starts_with(lower(` + figures.LangSQL + `), within.lang || '-')))
		AND (c.imported_flags > 0
			OR EXISTS (SELECT FROM users r WHERE r.user_id = ANY (c.reporters) AND r.banned_at IS NULL)))`

// Worker is who decides cases, and the languages that they act on, in lower case and each
// with its varieties; nil stands for all.
type Worker struct {
	ID        uuid.UUID
	Languages []string
}

// Choose returns a case, if it is open and nobody but the worker holds it, and all others
// of an author that they may decide with it, unless the author is nil. It locks the rows
// unless it is for a preview.
func Choose(
	ctx context.Context, c db.Conn, h Holders, by Worker, id int64, author *uuid.UUID, preview bool,
) (chosen Chosen, err error) {
	sql := "SELECT c.case_id, c.tree_id, c.message_id FROM cases c WHERE " + chosenSQL + " ORDER BY c.case_id"
	if !preview {
		sql += " FOR UPDATE"
	}
	rows, err := c.Query(ctx, sql, h.Now, h.Roles, by.ID, id, author, by.Languages)
	if err != nil {
		return chosen, err
	}
	var tree, message uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&id, &tree, &message}, func() error {
		chosen.add(id, tree, message)
		return nil
	})
	return chosen, err
}

// countChosen counts the cases that a worker would decide with a case, that one included,
// and those of them that they have not opened, without that one.
func countChosen(
	ctx context.Context, c db.Conn, h Holders, by Worker, id int64, author *uuid.UUID,
) (all, unseen int, err error) {
	err = c.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE c.case_id <> $4 AND NOT EXISTS (SELECT FROM case_views v
			WHERE v.user_id = $3 AND v.case_id = c.case_id))
		FROM cases c WHERE `+chosenSQL, h.Now, h.Roles, by.ID, id, author, by.Languages).Scan(&all, &unseen)
	return all, unseen, err
}

// Within returns the cases in some trees. Cases in others were opened in the meantime.
func (chosen Chosen) Within(trees []uuid.UUID) (within Chosen) {
	for i, id := range chosen.IDs {
		if slices.Contains(trees, chosen.Trees[i]) {
			within.add(id, chosen.Trees[i], chosen.Messages[i])
		}
	}
	return within
}

func (chosen *Chosen) add(id int64, tree, message uuid.UUID) {
	chosen.IDs = append(chosen.IDs, id)
	chosen.Trees, chosen.Messages = append(chosen.Trees, tree), append(chosen.Messages, message)
}

// touchedSQL holds, by type of target, a query for the number of open cases that an
// action on target $1 touches.
var touchedSQL = map[string]string{
	"user": "SELECT count(*) FROM cases WHERE status = 'open' AND user_id = $1",
	"tree": "SELECT count(*) FROM cases WHERE status = 'open' AND tree_id = $1",
	"message": `WITH RECURSIVE below AS (
			SELECT m.tree_id, m.message_id FROM message_trees x
				JOIN messages m ON m.tree_id = x.tree_id AND m.message_id = x.message_id WHERE x.message_id = $1
			UNION ALL SELECT c.tree_id, c.message_id FROM below b
				JOIN messages c ON c.tree_id = b.tree_id AND c.parent_id = b.message_id)
		SELECT count(*) FROM below b JOIN cases c ON c.tree_id = b.tree_id AND c.message_id = b.message_id
			AND c.status = 'open'`,
}

// CountTouched counts the open cases on a user's messages, in a tree, or on a message
// and the replies below it.
func CountTouched(ctx context.Context, c db.Conn, target string, id uuid.UUID) (n int, err error) {
	err = c.QueryRow(ctx, touchedSQL[target], id).Scan(&n)
	return n, db.Translate(err)
}

// Find locks the open cases c that fulfil a condition, with arguments from $4 on, and
// returns them without those that somebody but a person holds.
func Find(ctx context.Context, c db.Conn, h Holders, by uuid.UUID, where string, args ...any) ([]int64, error) {
	rows, err := c.Query(ctx, "SELECT c.case_id FROM cases c WHERE "+freeSQL+" AND "+where+
		" ORDER BY c.case_id FOR UPDATE", append([]any{h.Now, h.Roles, by}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// freeSQL is true for an open case c that nobody but $3 holds.
const freeSQL = "c.status = 'open' AND coalesce(" + heldSQL + ", $3) = $3"

// CountFree counts the cases that Find finds, without locking them.
func CountFree(
	ctx context.Context, c db.Conn, h Holders, by uuid.UUID, where string, args ...any,
) (n int64, err error) {
	err = c.QueryRow(ctx, "SELECT count(*) FROM cases c WHERE "+freeSQL+" AND "+where,
		append([]any{h.Now, h.Roles, by}, args...)...).Scan(&n)
	return n, err
}
