// Package selection finds the messages, users and trees that an action changes: those
// below a deleted message, and those that a bulk act selects.
package selection

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
)

// Chosen holds the messages whose deletion an action changes. One query finds
// them: a preview counts them, and the action changes exactly these.
type Chosen struct {
	Trees, Messages []uuid.UUID
	Roots           []uuid.UUID // for a delete: the selected message above each message
	// Authors are, for a delete, those of the selected messages that have one.
	Authors []uuid.UUID
	// for an undelete: the parents, and their trees
	Parents, ParentTrees []uuid.UUID
	// Others counts the messages that are not by the author whom the action is about.
	Others int64

	by *uuid.UUID // that author
}

// Deleted runs a query for tree_id, message_id, user_id and parent_id of the messages
// that an undelete restores. by is the author whom the action is about, if any.
func Deleted(ctx context.Context, c db.Conn, by *uuid.UUID, query string, args ...any) (Chosen, error) {
	found := Chosen{by: by}
	rows, err := c.Query(ctx, query, args...)
	if err != nil {
		return found, err
	}
	var tree, message uuid.UUID
	var author, parent *uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&tree, &message, &author, &parent}, func() error {
		found.add(tree, message, author, nil)
		if parent != nil {
			found.Parents, found.ParentTrees = append(found.Parents, *parent), append(found.ParentTrees, tree)
		}
		return nil
	})
	return found, err
}

// add adds a message. root is nil for an undelete.
func (c *Chosen) add(tree, message uuid.UUID, author, root *uuid.UUID) {
	c.Trees, c.Messages = append(c.Trees, tree), append(c.Messages, message)
	if root != nil {
		c.Roots = append(c.Roots, *root)
		if *root == message && author != nil {
			c.Authors = append(c.Authors, *author)
		}
	}
	if (author == nil) != (c.by == nil) || author != nil && *author != *c.by {
		c.Others++
	}
}

// Subtrees finds the messages m of a FROM clause with its WHERE that are not
// deleted, with all replies below them. The root of a reply below several of them is the
// topmost, whose undelete restores it. by is the author whom the action is about, if any.
//
// The query visits each message once, however many of those above it fulfil the
// condition: it does not carry roots, which follow from the parents. So a chain of
// replies to oneself costs no more than as many single messages.
func Subtrees(ctx context.Context, c db.Conn, by *uuid.UUID, from string, args ...any) (Chosen, error) {
	found := Chosen{by: by}
	rows, err := c.Query(ctx, `WITH RECURSIVE below AS (
			SELECT m.tree_id, m.message_id, m.parent_id, m.user_id, m.deleted, m.depth
				FROM `+from+` AND NOT m.deleted
			UNION SELECT c.* FROM below b, LATERAL (SELECT tree_id, message_id, parent_id, user_id, deleted, depth
				FROM messages WHERE tree_id = b.tree_id AND parent_id = b.message_id OFFSET 0) c)
		SELECT tree_id, message_id, parent_id, user_id, deleted FROM below ORDER BY tree_id, depth, message_id`, args...)
	if err != nil {
		return found, err
	}
	var tree, message uuid.UUID
	var parent, author *uuid.UUID
	var deleted bool
	roots := map[uuid.UUID]uuid.UUID{} // parents come before their replies
	_, err = pgx.ForEachRow(rows, []any{&tree, &message, &parent, &author, &deleted}, func() error {
		root := message
		if parent != nil {
			if above, ok := roots[*parent]; ok {
				root = above
			}
		}
		roots[message] = root
		if !deleted {
			found.add(tree, message, author, &root)
		}
		return nil
	})
	return found, err
}

// Above returns the parents of the messages that are none of them, with their trees.
func (c Chosen) Above() (trees, above []uuid.UUID) {
	back := make(map[uuid.UUID]bool, len(c.Messages))
	for _, message := range c.Messages {
		back[message] = true
	}
	for i, parent := range c.Parents {
		if !back[parent] {
			trees, above = append(trees, c.ParentTrees[i]), append(above, parent)
		}
	}
	return trees, above
}
