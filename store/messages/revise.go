package messages

import (
	"context"
	"time"

	"github.com/google/uuid"

	"treewarden/store/db"
)

// Revise inserts the first text of a message into its revisions, unless it is there,
// and the new text, which an action of a person gives it.
func Revise(
	ctx context.Context, c db.Conn, m Message, text string, by *uuid.UUID, at time.Time, action int64,
) error {
	if _, err := c.Exec(ctx, `INSERT INTO revisions (tree_id, message_id, text, user_id, at)
		SELECT m.tree_id, m.message_id, m.text, m.user_id, m.created_date FROM messages m
		WHERE m.tree_id = $1 AND m.message_id = $2
		AND NOT EXISTS (SELECT FROM revisions r WHERE r.tree_id = m.tree_id AND r.message_id = m.message_id)`,
		m.TreeID, m.MessageID); err != nil {
		return err
	}
	_, err := c.Exec(ctx, `INSERT INTO revisions (tree_id, message_id, text, user_id, at, action_id)
		VALUES ($1, $2, $3, $4, $5, $6)`, m.TreeID, m.MessageID, text, by, at, action)
	return err
}

// ReviseBack adds the texts that the undo of an action restores to the revisions.
func ReviseBack(ctx context.Context, c db.Conn, undone int64, by *uuid.UUID, at time.Time, action int64) error {
	_, err := c.Exec(ctx, `INSERT INTO revisions (tree_id, message_id, text, user_id, at, action_id)
		SELECT tree_id, object_id, before->>'text', $3, $4, $1 FROM action_objects WHERE action_id = $2 AND aspect = 'text'`,
		action, undone, by, at)
	return err
}
