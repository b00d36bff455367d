package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// messageRow is a message as read from the database.
type messageRow struct {
	db.Keyed
	MessageID     uuid.UUID
	ParentID      *uuid.UUID
	TreeID        uuid.UUID
	UserID        *uuid.UUID
	CreatedDate   *time.Time
	Text          string
	Role          string
	Lang          *string
	ReviewCount   *int
	ReviewResult  *bool
	Deleted       bool
	Rank          *int
	Synthetic     bool
	ModelName     *string
	Emojis        []byte
	Labels        []byte
	Classifiers   []byte
	Edited        bool
	Depth         int
	Children      int
	TreeState     string
	Version       int
	AuthorName    *string
	AuthorStatus  *string
	AuthorRole    *string
	DeletedAt     *time.Time
	DeletedAction *int64
	DeletedRoot   *uuid.UUID
	OpenReports   int
}

// messageColumns are the columns of a messageRow, from messages m, trees t and users u.
var messageColumns = `m.message_id, m.parent_id, m.tree_id, m.user_id,
	nullif(m.created_date, '-infinity') AS created_date,
	m.text, m.role, m.lang, m.review_count, m.review_result, m.deleted, m.rank, m.synthetic, m.model_name,
	` + tables.EmojiTotalsSQL + ` AS emojis, ` + tables.LabelTotalsSQL + ` AS labels,
	` + tables.ClassifierOutputsSQL + ` AS classifiers, m.edited, m.depth,
	(SELECT count(*) FROM messages c WHERE c.tree_id = m.tree_id AND c.parent_id = m.message_id) AS children,
	t.state AS tree_state, m.version, u.display_name AS author_name,
		` + tables.UserStatusSQL + ` AS author_status, u.role AS author_role,
	m.deleted_at, m.deleted_action, m.deleted_root,
	(SELECT count(*) FROM reports r WHERE r.tree_id = m.tree_id AND r.message_id = m.message_id
		AND r.status = 'open') AS open_reports`

const messageTables = `messages m JOIN trees t ON t.tree_id = m.tree_id LEFT JOIN users u ON u.user_id = m.user_id`

func (r messageRow) message() (Message, error) {
	m := Message{
		MessageID: r.MessageID, ParentID: r.ParentID, TreeID: r.TreeID, UserID: r.UserID, CreatedDate: r.CreatedDate,
		Text: r.Text, Role: r.Role, Lang: r.Lang, Rank: r.Rank, Synthetic: r.Synthetic, ModelName: r.ModelName,
		ReviewCount: r.ReviewCount, ReviewResult: r.ReviewResult, Deleted: r.Deleted, Edited: r.Edited,
		Depth: r.Depth, Children: r.Children, TreeState: r.TreeState, Version: r.Version,
		AuthorName: r.AuthorName, AuthorRole: r.AuthorRole, OpenReports: r.OpenReports,
	}
	if r.UserID != nil {
		m.AuthorStatus = r.AuthorStatus
	}
	if r.Deleted {
		m.Deletion = &Deletion{r.DeletedAt, r.DeletedAction, r.DeletedRoot}
	}
	for _, field := range []struct {
		json []byte
		into any
	}{{r.Emojis, &m.Emojis}, {r.Labels, &m.Labels}, {r.Classifiers, &m.Classifiers}} {
		if field.json == nil {
			continue
		}
		if err := json.Unmarshal(field.json, field.into); err != nil {
			return m, fmt.Errorf("read message %s: %w", r.MessageID, err)
		}
	}
	m.Detoxify = m.Classifiers["detoxify"]
	delete(m.Classifiers, "detoxify")
	return m, nil
}

func messagesOf(rows []messageRow) ([]Message, error) {
	messages := make([]Message, len(rows))
	for i, r := range rows {
		var err error
		if messages[i], err = r.message(); err != nil {
			return nil, err
		}
	}
	return messages, nil
}

// selectMessages reads messages m; tail is the WHERE clause and what follows it.
func selectMessages(ctx context.Context, c db.Conn, tail string, args ...any) ([]Message, error) {
	return selectMessagesWith(ctx, c, "", tail, args...)
}

// selectMessagesWith is like selectMessages with a WITH clause.
func selectMessagesWith(ctx context.Context, c db.Conn, with, tail string, args ...any) ([]Message, error) {
	rows, err := c.Query(ctx, selectMessagesSQL(with, tail), args...)
	if err != nil {
		return nil, db.Translate(err)
	}
	messages, err := readMessages(rows)
	return messages, db.Translate(err)
}

func selectMessagesSQL(with, tail string) string {
	return with + " SELECT " + messageColumns + db.NoCursorKey + " FROM " + messageTables + " " + tail
}

// readMessages reads the rows of selectMessagesSQL.
func readMessages(rows pgx.Rows) ([]Message, error) {
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[messageRow])
	if err != nil {
		return nil, err
	}
	return messagesOf(found)
}

// treeOf returns the tree of a message.
func treeOf(ctx context.Context, c db.Conn, message uuid.UUID) (uuid.UUID, error) {
	var tree uuid.UUID
	err := c.QueryRow(ctx, "SELECT tree_id FROM message_trees WHERE message_id = $1", message).Scan(&tree)
	return tree, db.Translate(err)
}

// pathOf is a CTE named path, with message_id and n, of the messages from a
// message up to the prompt. n is 0 for the message itself.
const pathOf = `WITH RECURSIVE path AS (
	SELECT message_id, parent_id, 0 AS n FROM messages WHERE tree_id = $1 AND message_id = $2
	UNION ALL SELECT p.message_id, p.parent_id, path.n + 1 FROM messages p JOIN path ON p.message_id = path.parent_id
	WHERE p.tree_id = $1)`

// Message returns one message with the data of its page.
func (s *Store) Message(ctx context.Context, actor Actor, id uuid.UUID) (MessageDetail, error) {
	var d MessageDetail
	if err := need(actor, policy.Read); err != nil {
		return d, err
	}
	tree, err := treeOf(ctx, s.pool, id)
	if err != nil {
		return d, err
	}
	if d.Path, d.Replies, err = thread(ctx, s.pool, tree, id); err != nil {
		return d, err
	}
	d.Message = d.Path[len(d.Path)-1]
	if d.Siblings, err = selectMessages(ctx, s.pool, `WHERE m.tree_id = $1 AND m.parent_id = $2 `+inRankOrder,
		tree, d.ParentID); err != nil {
		return d, err
	}
	if d.Tree, err = s.tree(ctx, tree); err != nil {
		return d, err
	}
	if d.Revisions, err = revisions(ctx, s.pool, tree, id); err != nil {
		return d, err
	}
	if d.Reports, err = db.Collect[Report](ctx, s.pool, `SELECT
			r.report_id, r.message_id, r.user_id, u.display_name AS by, r.reason, r.at, r.status
		FROM reports r JOIN users u USING (user_id) WHERE r.tree_id = $1 AND r.message_id = $2
			ORDER BY r.at DESC`, tree, id); err != nil {
		return d, err
	}
	if d.Votes, err = db.Collect[Vote](ctx, s.pool, `SELECT
			v.user_id, u.display_name AS by, v.at, `+tables.VotesSQL+` AS labels
		FROM label_votes v JOIN users u USING (user_id) WHERE v.tree_id = $1 AND v.message_id = $2
			ORDER BY v.at`, tree, id); err != nil {
		return d, err
	}
	d.Reactions, err = db.Collect[Reaction](ctx, s.pool, `SELECT r.user_id, u.display_name AS by, r.emoji, r.at
		FROM reactions r JOIN users u USING (user_id) WHERE r.tree_id = $1 AND r.message_id = $2
			ORDER BY r.at LIMIT 500`, tree, id)
	return d, err
}

// inRankOrder is the order of siblings in trees: ranked ones first.
const inRankOrder = `ORDER BY m.rank NULLS LAST, m.created_date, m.message_id`

// thread reads the path from the prompt to a message, and its replies.
func thread(ctx context.Context, c db.Conn, tree, id uuid.UUID) (path, replies []Message, err error) {
	path, err = selectMessagesWith(ctx, c, pathOf, `JOIN path USING (message_id) WHERE m.tree_id = $1
		ORDER BY path.n DESC`, tree, id)
	if err != nil {
		return nil, nil, err
	}
	if len(path) == 0 {
		return nil, nil, ErrNotFound
	}
	replies, err = selectMessages(ctx, c, `WHERE m.tree_id = $1 AND m.parent_id = $2 `+inRankOrder, tree, id)
	return path, replies, err
}

// Thread returns the path from the prompt to a message, and its replies.
func (s *Store) Thread(ctx context.Context, actor Actor, id uuid.UUID) (path, replies []Message, err error) {
	if err := need(actor, policy.Read); err != nil {
		return nil, nil, err
	}
	tree, err := treeOf(ctx, s.pool, id)
	if err != nil {
		return nil, nil, err
	}
	return thread(ctx, s.pool, tree, id)
}

// Revisions returns all texts of a message, the oldest first, or none if the
// message was never edited.
func (s *Store) Revisions(ctx context.Context, actor Actor, id uuid.UUID) ([]Revision, error) {
	if err := need(actor, policy.Read); err != nil {
		return nil, err
	}
	tree, err := treeOf(ctx, s.pool, id)
	if err != nil {
		return nil, err
	}
	return revisions(ctx, s.pool, tree, id)
}

func revisions(ctx context.Context, c db.Conn, tree, id uuid.UUID) ([]Revision, error) {
	return db.Collect[Revision](ctx, c, `SELECT r.revision_id, r.text, r.user_id, coalesce(u.display_name, '') AS by,
			nullif(r.at, '-infinity') AS at, r.action_id AS action, r.action_id IS NULL AS original
		FROM revisions r LEFT JOIN users u USING (user_id) WHERE r.tree_id = $1 AND r.message_id = $2
			ORDER BY r.revision_id`, tree, id)
}
