package cases

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// State is what became of a case, as the log keeps it.
type State struct {
	Case    int64       `json:"case"`
	Status  string      `json:"status"`
	Outcome string      `json:"outcome,omitempty"`
	Reports []int64     `json:"reports,omitempty"`   // the reports that were decided
	Flags   []uuid.UUID `json:"red_flags,omitempty"` // the people whose red flags were
	// Imported is the number of red flags of files that were decided.
	Imported int `json:"imported_flags,omitempty"`
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
var decideSQL = `WITH chosen AS MATERIALIZED (
		SELECT c.tree_id, c.message_id, c.case_id, c.waited, ` + figures.LangSQL + ` AS lang FROM cases c
		WHERE c.case_id = ANY ($2) AND c.status = 'open'),
	said AS (UPDATE reports p SET status = $3 FROM chosen n
		WHERE p.tree_id = n.tree_id AND p.message_id = n.message_id AND p.status = 'open'
		RETURNING p.message_id, p.report_id, p.at),
	flagged AS (UPDATE reactions r SET decision = $3 FROM chosen n
		WHERE r.tree_id = n.tree_id AND r.message_id = n.message_id AND r.emoji = '` + counters.RedFlag + `'
			AND r.decision IS NULL
		RETURNING r.message_id, r.user_id, r.at),
	undecided AS (SELECT e.tree_id, e.message_id, e.red_flags - e.decided_flags AS n FROM chosen n
		JOIN emoji_aggregates e ON e.tree_id = n.tree_id AND e.message_id = n.message_id AND e.red_flags > e.decided_flags),
	imported AS (UPDATE emoji_aggregates e SET decided_flags = e.decided_flags + u.n,
			dismissed_flags = e.dismissed_flags + CASE WHEN $3 = 'dismissed' THEN u.n ELSE 0 END
		FROM undecided u WHERE e.tree_id = u.tree_id AND e.message_id = u.message_id),
	first AS (SELECT message_id, min(at) AS at
		FROM (SELECT message_id, at FROM said UNION ALL SELECT message_id, at FROM flagged) f GROUP BY message_id),
	measured AS (SELECT n.*, CASE WHEN n.waited IS NULL AND f.at IS NOT NULL
			THEN greatest(0, floor(extract(epoch FROM $6::timestamptz - f.at)))::bigint END AS seconds
		FROM chosen n LEFT JOIN first f ON f.message_id = n.message_id),
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
				'reports', (SELECT coalesce(jsonb_agg(report_id ORDER BY report_id), '[]') FROM said s
					WHERE s.message_id = c.message_id),
				'red_flags', (SELECT coalesce(jsonb_agg(user_id ORDER BY user_id), '[]') FROM flagged f
					WHERE f.message_id = c.message_id),
				'imported_flags', coalesce((SELECT n FROM undecided u WHERE u.message_id = c.message_id), 0))
		FROM closed c)
	SELECT coalesce(user_id, '00000000-0000-0000-0000-000000000000'), reporters FROM closed`

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
		After             []byte
		At                *time.Time
		By                uuid.UUID
		Lang, Outcome     string
	}
	closed, err := db.Collect[row](ctx, c, `SELECT o.tree_id, o.object_id AS message_id, c.user_id AS author,
			coalesce(c.reporters, '{}') AS reporters, coalesce(c.status = 'decided' AND c.action_id = $1, false) AS holds,
			o.after, c.decided_at AS at, coalesce(c.decided_by, '`+uuid.Nil.String()+`') AS by, `+figures.LangSQL+` AS lang,
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
		var was State
		if err := json.Unmarshal(r.After, &was); err != nil {
			return uuid.Nil, nil, fmt.Errorf("read what became of case on message %s: %w", r.MessageID, err)
		}
		for _, sql := range reopenSQL {
			if _, err := c.Exec(ctx, sql, pgx.NamedArgs{
				"tree": r.TreeID, "message": r.MessageID, "case": was.Case, "reports": was.Reports, "flags": was.Flags,
				"imported": was.Imported, "dismissed": was.Outcome == Dismiss, "action": action, "undone": undone,
			}); err != nil {
				return uuid.Nil, nil, err
			}
		}
		touched.Add(r.TreeID, r.MessageID, r.Author)
		changed = append(changed, r.Reporters...)
	}
	return uuid.Nil, changed, figures.CountUndone(ctx, c, count)
}

// reopenSQL opens one case again. A report whose author has reported the message again
// stays decided: a person has one open report.
var reopenSQL = []string{
	`UPDATE reports p SET status = 'open' WHERE tree_id = @tree AND message_id = @message AND report_id = ANY (@reports)
		AND status IN ('upheld', 'dismissed') AND NOT EXISTS (SELECT FROM reports q WHERE q.tree_id = p.tree_id
			AND q.message_id = p.message_id AND q.user_id = p.user_id AND q.status = 'open')`,
	`UPDATE reactions SET decision = NULL WHERE tree_id = @tree AND message_id = @message AND user_id = ANY (@flags)
		AND emoji = '` + counters.RedFlag + `'`,
	`UPDATE emoji_aggregates SET decided_flags = decided_flags - @imported::int,
			dismissed_flags = dismissed_flags - CASE WHEN @dismissed THEN @imported::int ELSE 0 END
		WHERE tree_id = @tree AND message_id = @message AND @imported::int > 0`,
	`UPDATE cases SET status = 'withdrawn', claimed_by = NULL, claimed_until = NULL
		WHERE tree_id = @tree AND message_id = @message AND status = 'open'`,
	`UPDATE cases SET status = 'open', outcome = NULL, decided_by = NULL, decided_at = NULL, action_id = NULL
		WHERE tree_id = @tree AND message_id = @message AND case_id = @case`,
	`INSERT INTO action_objects (action_id, object_type, object_id, aspect, tree_id, before, after)
		SELECT @action, object_type, object_id, aspect, tree_id, after, before FROM action_objects
		WHERE action_id = @undone AND object_type = 'message' AND object_id = @message AND aspect = '` + Aspect + `'`,
}
