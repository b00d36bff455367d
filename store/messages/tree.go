package messages

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
	"treewarden/store/tables"
)

// Tree is one conversation tree.
type Tree struct {
	TreeID           uuid.UUID  `json:"id"`
	State            string     `json:"state"`
	Active           bool       `json:"active"`
	GoalTreeSize     *int       `json:"goal_tree_size"`
	MaxDepth         *int       `json:"max_depth"`
	MaxChildrenCount *int       `json:"max_children_count"`
	Origin           *string    `json:"origin"`
	Lang             *string    `json:"lang"`
	CreatedDate      *time.Time `json:"created_date"`
	Author           *uuid.UUID `json:"author"`
	AuthorName       *string    `json:"author_name"`
	HaltedState      *string    `json:"halted_state"` // the state that resume restores
	Version          int        `json:"version"`
	Excerpt          string     `json:"excerpt"` // the beginning of the prompt
	Messages         int        `json:"messages"`
}

// TreeFilter narrows the list of trees.
type TreeFilter struct {
	State, Lang, Origin string
	Within              []string // only these languages; nil for all
	Author              *uuid.UUID
	db.Page
}

// Node is a message with its replies, ranked first, then by date.
type Node struct {
	Message
	Replies []*Node `json:"replies"`
}

// TreeDetail is a tree with its messages nested. Prompt is nil if the tree has no
// message yet.
type TreeDetail struct {
	Tree
	Prompt *Node `json:"prompt"`
}

type treeRow struct {
	db.Keyed
	TreeID           uuid.UUID
	State            string
	Active           bool
	GoalTreeSize     *int
	MaxDepth         *int
	MaxChildrenCount *int
	Origin           *string
	Lang             *string
	CreatedDate      *time.Time
	Author           *uuid.UUID
	AuthorName       *string
	HaltedState      *string
	Version          int
	Excerpt          string
	Messages         int
}

func (r treeRow) tree() Tree {
	return Tree{
		r.TreeID, r.State, r.Active, r.GoalTreeSize, r.MaxDepth, r.MaxChildrenCount, r.Origin, r.Lang,
		r.CreatedDate, r.Author, r.AuthorName, r.HaltedState, r.Version, r.Excerpt, r.Messages,
	}
}

const treeColumns = `t.tree_id, t.state, t.active, t.goal_tree_size, t.max_depth, t.max_children_count,
	t.origin, t.lang, nullif(t.created_date, '-infinity') AS created_date,
	t.user_id AS author, u.display_name AS author_name, t.halted_state, t.version,
	coalesce((SELECT left(m.text, 200) FROM messages m
		WHERE m.tree_id = t.tree_id AND m.parent_id IS NULL LIMIT 1), '') AS excerpt,
	(SELECT count(*) FROM messages m WHERE m.tree_id = t.tree_id) AS messages`

const treeTables = `trees t LEFT JOIN users u ON u.user_id = t.user_id`

var treesNewest = db.Order{Name: "trees", Desc: true,
	Keys: []db.Key{{Expr: "t.created_date", Typ: "timestamptz"}, {Expr: "t.tree_id", Typ: "uuid"}}}

// Trees lists trees, the newest first.
func Trees(ctx context.Context, c db.Conn, f TreeFilter) (db.List[Tree], error) {
	q := db.Query{Columns: treeColumns, From: treeTables}
	if f.State != "" {
		if err := db.OneOf("state", f.State, tables.TreeStates...); err != nil {
			return db.List[Tree]{}, err
		}
		q.Where("t.state = ?", f.State)
	}
	if f.Lang != "" {
		q.Where("t.lang = ?", f.Lang)
	}
	q.WithinLanguages("t.lang", f.Within)
	if f.Origin != "" {
		q.Where("t.origin = ?", f.Origin)
	}
	if f.Author != nil {
		q.Where("t.user_id = ?", *f.Author)
	}
	rows, next, prev, err := db.Fetch[treeRow](ctx, c, q, treesNewest, f.Page)
	if err != nil {
		return db.List[Tree]{}, err
	}
	trees := make([]Tree, len(rows))
	for i, r := range rows {
		trees[i] = r.tree()
	}
	return db.List[Tree]{Items: trees, Next: next, Prev: prev}, nil
}

// TreeByID returns a tree without its messages, or ErrNotFound.
func TreeByID(ctx context.Context, c db.Conn, id uuid.UUID) (Tree, error) {
	rows, err := c.Query(ctx, "SELECT "+treeColumns+db.NoCursorKey+" FROM "+treeTables+" WHERE t.tree_id = $1", id)
	if err != nil {
		return Tree{}, db.Translate(err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[treeRow])
	return r.tree(), db.Translate(err)
}

// Nested returns a tree with all its messages nested, or ErrNotFound. Texts end after a
// number of characters; 0 stands for whole texts.
func Nested(ctx context.Context, c db.Conn, id uuid.UUID, textLimit int) (d TreeDetail, err error) {
	if d.Tree, err = TreeByID(ctx, c, id); err != nil {
		return d, err
	}
	// Parents come before their replies, siblings in the order of ranks.
	found, err := selectWith(ctx, c, "", columnsUpTo(textLimit), `WHERE m.tree_id = $1
		ORDER BY m.depth, m.rank NULLS LAST, m.created_date, m.message_id`, id)
	if err != nil {
		return d, err
	}
	nodes := make(map[uuid.UUID]*Node, len(found))
	for _, m := range found {
		node := &Node{Message: m, Replies: []*Node{}}
		nodes[m.MessageID] = node
		if m.ParentID == nil {
			d.Prompt = node
		} else if parent := nodes[*m.ParentID]; parent != nil {
			parent.Replies = append(parent.Replies, node)
		}
	}
	return d, nil
}

// TreeLanguages lists the languages of trees.
func TreeLanguages(ctx context.Context, c db.Conn) ([]string, error) {
	// Each step finds the next language by index, whatever the number of trees.
	rows, err := c.Query(ctx, `WITH RECURSIVE l AS (
		(SELECT min(lang) AS lang FROM trees)
		UNION ALL SELECT (SELECT min(lang) FROM trees WHERE lang > l.lang) FROM l WHERE l.lang IS NOT NULL)
		SELECT lang FROM l WHERE lang IS NOT NULL`)
	if err != nil {
		return nil, db.Translate(err)
	}
	languages, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return languages, db.Translate(err)
}
