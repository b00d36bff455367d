package selection

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"treewarden/store/cases"
	"treewarden/store/db"
)

// TouchedSQL selects the tree_id and the message_id of the messages whose counts the
// undo of action $1 may change.
const TouchedSQL = `SELECT tree_id, object_id AS message_id FROM action_objects
		WHERE action_id = $1 AND object_type = 'message'
	UNION SELECT m.tree_id, m.message_id FROM action_objects o
		JOIN messages m ON m.tree_id = o.object_id AND m.parent_id IS NULL
		WHERE o.action_id = $1 AND o.object_type = 'tree'
	UNION SELECT tree_id, message_id FROM late_replies WHERE action_id = $1
	UNION SELECT tree_id, message_id FROM label_votes WHERE user_id IN (` + ofBannedSQL + `)
	UNION SELECT tree_id, message_id FROM reactions WHERE user_id IN (` + ofBannedSQL + `)
	UNION SELECT tree_id, message_id FROM reports WHERE user_id IN (` + ofBannedSQL + `)`

// TouchedByDeletionSQL selects the same for an action that deletes messages and changes
// nothing else that counts.
const TouchedByDeletionSQL = `SELECT tree_id, object_id AS message_id FROM action_objects
		WHERE action_id = $1 AND object_type = 'message' AND aspect = 'deletion'
	UNION ALL SELECT tree_id, message_id FROM late_replies WHERE action_id = $1`

// StayDeletedSQL tells whether some of these messages are deleted after the undo of action
// $1 too, or below a message that another action deleted. They were deleted before it, or
// another action deleted the reply since.
const StayDeletedSQL = `SELECT EXISTS (SELECT FROM action_objects WHERE action_id = $1 AND object_type = 'message'
		AND aspect = 'deletion' AND before->>'deleted' = 'true')
	OR EXISTS (SELECT FROM late_replies l JOIN messages m ON m.tree_id = l.tree_id AND m.message_id = l.message_id
		WHERE l.action_id = $1 AND m.deleted AND m.deleted_action IS DISTINCT FROM $1)
	OR EXISTS (SELECT FROM (SELECT tree_id, object_id FROM action_objects
		WHERE action_id = $1 AND object_type = 'message' AND aspect = 'deletion' ORDER BY tree_id, object_id) o
		JOIN messages m ON m.tree_id = o.tree_id AND m.message_id = o.object_id AND m.deleted_root = m.message_id
		JOIN messages p ON p.tree_id = m.tree_id AND p.message_id = m.parent_id AND p.deleted_action <> $1)`

// DeletedAboveSQL selects a message above one that the undo of action $1 restores, and the
// action that deleted it. A message that came deleted was so before, too.
const DeletedAboveSQL = `SELECT p.message_id, p.deleted_action FROM (SELECT tree_id, object_id FROM action_objects
		WHERE action_id = $1 AND aspect = 'deletion' AND before->>'root' = object_id::text
		ORDER BY tree_id, object_id) o
	JOIN messages m ON m.tree_id = o.tree_id AND m.message_id = o.object_id AND NOT m.deleted
	JOIN messages p ON p.tree_id = m.tree_id AND p.message_id = m.parent_id AND p.deleted
		AND p.deleted_action IS NOT NULL LIMIT 1`

// LockUndone locks the trees of the messages whose counts the undo of an action may change,
// and returns the query for these messages. deletes says that the action did nothing else
// than to delete, noFeedback that it changed no labels, reactions and reports: otherwise
// their raters are locked too, so that they are not banned meanwhile.
func LockUndone(ctx context.Context, c db.Conn, action int64, deletes, noFeedback bool) (touched string, err error) {
	if touched = TouchedSQL; deletes {
		touched = TouchedByDeletionSQL
	}
	if !noFeedback {
		if _, err := c.Exec(ctx, `SELECT FROM users WHERE user_id IN (SELECT right(aspect, 36)::uuid FROM action_objects
			WHERE action_id = $1 AND aspect ~ '^(label|reaction|report):') ORDER BY user_id FOR SHARE`, action); err != nil {
			return "", err
		}
	}
	_, err = c.Exec(ctx, "SELECT FROM trees WHERE tree_id IN (SELECT tree_id FROM ("+touched+
		") w) ORDER BY tree_id FOR UPDATE", action)
	return touched, err
}

const ofBannedSQL = "SELECT object_id FROM action_objects WHERE action_id = $1 AND aspect = 'ban'"

// KindOf returns the kind of a bulk act in the log and, for the kind List, the list. It
// returns Reject for Accept too: their undo is the same.
func KindOf(ctx context.Context, c db.Conn, action int64) (kind string, list uuid.UUID, err error) {
	var object, aspect string
	// Of the objects of a bulk act on a list, the list comes first.
	if err = c.QueryRow(ctx, `SELECT object_type, object_id, aspect FROM action_objects
		WHERE action_id = $1 AND aspect <> '`+cases.Aspect+`'
		ORDER BY object_type LIMIT 1`, action).Scan(&object, &list, &aspect); err != nil {
		return "", list, err
	}
	if object == "list" {
		return List, list, nil
	}
	kind, ok := map[string]string{"deletion": Delete, "review": Reject, "ban": Ban, "state": Halt}[aspect]
	if !ok {
		err = fmt.Errorf("action %d changed %s in bulk, which this version of the program cannot undo", action, aspect)
	}
	return kind, uuid.Nil, err
}

// LanguagesSQL selects each language of what bulk act $1 changed. The replies of deleted
// messages and the cases that it closed are not asked.
const LanguagesSQL = `SELECT coalesce(m.lang, 'und') AS language FROM action_objects o
		JOIN messages m ON m.tree_id = o.tree_id AND m.message_id = o.object_id
		WHERE o.action_id = $1 AND o.object_type = 'message'
			AND o.aspect <> '` + cases.Aspect + `' AND (o.aspect <> 'deletion' OR o.after->>'root' = o.object_id::text)
	UNION SELECT ` + treeLang + ` FROM action_objects t WHERE t.action_id = $1 AND t.object_type = 'tree'
	UNION SELECT ` + userLang + ` FROM action_objects o JOIN users u ON u.user_id = o.object_id
		WHERE o.action_id = $1 AND o.object_type = 'user'`
