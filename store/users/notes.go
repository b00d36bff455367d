package users

import (
	"context"
	"time"

	"github.com/google/uuid"

	"treewarden/store/db"
)

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
