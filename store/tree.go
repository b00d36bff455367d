package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/store/db"
	"treewarden/store/messages"
)

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
func (s *Store) Trees(ctx context.Context, actor Actor, f TreeFilter) (List[Tree], error) {
	if err := need(actor, policy.Read); err != nil {
		return List[Tree]{}, err
	}
	q := db.Query{Columns: treeColumns, From: treeTables}
	if f.State != "" {
		if err := db.OneOf("state", f.State, TreeStates...); err != nil {
			return List[Tree]{}, err
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
	rows, next, prev, err := db.Fetch[treeRow](ctx, s.pool, q, treesNewest, f.Page)
	if err != nil {
		return List[Tree]{}, err
	}
	trees := make([]Tree, len(rows))
	for i, r := range rows {
		trees[i] = r.tree()
	}
	return List[Tree]{Items: trees, Next: next, Prev: prev}, nil
}

func (s *Store) tree(ctx context.Context, id uuid.UUID) (Tree, error) {
	rows, err := s.pool.Query(ctx, "SELECT "+treeColumns+db.NoCursorKey+" FROM "+treeTables+" WHERE t.tree_id = $1", id)
	if err != nil {
		return Tree{}, db.Translate(err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[treeRow])
	return r.tree(), db.Translate(err)
}

// Tree returns a tree with all its messages nested.
func (s *Store) Tree(ctx context.Context, actor Actor, id uuid.UUID) (TreeDetail, error) {
	var d TreeDetail
	if err := need(actor, policy.Read); err != nil {
		return d, err
	}
	var err error
	if d.Tree, err = s.tree(ctx, id); err != nil {
		return d, err
	}
	// Parents come before their replies, siblings in the order of ranks.
	found, err := messages.Select(ctx, s.pool, `WHERE m.tree_id = $1
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

// Languages lists the languages of trees, for filter fields.
func (s *Store) Languages(ctx context.Context) ([]string, error) {
	// Each step finds the next language by index, whatever the number of trees.
	rows, err := s.pool.Query(ctx, `WITH RECURSIVE l AS (
		(SELECT min(lang) AS lang FROM trees)
		UNION ALL SELECT (SELECT min(lang) FROM trees WHERE lang > l.lang) FROM l WHERE l.lang IS NOT NULL)
		SELECT lang FROM l WHERE lang IS NOT NULL`)
	if err != nil {
		return nil, db.Translate(err)
	}
	languages, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return languages, db.Translate(err)
}
