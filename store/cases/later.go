package cases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"treewarden/store/db"
)

// Later is what somebody else did about a case after a person had decided it.
type Later struct {
	MessageID uuid.UUID
	Outcome   string // of the person's decision
	Did       string // Undo, Delete, or the outcome of a later case on the message
	By        string
	ByID      *uuid.UUID // null for the program itself
	At        time.Time
	Reason    string
	Action    int64 // the number of what they did
}

// Undo is what somebody did who undid a decision.
const Undo = "undo"

// Agrees reports whether what they did has the same sense as the person's decision.
func (l Later) Agrees() bool { return l.Did != Undo && (l.Did == Dismiss) == (l.Outcome == Dismiss) }

// Fate is what became of a person's decisions.
type Fate struct {
	Standing int // cases whose decision was not undone
	Later    []Later
	More     bool // there is more that Later leaves out
}

// shownLater is the number of acts in a Fate.
const shownLater = 100

// FateOf returns what became of what a person decided since a time.
func FateOf(ctx context.Context, c db.Conn, person uuid.UUID, since time.Time) (f Fate, err error) {
	if err := c.QueryRow(ctx, `SELECT count(*) FROM cases
		WHERE status = 'decided' AND decided_by = $1 AND decided_at >= $2`, person, since).Scan(&f.Standing); err != nil {
		return f, db.Translate(err)
	}
	f.Later, err = db.Collect[Later](ctx, c, laterSQL, person, since, shownLater+1)
	if f.More = len(f.Later) > shownLater; f.More {
		f.Later = f.Later[:shownLater]
	}
	return f, err
}

// laterSQL finds what others did: undid the decision, decided a later case on the
// message, or deleted the message by another action.
const laterSQL = `SELECT l.message_id, l.outcome, l.did, x.actor_name AS by, x.actor_id AS by_id, x.at, x.reason,
		x.seq AS action
	FROM (SELECT a.target_id::uuid AS message_id, coalesce((SELECT o.after->>'outcome' FROM action_objects o
				WHERE o.action_id = a.id AND o.object_type = 'message' AND o.aspect = '` + Aspect + `' LIMIT 1), '') AS outcome,
			'` + Undo + `' AS did, u.id AS action_id
		FROM actions a JOIN actions u ON u.undoes = a.id
		WHERE a.actor_id = $1 AND a.kind = 'resolve' AND a.at >= $2
	UNION ALL SELECT c.message_id, c.outcome, o.outcome, o.action_id
		FROM cases c JOIN cases o ON o.tree_id = c.tree_id AND o.message_id = c.message_id AND o.status = 'decided'
			AND o.decided_at > c.decided_at
		WHERE c.status = 'decided' AND c.decided_by = $1 AND c.decided_at >= $2
	UNION ALL SELECT c.message_id, c.outcome, '` + Delete + `', m.deleted_action
		FROM cases c JOIN messages m ON m.tree_id = c.tree_id AND m.message_id = c.message_id AND m.deleted
		JOIN actions d ON d.id = m.deleted_action AND d.at > c.decided_at
		WHERE c.status = 'decided' AND c.decided_by = $1 AND c.decided_at >= $2
			AND NOT EXISTS (SELECT FROM cases o WHERE o.tree_id = c.tree_id AND o.message_id = c.message_id
				AND o.action_id = m.deleted_action)) l
	JOIN actions x ON x.id = l.action_id AND x.actor_id IS DISTINCT FROM $1
	ORDER BY x.seq DESC, l.message_id LIMIT $3`
