// Package messages reads messages: one, those of a thread, and lists of them by a
// filter.
package messages

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus/search"
	"treewarden/store/db"
	"treewarden/store/derived"
	"treewarden/store/tables"
)

// Label is the mean and the number of the votes for one label.
type Label struct {
	Value *float64 `json:"value"`
	Count int      `json:"count"`
}

// Message is one node of a tree, with the names of the OASST export.
type Message struct {
	MessageID    uuid.UUID                      `json:"message_id"`
	ParentID     *uuid.UUID                     `json:"parent_id"`
	TreeID       uuid.UUID                      `json:"message_tree_id"`
	UserID       *uuid.UUID                     `json:"user_id"`
	CreatedDate  *time.Time                     `json:"created_date"`
	Text         string                         `json:"text"`
	Role         string                         `json:"role"`
	Lang         *string                        `json:"lang"`
	ReviewCount  *int                           `json:"review_count"`
	ReviewResult *bool                          `json:"review_result"`
	Deleted      bool                           `json:"deleted"`
	Rank         *int                           `json:"rank"`
	Synthetic    bool                           `json:"synthetic"`
	ModelName    *string                        `json:"model_name"`
	Emojis       map[string]int                 `json:"emojis"` // null: no reaction record
	Labels       map[string]Label               `json:"labels"`
	Detoxify     map[string]*float64            `json:"detoxify"`
	Classifiers  map[string]map[string]*float64 `json:"classifiers"` // the other models
	Edited       bool                           `json:"edited"`
	Depth        int                            `json:"depth"`
	Children     int                            `json:"children_count"`
	TreeState    string                         `json:"tree_state"`
	Version      int                            `json:"version"`
	// AuthorName and AuthorStatus are null without an author.
	AuthorName   *string   `json:"author_name"`
	AuthorStatus *string   `json:"author_status"`
	AuthorRole   *string   `json:"author_role"`
	Deletion     *Deletion `json:"deletion"`
	OpenReports  int       `json:"open_reports"`
	// Marks are the places in the text, as it is here, where a search found its words.
	Marks []search.Span `json:"marks,omitempty" description:"where the searched words are in the text"`
	// Wave is set where messages are listed by a filter, and where one message is read.
	Wave *tables.InWave `json:"wave,omitempty" description:"the wave that it is in, if that was read"`
	// Stale are the classifiers whose outputs are about a former text.
	Stale []string `json:"stale_classifiers,omitempty" description:"the models whose outputs are about a former text"`
}

// Deletion describes the deletion of a message.
type Deletion struct {
	At     *time.Time `json:"at"`
	Action *int64     `json:"action"` // null if it was imported as deleted
	Root   *uuid.UUID `json:"root"`   // the target of the delete
}

// row is a message as read from the database.
type row struct {
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
	Stale         []string
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

// Columns are the columns of a row, from messages m, trees t and users u.
var Columns = `m.message_id, m.parent_id, m.tree_id, m.user_id,
	nullif(m.created_date, '-infinity') AS created_date,
	m.text, m.role, m.lang, m.review_count, m.review_result, m.deleted, m.rank, m.synthetic, m.model_name,
	` + tables.EmojiTotalsSQL + ` AS emojis, ` + tables.LabelTotalsSQL + ` AS labels,
	` + tables.ClassifierOutputsSQL + ` AS classifiers, m.edited, m.depth,
	(SELECT count(*) FROM messages c WHERE c.tree_id = m.tree_id AND c.parent_id = m.message_id) AS children,
	t.state AS tree_state, m.version, u.display_name AS author_name,
		` + tables.UserStatusSQL + ` AS author_status, u.role AS author_role,
	m.deleted_at, ` + tables.NumberSQL("m.deleted_action") + ` AS deleted_action, m.deleted_root,
	(SELECT count(*) FROM reports r WHERE r.tree_id = m.tree_id AND r.message_id = m.message_id
		AND r.status = 'open') AS open_reports,
	` + staleSQL + ` AS stale`

// staleSQL has the models with outputs of message m that are about a former text. Texts
// are compared only of messages that were changed, so that lists stay fast.
var staleSQL = `CASE WHEN m.version > 1 THEN (SELECT array_agg(k.name ORDER BY k.name) FROM classifier_outputs o
		JOIN classifier_models k USING (model_id)
		WHERE o.tree_id = m.tree_id AND o.message_id = m.message_id AND ` + derived.StaleSQL + `) END`

const Tables = `messages m JOIN trees t ON t.tree_id = m.tree_id LEFT JOIN users u ON u.user_id = m.user_id`

func (r row) message() (Message, error) {
	m := Message{
		MessageID: r.MessageID, ParentID: r.ParentID, TreeID: r.TreeID, UserID: r.UserID, CreatedDate: r.CreatedDate,
		Text: r.Text, Role: r.Role, Lang: r.Lang, Rank: r.Rank, Synthetic: r.Synthetic, ModelName: r.ModelName,
		ReviewCount: r.ReviewCount, ReviewResult: r.ReviewResult, Deleted: r.Deleted, Edited: r.Edited,
		Depth: r.Depth, Children: r.Children, TreeState: r.TreeState, Version: r.Version,
		AuthorName: r.AuthorName, AuthorRole: r.AuthorRole, OpenReports: r.OpenReports, Stale: r.Stale,
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

func messagesOf(rows []row) ([]Message, error) {
	messages := make([]Message, len(rows))
	for i, r := range rows {
		var err error
		if messages[i], err = r.message(); err != nil {
			return nil, err
		}
	}
	return messages, nil
}

// Shown is the number of characters of a text that pages show, if nobody asks for the
// whole of it. They read one more, so that they know whether there are more.
const Shown = 20_000

// columnsUpTo returns Columns with texts that end after a number of characters; 0
// stands for whole texts.
func columnsUpTo(limit int) string {
	if limit == 0 {
		return Columns
	}
	return strings.Replace(Columns, "m.text,", fmt.Sprintf("left(m.text, %d) AS text,", limit), 1)
}

// Select reads messages m; tail is the WHERE clause and what follows it.
func Select(ctx context.Context, c db.Conn, tail string, args ...any) ([]Message, error) {
	return selectWith(ctx, c, "", Columns, tail, args...)
}

// Named reads the beginnings of messages by their ids, for pages. Unknown ids are left
// out.
func Named(ctx context.Context, c db.Conn, ids []uuid.UUID) (map[uuid.UUID]Message, error) {
	return NamedUpTo(ctx, c, ids, Shown+1)
}

// NamedUpTo is Named with texts that end after a number of characters; 0 stands for
// whole texts.
func NamedUpTo(ctx context.Context, c db.Conn, ids []uuid.UUID, limit int) (map[uuid.UUID]Message, error) {
	found, err := selectWith(ctx, c, "", columnsUpTo(limit), `WHERE (m.tree_id, m.message_id)
		IN (SELECT tree_id, message_id FROM message_trees WHERE message_id = ANY ($1))`, ids)
	named := make(map[uuid.UUID]Message, len(found))
	for _, m := range found {
		named[m.MessageID] = m
	}
	return named, err
}

// selectWith is like Select with a WITH clause and the columns of a row.
func selectWith(ctx context.Context, c db.Conn, with, columns, tail string, args ...any) ([]Message, error) {
	rows, err := c.Query(ctx, selectSQL(with, columns, tail), args...)
	if err != nil {
		return nil, db.Translate(err)
	}
	messages, err := Read(rows)
	return messages, db.Translate(err)
}

// SelectSQL is the query of Select with a WITH clause.
func SelectSQL(with, tail string) string { return selectSQL(with, Columns, tail) }

func selectSQL(with, columns, tail string) string {
	return with + " SELECT " + columns + db.NoCursorKey + " FROM " + Tables + " " + tail
}

// Read reads the rows of SelectSQL.
func Read(rows pgx.Rows) ([]Message, error) {
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[row])
	if err != nil {
		return nil, err
	}
	return messagesOf(found)
}

// TreeOf returns the tree of a message.
func TreeOf(ctx context.Context, c db.Conn, message uuid.UUID) (uuid.UUID, error) {
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
