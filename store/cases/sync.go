// Package cases keeps the cases of the queue. A case is one message with the reports
// and red flags on it that nobody has decided about. Whoever writes flags calls Sync
// in the same transaction; the package store claims and decides cases.
package cases

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/scoring"
	"treewarden/store/counters"
	"treewarden/store/db"
)

// flagsOf returns a query for the undecided flags of the messages in a relation touched
// (tree_id, message_id): a row for each report and each red flag, and one for the red
// flags of files, which have the message's date. Those of a message that came deleted
// open no case: its origin has decided.
const flagsOf = `SELECT p.tree_id, p.message_id, p.user_id, p.at, 1 AS reports, 0 AS red_flags, 0 AS imported
		FROM touched t JOIN reports p ON p.tree_id = t.tree_id AND p.message_id = t.message_id AND p.status = 'open'
	UNION ALL SELECT r.tree_id, r.message_id, r.user_id, r.at, 0, 1, 0
		FROM touched t JOIN reactions r ON r.tree_id = t.tree_id AND r.message_id = t.message_id
			AND r.emoji = '` + counters.RedFlag + `' AND r.decision IS NULL
	UNION ALL SELECT e.tree_id, e.message_id, NULL,
			CASE WHEN n.created_date = '-infinity' THEN now() ELSE n.created_date END, 0, 0, e.red_flags - e.decided_flags
		FROM touched t JOIN emoji_aggregates e ON e.tree_id = t.tree_id AND e.message_id = t.message_id
			AND e.red_flags > e.decided_flags
		JOIN messages n ON n.tree_id = t.tree_id AND n.message_id = t.message_id
			AND (NOT n.deleted OR n.deleted_action IS NOT NULL)`

// toxicityOf returns a query for the toxicity of the message of a relation: that by the
// classifiers that count, or else that by the labels of its file.
func toxicityOf(message string) string {
	of := " WHERE f.tree_id = " + message + ".tree_id AND f.message_id = " + message + ".message_id"
	return "coalesce(" + counters.ToxicitySQL(message) +
		", (SELECT f.toxicity FROM label_aggregates f" + of + "))"
}

// raised groups the flags by message, as the columns of cases.
var raised = `SELECT m.tree_id, m.message_id, m.user_id, min(f.at) AS opened_at,
		coalesce(array_agg(DISTINCT f.user_id) FILTER (WHERE f.user_id IS NOT NULL), '{}') AS reporters,
		sum(f.reports)::int AS reports, sum(f.red_flags)::int AS red_flags, sum(f.imported)::int AS imported_flags,
		m.lang, ` + toxicityOf("m") + ` AS toxicity
	FROM (` + flagsOf + `) f JOIN messages m ON m.tree_id = f.tree_id AND m.message_id = f.message_id
	GROUP BY m.tree_id, m.message_id`

// kept are the columns that Sync keeps up to date, besides opened_at.
const kept = "user_id, reporters, reports, red_flags, imported_flags, lang, toxicity"

const columns = "tree_id, message_id, opened_at, " + kept

// syncSQL returns a statement that brings the open cases of the touched messages up to
// their flags. The undated flags of files keep the time at which their case was opened.
func syncSQL(touched string) string {
	return `WITH touched AS MATERIALIZED (` + touched + `), raised AS MATERIALIZED (` + raised + `),
	withdrawn AS (UPDATE cases c SET status = 'withdrawn', claimed_by = NULL, claimed_until = NULL
		FROM touched t WHERE c.tree_id = t.tree_id AND c.message_id = t.message_id AND c.status = 'open'
			AND NOT EXISTS (SELECT FROM raised r WHERE r.tree_id = c.tree_id AND r.message_id = c.message_id))
	INSERT INTO cases AS c (` + columns + `) SELECT ` + columns + ` FROM raised ORDER BY message_id
	ON CONFLICT (tree_id, message_id) WHERE status = 'open' DO UPDATE SET
		(` + kept + `) = (` + prefixed("excluded.") + `), opened_at = least(c.opened_at, excluded.opened_at)
	WHERE (` + prefixed("c.") + `) IS DISTINCT FROM (` + prefixed("excluded.") + `) OR c.opened_at > excluded.opened_at`
}

// prefixed returns the kept columns of a relation.
func prefixed(relation string) string {
	return relation + strings.ReplaceAll(kept, ", ", ", "+relation)
}

var (
	syncKeysSQL = syncSQL("SELECT DISTINCT tree_id, message_id FROM unnest($1::uuid[], $2::uuid[]) k(tree_id, message_id)")
	syncAllSQL  = syncSQL(`SELECT tree_id, message_id FROM reports WHERE status = 'open'
		UNION SELECT tree_id, message_id FROM reactions WHERE emoji = '` + counters.RedFlag + `'
		UNION SELECT tree_id, message_id FROM emoji_aggregates WHERE red_flags > 0
		UNION SELECT tree_id, message_id FROM cases WHERE status = 'open'`)
)

// Touched holds the messages whose flags a transaction changes.
type Touched struct {
	trees, messages []uuid.UUID
	authors         []uuid.UUID
}

// Add adds a message. author is nil if nobody knows them.
func (t *Touched) Add(tree, message uuid.UUID, author *uuid.UUID) {
	t.trees, t.messages = append(t.trees, tree), append(t.messages, message)
	if author == nil {
		author = &uuid.Nil
	}
	t.authors = append(t.authors, *author)
}

// Queue adds the statement that brings the cases of the messages up to their flags to
// a batch, and names their authors as changed. The trees of the messages are locked.
func (t *Touched) Queue(batch *pgx.Batch, changed *counters.Changed) {
	if len(t.messages) > 0 {
		changed.Add(t.authors...)
		_ = t.inParts(func(trees, messages pgtype.FlatArray[pgtype.UUID]) error {
			batch.Queue(syncKeysSQL, trees, messages)
			return nil
		})
	}
}

// syncedAtOnce is the maximum number of messages that one statement syncs. What it finds
// of their flags has no index, so that the time would grow with the square of a larger
// number.
const syncedAtOnce = 500

// inParts does something to the messages, up to syncedAtOnce at a time.
func (t *Touched) inParts(do func(trees, messages pgtype.FlatArray[pgtype.UUID]) error) error {
	for from := 0; from < len(t.messages); from += syncedAtOnce {
		to := min(from+syncedAtOnce, len(t.messages))
		if err := do(db.IDArray(t.trees[from:to]), db.IDArray(t.messages[from:to])); err != nil {
			return err
		}
	}
	return nil
}

// QueueToxicity adds the statement that brings the cases of messages up to the outputs of
// classifiers on them to a batch. The trees of the messages are locked.
func QueueToxicity(batch *pgx.Batch, trees, messages []uuid.UUID) {
	batch.Queue(toxicitySQL, db.IDArray(trees), db.IDArray(messages))
}

var toxicitySQL = `UPDATE cases c SET toxicity = now.toxicity
	FROM (SELECT w.tree_id, w.message_id, w.case_id, ` + toxicityOf("w") + ` AS toxicity
		FROM (SELECT DISTINCT * FROM unnest($1::uuid[], $2::uuid[])) k(tree_id, message_id)
			JOIN cases w ON w.tree_id = k.tree_id AND w.message_id = k.message_id AND w.status = 'open') now
	WHERE c.tree_id = now.tree_id AND c.message_id = now.message_id AND c.case_id = now.case_id
		AND c.toxicity IS DISTINCT FROM now.toxicity`

// ChangeRule makes the counters, and the open cases with them, follow another rule of
// toxicity than the one in force.
func ChangeRule(ctx context.Context, c db.Conn, update *counters.Update, inForce, next scoring.ToxicityRule) error {
	if next == inForce {
		return nil
	}
	if next.Classifier == inForce.Classifier {
		return update.ChangeRule(ctx, c, next)
	}
	// A case that is written meanwhile would have its toxicity by the former rule. The
	// cases are locked before the counters, as others write them.
	if _, err := c.Exec(ctx, "LOCK cases IN EXCLUSIVE MODE"); err != nil {
		return err
	}
	if err := update.ChangeRule(ctx, c, next); err != nil {
		return err
	}
	rows, err := c.Query(ctx, followSQL)
	if err != nil {
		return err
	}
	authors, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	update.Changed.Add(authors...)
	return err
}

// followSQL brings the open cases up to the rule, and returns the authors whose cases
// changed.
var followSQL = `UPDATE cases c SET toxicity = now.toxicity
	FROM (SELECT w.tree_id, w.message_id, w.case_id, ` + toxicityOf("w") + ` AS toxicity
		FROM cases w WHERE w.status = 'open') now
	WHERE c.tree_id = now.tree_id AND c.message_id = now.message_id AND c.case_id = now.case_id
		AND c.toxicity IS DISTINCT FROM now.toxicity
	RETURNING coalesce(c.user_id, '` + uuid.Nil.String() + `')`

// DriftSQL finds open cases that are not up to their messages, as sentences.
var DriftSQL = `SELECT 'case ' || c.case_id || ' has another language or toxicity than its message'
	FROM cases c JOIN messages m ON m.tree_id = c.tree_id AND m.message_id = c.message_id
	WHERE c.status = 'open' AND (c.lang, c.toxicity) IS DISTINCT FROM (m.lang, ` + toxicityOf("m") + `)`

// SyncAll brings all cases up to the flags.
func SyncAll(ctx context.Context, c db.Conn) error {
	if _, err := c.Exec(ctx, syncAllSQL); err != nil {
		return fmt.Errorf("open the cases of the queue: %w", err)
	}
	return nil
}

// Sync brings the cases of messages up to their flags. The query returns tree_id,
// message_id and user_id of messages, whose trees are locked. It also returns who must
// be named as changed: the authors.
func Sync(ctx context.Context, c db.Conn, query string, args ...any) ([]uuid.UUID, error) {
	rows, err := c.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	var t Touched
	var tree, message uuid.UUID
	var author pgtype.UUID
	if _, err := pgx.ForEachRow(rows, []any{&tree, &message, &author}, func() error {
		t.Add(tree, message, (*uuid.UUID)(&author.Bytes))
		return nil
	}); err != nil || len(t.messages) == 0 {
		return nil, err
	}
	return t.authors, t.inParts(func(trees, messages pgtype.FlatArray[pgtype.UUID]) error {
		_, err := c.Exec(ctx, syncKeysSQL, trees, messages)
		return err
	})
}
