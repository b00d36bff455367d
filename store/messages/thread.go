package messages

import (
	"context"
	"time"

	"github.com/google/uuid"

	"treewarden/store/db"
	"treewarden/store/tables"
)

// Revision is one text of a message.
type Revision struct {
	RevisionID int64      `json:"revision_id"`
	Text       string     `json:"text"`
	UserID     *uuid.UUID `json:"user_id"`
	By         string     `json:"by"`
	At         *time.Time `json:"at"`
	Action     *int64     `json:"action"`
	Original   bool       `json:"original"`
}

// Report is one user's report of a message. Further reports of the same user with the
// same status are further lines of its reason.
type Report struct {
	ReportID  int64     `json:"report_id"`
	MessageID uuid.UUID `json:"message_id"`
	UserID    uuid.UUID `json:"user_id"`
	By        string    `json:"by"`
	Reason    string    `json:"reason"`
	At        time.Time `json:"at"`
	Status    string    `json:"status"`
}

// Vote holds one user's labels of a message.
type Vote struct {
	UserID uuid.UUID          `json:"user_id"`
	By     string             `json:"by"`
	At     time.Time          `json:"at"`
	Labels map[string]float64 `json:"labels"`
}

// Reaction is one user's reaction to a message.
type Reaction struct {
	UserID uuid.UUID `json:"user_id"`
	By     string    `json:"by"`
	Emoji  string    `json:"emoji"`
	At     time.Time `json:"at"`
}

// inRankOrder is the order of siblings in trees: ranked ones first.
const inRankOrder = `ORDER BY m.rank NULLS LAST, m.created_date, m.message_id`

// Thread returns the path from the prompt to a message of a tree, and its replies.
func Thread(ctx context.Context, c db.Conn, tree, id uuid.UUID) (path, replies []Message, err error) {
	path, err = selectWith(ctx, c, pathOf, Columns, `JOIN path USING (message_id) WHERE m.tree_id = $1
		ORDER BY path.n DESC`, tree, id)
	if err != nil {
		return nil, nil, err
	}
	if len(path) == 0 {
		return nil, nil, db.ErrNotFound
	}
	replies, err = Select(ctx, c, `WHERE m.tree_id = $1 AND m.parent_id = $2 `+inRankOrder, tree, id)
	return path, replies, err
}

// Siblings returns the replies to a message's parent, by rank.
func Siblings(ctx context.Context, c db.Conn, tree uuid.UUID, parent *uuid.UUID) ([]Message, error) {
	return Select(ctx, c, `WHERE m.tree_id = $1 AND m.parent_id = $2 `+inRankOrder, tree, parent)
}

// Revisions returns all texts of a message, the oldest first, or none if the
// message has the one it came with. A text that is not the original and has no action
// came by an import.
func Revisions(ctx context.Context, c db.Conn, tree, id uuid.UUID) ([]Revision, error) {
	return db.Collect[Revision](ctx, c, `SELECT r.revision_id, r.text, r.user_id, coalesce(u.display_name, '') AS by,
			nullif(r.at, '-infinity') AS at, `+tables.NumberSQL("r.action_id")+` AS action,
			r.action_id IS NULL AND row_number() OVER (ORDER BY r.revision_id) = 1 AS original
		FROM revisions r LEFT JOIN users u USING (user_id) WHERE r.tree_id = $1 AND r.message_id = $2
			ORDER BY r.revision_id`, tree, id)
}

// Reports returns the reports of a message, one for each user and status, the newest
// first.
func Reports(ctx context.Context, c db.Conn, tree, id uuid.UUID) ([]Report, error) {
	return db.Collect[Report](ctx, c, `SELECT
			r.report_id, r.message_id, r.user_id, u.display_name AS by, r.reason, r.at, r.status
		FROM (SELECT min(report_id) AS report_id, message_id, user_id, status, min(at) AS at,
				string_agg(reason, E'\n' ORDER BY at, report_id) AS reason
			FROM reports WHERE tree_id = $1 AND message_id = $2 GROUP BY message_id, user_id, status) r
		JOIN users u USING (user_id) ORDER BY r.at DESC, r.report_id DESC`, tree, id)
}

// Votes returns the labels of a message by each rater, the oldest first.
func Votes(ctx context.Context, c db.Conn, tree, id uuid.UUID) ([]Vote, error) {
	return db.Collect[Vote](ctx, c, `SELECT
			v.user_id, u.display_name AS by, v.at, `+tables.VotesSQL+` AS labels
		FROM label_votes v JOIN users u USING (user_id) WHERE v.tree_id = $1 AND v.message_id = $2
			ORDER BY v.at`, tree, id)
}

// Reactions returns the first 500 reactions to a message.
func Reactions(ctx context.Context, c db.Conn, tree, id uuid.UUID) ([]Reaction, error) {
	return db.Collect[Reaction](ctx, c, `SELECT r.user_id, u.display_name AS by, r.emoji, r.at
		FROM reactions r JOIN users u USING (user_id) WHERE r.tree_id = $1 AND r.message_id = $2
			ORDER BY r.at LIMIT 500`, tree, id)
}
