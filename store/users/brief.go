package users

import (
	"context"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store/audit"
	"treewarden/store/db"
	"treewarden/store/messages"
	"treewarden/store/scores"
)

// Brief is what the head of a user's page, and the card of a message's author,
// show of a user.
type Brief struct {
	Today, Overall float64               // scores
	Parts          []scoring.Part        // of the overall score
	Reports        []messages.UserReport // the newest open ones
	Given          int                   // labels, reactions and reports, as FeedbackOf lists them
	// Done is the number of actions on the user, nil if the reader may not see
	// them, and Actions are the last.
	Done    *int
	Actions []audit.Action
}

// ShownActions is the number of actions in a Brief.
const ShownActions = 3

// OpenReports returns the number of open reports on the user's messages.
func (b Brief) OpenReports() int {
	if len(b.Reports) == 0 {
		return 0
	}
	return b.Reports[0].Total
}

// BriefOf reads the brief of a user. The filter selects the actions on the user
// that the reader may see; seesActions is false if the reader sees none.
func BriefOf(ctx context.Context, c db.Conn, id uuid.UUID, formula scoring.Formula, now time.Time,
	f audit.Filter, seesActions bool) (b Brief, err error) {
	for window, score := range map[scoring.Window]*float64{scoring.Day: &b.Today, scoring.Total: &b.Overall} {
		counts, err := scores.Kept(ctx, c, id, window, now, formula)
		if err != nil {
			return b, err
		}
		if *score = formula.Score(counts); window == scoring.Total {
			b.Parts = formula.Parts(counts)
		}
	}
	if b.Reports, err = messages.OpenReportsOn(ctx, c, id); err != nil {
		return b, err
	}
	if b.Given, err = CountFeedback(ctx, c, id); err != nil || !seesActions {
		return b, err
	}
	n, err := audit.Count(ctx, c, f)
	if b.Done = &n; err != nil || n == 0 {
		return b, err
	}
	list, err := audit.List(ctx, c, f)
	b.Actions = list.Items
	return b, err
}

// CountFeedback returns the number of entries that FeedbackOf lists.
func CountFeedback(ctx context.Context, c db.Conn, id uuid.UUID) (n int, err error) {
	err = c.QueryRow(ctx, `SELECT (SELECT count(*) FROM label_votes WHERE user_id = $1)
		+ (SELECT count(*) FROM reactions WHERE user_id = $1)
		+ (SELECT count(*) FROM (SELECT FROM reports WHERE user_id = $1
			GROUP BY tree_id, message_id, status = 'withdrawn') r)`, id).Scan(&n)
	return n, db.Translate(err)
}

// NoteVersion is one state of a user's notes.
type NoteVersion struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Notes  string    `json:"notes"`
	Action int64     `json:"action"`
}

// NotesOf returns the last states of a user's notes, the newest first.
func NotesOf(ctx context.Context, c db.Conn, id uuid.UUID) ([]NoteVersion, error) {
	return db.Collect[NoteVersion](ctx, c, `SELECT
			a.at, a.actor_name AS by, coalesce(o.after #>> '{}', '') AS notes, a.seq AS action
		FROM action_objects o JOIN actions a ON a.id = o.action_id
		WHERE o.object_type = 'user' AND o.object_id = $1 AND o.aspect = 'notes' ORDER BY a.seq DESC LIMIT 100`, id)
}

// PrivateOf returns the data of a user that only admins may read.
func PrivateOf(ctx context.Context, c db.Conn, id uuid.UUID) (*Private, error) {
	var p Private
	err := c.QueryRow(ctx, `SELECT coalesce(u.email, ''), coalesce(l.ip, ''), l.created_at,
			(SELECT count(*) FROM sessions WHERE user_id = u.user_id AND expires_at > now())
		FROM users u LEFT JOIN LATERAL (SELECT ip, created_at FROM sessions WHERE user_id = u.user_id
			ORDER BY created_at DESC LIMIT 1) l ON true
		WHERE u.user_id = $1`, id).Scan(&p.Email, &p.IP, &p.LastSignIn, &p.Sessions)
	return &p, db.Translate(err)
}
