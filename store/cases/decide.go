package cases

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/figures"
)

// Aspect is the name in the log of what became of the case on a message.
const Aspect = "case"

// The outcomes of a case. All but Dismiss uphold the flags.
const (
	Dismiss = "dismiss"
	Delete  = "delete"
	Reject  = "reject"
	Halt    = "halt"
	Ban     = "ban"
)

// Outcomes are the outcomes in the order of the form.
var Outcomes = []string{Dismiss, Delete, Reject, Halt, Ban}

// Decision is what an action decides about cases.
type Decision struct {
	Action  int64 // its id in the database
	Outcome string
	By      *uuid.UUID // nil for the program itself
	At      time.Time
}

// Decide closes open cases, with the reports and red flags on their messages, and logs
// it. The trees of the messages are locked. It returns the users whose figures in the
// queue change: authors and reporters.
func Decide(ctx context.Context, c db.Conn, d Decision, ids []int64) ([]uuid.UUID, error) {
	said := "upheld"
	if d.Outcome == Dismiss {
		said = "dismissed"
	}
	rows, err := c.Query(ctx, decideSQL, d.Action, ids, said, d.Outcome, d.By, d.At)
	if err != nil {
		return nil, err
	}
	var changed []uuid.UUID
	var author uuid.UUID
	var reporters []uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&author, &reporters}, func() error {
		changed = append(append(changed, author), reporters...)
		return nil
	})
	return changed, err
}

// decideSQL decides the cases $2 by the action $1. $3 is the decision about the flags,
// $4 the outcome, $5 who decides, $6 the time. A case is measured at its first decision,
// from the first flag of a person on.
//
// All parts of a statement read what was so before it. So the flags of each case are read
// from their tables by their keys: what an UPDATE returns has no index, and 10,000 cases
// would compare all of it with all of it.
var decideSQL = `WITH chosen AS MATERIALIZED (
		SELECT c.tree_id, c.message_id, c.case_id, c.waited, ` + figures.LangSQL + ` AS lang FROM cases c
		WHERE c.case_id = ANY ($2) AND c.status = 'open'),
	said AS (UPDATE reports p SET status = $3 FROM chosen n
		WHERE p.tree_id = n.tree_id AND p.message_id = n.message_id AND p.status = 'open'),
	flagged AS (UPDATE reactions r SET decision = $3 FROM chosen n
		WHERE r.tree_id = n.tree_id AND r.message_id = n.message_id AND r.emoji = '` + counters.RedFlag + `'
			AND r.decision IS NULL),
	imported AS (UPDATE emoji_aggregates e SET decided_flags = e.red_flags,
			dismissed_flags = e.dismissed_flags + CASE WHEN $3 = 'dismissed' THEN e.red_flags - e.decided_flags ELSE 0 END
		FROM chosen n WHERE e.tree_id = n.tree_id AND e.message_id = n.message_id AND e.red_flags > e.decided_flags),
	measured AS (SELECT n.*, CASE WHEN n.waited IS NULL THEN
			(SELECT greatest(0, floor(extract(epoch FROM $6::timestamptz - f.at)))::bigint
			FROM (SELECT least((SELECT min(p.at) FROM ` + openReports("n") + `),
				(SELECT min(r.at) FROM ` + openFlags("n") + `)) AS at) f WHERE f.at IS NOT NULL) END AS seconds
		FROM chosen n),
	closed AS (UPDATE cases c SET status = 'decided', outcome = $4, decided_by = $5, decided_at = $6, action_id = $1,
			claimed_by = NULL, claimed_until = NULL,
			waited = coalesce(n.waited, n.seconds)
		FROM measured n WHERE c.tree_id = n.tree_id AND c.message_id = n.message_id AND c.case_id = n.case_id
		RETURNING c.tree_id, c.message_id, c.case_id, c.user_id, c.reporters, n.lang, n.seconds),
	counted AS (` + figures.CountSQL("closed", "$6::timestamptz", "$5::uuid", "$4::text") + `),
	logged AS (INSERT INTO action_objects (action_id, object_type, object_id, aspect, tree_id, before, after)
		SELECT $1, 'message', c.message_id, '` + Aspect + `', c.tree_id,
			jsonb_build_object('case', c.case_id, 'status', 'open'),
			jsonb_build_object('case', c.case_id, 'status', 'decided', 'outcome', $4::text,
				'reports', (SELECT coalesce(jsonb_agg(p.report_id ORDER BY p.report_id), '[]') FROM ` + openReports("c") + `),
				'red_flags', (SELECT coalesce(jsonb_agg(r.user_id ORDER BY r.user_id), '[]') FROM ` + openFlags("c") + `),
				'imported_flags', coalesce((SELECT e.red_flags - e.decided_flags FROM emoji_aggregates e
					WHERE e.tree_id = c.tree_id AND e.message_id = c.message_id AND e.red_flags > e.decided_flags), 0))
		FROM closed c)
	SELECT coalesce(user_id, '00000000-0000-0000-0000-000000000000'), reporters FROM closed`

// openReports and openFlags return the FROM clause of the undecided reports p and red
// flags r of a case.
func openReports(of string) string {
	return "reports p WHERE p.tree_id = " + of + ".tree_id AND p.message_id = " + of + ".message_id AND p.status = 'open'"
}

func openFlags(of string) string {
	return "reactions r WHERE r.tree_id = " + of + ".tree_id AND r.message_id = " + of + ".message_id AND r.emoji = '" +
		counters.RedFlag + "' AND r.decision IS NULL"
}

// ErrLater means that a case is no longer as an action left it.
var ErrLater = errors.New("the case has changed since")

// Reopen opens the cases again that an action closed, with their flags, and logs it as
// another action. If somebody has reported a message again since, both become one
// case. It returns the message of a case that a later action changed, with ErrLater.
// The messages must be passed to Sync at the end; touched receives them.
func Reopen(ctx context.Context, c db.Conn, action, undone int64, touched *Touched) (uuid.UUID, []uuid.UUID, error) {
	type row struct {
		TreeID, MessageID uuid.UUID
		Author            *uuid.UUID
		Reporters         []uuid.UUID
		Holds             bool
		At                *time.Time
		By                uuid.UUID
		Lang, Outcome     string
	}
	closed, err := db.Collect[row](ctx, c, `SELECT o.tree_id, o.object_id AS message_id, c.user_id AS author,
			coalesce(c.reporters, '{}') AS reporters, coalesce(c.status = 'decided' AND c.action_id = $1, false) AS holds,
			c.decided_at AS at, coalesce(c.decided_by, '`+uuid.Nil.String()+`') AS by, `+figures.LangSQL+` AS lang,
			coalesce(c.outcome, '') AS outcome
		FROM action_objects o LEFT JOIN cases c ON c.tree_id = o.tree_id AND c.message_id = o.object_id
			AND c.case_id = (o.after->>'case')::bigint
		WHERE o.action_id = $1 AND o.object_type = 'message' AND o.aspect = '`+Aspect+`' ORDER BY o.object_id`, undone)
	if err != nil {
		return uuid.Nil, nil, err
	}
	var changed []uuid.UUID
	count := map[figures.Key]int{}
	for _, r := range closed {
		if !r.Holds {
			return r.MessageID, nil, ErrLater
		}
		count[figures.Key{At: *r.At, By: r.By, Lang: r.Lang, Outcome: r.Outcome}]++
		touched.Add(r.TreeID, r.MessageID, r.Author)
		changed = append(changed, r.Reporters...)
	}
	if len(closed) == 0 {
		return uuid.Nil, nil, nil
	}
	for _, sql := range reopenSQL {
		if _, err := c.Exec(ctx, sql, pgx.NamedArgs{"action": action, "undone": undone}); err != nil {
			return uuid.Nil, nil, err
		}
	}
	return uuid.Nil, changed, figures.CountUndone(ctx, c, count)
}

// reopenSQL opens the cases again that the action @undone closed. A report whose author
// has reported the message again stays decided: a person has one open report.
var reopenSQL = []string{
	`UPDATE reports p SET status = 'open' FROM ` + closedBy + `, jsonb_array_elements(o.after->'reports') AS report(id)
		WHERE p.tree_id = o.tree_id AND p.message_id = o.message_id AND p.report_id = report.id::bigint
			AND p.status IN ('upheld', 'dismissed') AND NOT EXISTS (SELECT FROM reports q WHERE q.tree_id = p.tree_id
				AND q.message_id = p.message_id AND q.user_id = p.user_id AND q.status = 'open')`,
	`UPDATE reactions r SET decision = NULL
		FROM ` + closedBy + `, jsonb_array_elements_text(o.after->'red_flags') AS rater(id)
		WHERE r.tree_id = o.tree_id AND r.message_id = o.message_id AND r.user_id = rater.id::uuid
			AND r.emoji = '` + counters.RedFlag + `'`,
	`UPDATE emoji_aggregates e SET decided_flags = e.decided_flags - o.imported,
			dismissed_flags = e.dismissed_flags - CASE WHEN o.after->>'outcome' = '` + Dismiss + `' THEN o.imported ELSE 0 END
		FROM ` + closedBy + ` WHERE e.tree_id = o.tree_id AND e.message_id = o.message_id AND o.imported > 0`,
	`UPDATE cases c SET status = 'withdrawn', claimed_by = NULL, claimed_until = NULL FROM ` + closedBy + `
		WHERE c.tree_id = o.tree_id AND c.message_id = o.message_id AND c.status = 'open'`,
	`UPDATE cases c SET status = 'open', outcome = NULL, decided_by = NULL, decided_at = NULL, action_id = NULL
		FROM ` + closedBy + ` WHERE c.tree_id = o.tree_id AND c.message_id = o.message_id AND c.case_id = o.id`,
	`INSERT INTO action_objects (action_id, object_type, object_id, aspect, tree_id, before, after)
		SELECT @action, object_type, object_id, aspect, tree_id, after, before FROM action_objects
		WHERE action_id = @undone AND object_type = 'message' AND aspect = '` + Aspect + `'`,
}

// closedBy is a relation o of the cases that the action @undone closed.
const closedBy = `(SELECT tree_id, object_id AS message_id, after, (after->>'case')::bigint AS id,
		coalesce((after->>'imported_flags')::int, 0) AS imported
	FROM action_objects WHERE action_id = @undone AND object_type = 'message' AND aspect = '` + Aspect + `' OFFSET 0) o`
