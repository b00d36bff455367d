package store

import (
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/store/audit"
	"treewarden/store/cases"
	"treewarden/store/db"
	"treewarden/store/selection"
)

func init() {
	isDeleted := func(m Message) bool { return m.Deleted }
	register(Kind{
		Name: "delete", Target: "message", Path: "delete", Place: 60,
		Title: "Delete message", Button: "Delete", Past: "Deleted",
		Permission: policy.MessageDelete, Undoable: true, Previewable: true, NeedsReason: true, Destructive: true,
		Effect: always("Deletes the message and all replies below it. An undo brings back exactly these messages."),
		Menu: []MenuEntry{{
			Text: "Delete…", Icon: "trash", Key: "d", Shows: func(m Message) bool { return !isDeleted(m) },
		}},
		aspects: []aspect{deletionAspect, caseAspect{}},
	}, deleteMessage)
	register(Kind{
		Name: "undelete", Target: "message", Path: "undelete", Place: 65,
		Title: "Undelete message", Button: "Undelete", Past: "Undeleted",
		Permission: policy.MessageDelete, Undoable: true, Previewable: true, NeedsReason: true,
		Effect:  always("Brings back exactly the messages that were deleted together with this one."),
		Menu:    []MenuEntry{{Text: "Undelete…", Icon: "undo", Shows: isDeleted}},
		aspects: []aspect{deletionAspect},
	}, undeleteMessage)
}

// find finds the messages that an undelete restores.
func (d *actionTx) find(query string, args ...any) (selection.Chosen, error) {
	return selection.Deleted(d.Ctx, d.Conn, d.author, query, args...)
}

// findSubtrees finds the messages of a FROM clause with its WHERE that are not deleted,
// with all replies below them.
func (d *actionTx) findSubtrees(from string, args ...any) (selection.Chosen, error) {
	return selection.Subtrees(d.Ctx, d.Conn, d.author, from, args...)
}

// delete deletes messages that findSubtrees found.
func (d *actionTx) delete(c selection.Chosen) error {
	d.affected.Messages, d.affected.OthersMessages = int64(len(c.Messages)), c.Others
	if d.act.Preview || len(c.Messages) == 0 {
		return nil
	}
	if err := d.update.Delete(d.Ctx, d.Conn, d.store.pool, c.Trees, c.Messages, c.Authors, d.at); err != nil {
		return err
	}
	return db.InParts(len(c.Messages), d.act.Progress, func(from, to int) error {
		_, err := d.change(deletionAspect,
			"chosen AS (SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::uuid[]) AS c(tree_id, id, root))",
			`deleted = true, deleted_at = $5, deleted_action = $1, deleted_root = chosen.root, deletion_by_staff = true`,
			db.IDArray(c.Trees[from:to]), db.IDArray(c.Messages[from:to]), db.IDArray(c.Roots[from:to]), d.at)
		return err
	})
}

// undelete restores messages.
func (d *actionTx) undelete(c selection.Chosen) error {
	d.affected.Messages, d.affected.OthersMessages = int64(len(c.Messages)), c.Others
	if d.act.Preview || len(c.Messages) == 0 {
		return nil
	}
	if err := d.update.WatchDeletion(d.Ctx, d.Conn, d.at,
		"SELECT * FROM unnest($1::uuid[], $2::uuid[]) g (tree_id, message_id)",
		db.IDArray(c.Trees), db.IDArray(c.Messages)); err != nil {
		return err
	}
	_, err := d.change(deletionAspect, "chosen AS (SELECT * FROM unnest($2::uuid[], $3::uuid[]) AS c(tree_id, id))",
		`deleted = false, deleted_at = NULL, deleted_action = NULL, deleted_root = NULL, deletion_by_staff = true`,
		db.IDArray(c.Trees), db.IDArray(c.Messages))
	return err
}

func deleteMessage(d *actionTx, p CloseParams) error {
	m, err := d.lockMessage(d.act.Target)
	if err != nil {
		return err
	}
	if m.Deleted {
		return d.withLatest(&Conflict{Why: "This message is deleted already.", Version: m.Version})
	}
	if err := d.checkVersion(m.Version); err != nil {
		return err
	}
	found, err := d.findSubtrees("messages m WHERE m.tree_id = $1 AND m.message_id = $2", m.TreeID, m.MessageID)
	if err != nil {
		return err
	}
	if err := d.delete(found); err != nil {
		return err
	}
	return d.closeCases(p, cases.Delete, "c.tree_id = $4 AND c.message_id = ANY($5)", m.TreeID, db.IDArray(found.Messages))
}

func undeleteMessage(d *actionTx, _ NoParams) error {
	m, err := d.lockMessage(d.act.Target)
	if err != nil {
		return err
	}
	if !m.Deleted {
		return d.withLatest(&Conflict{Why: "This message is not deleted.", Version: m.Version})
	}
	if err := d.checkVersion(m.Version); err != nil {
		return err
	}
	found, err := d.find(`SELECT tree_id, message_id, user_id, parent_id FROM messages
		WHERE tree_id = $1 AND deleted
		AND (message_id = $2 OR deleted_root = $3) AND deleted_action IS NOT DISTINCT FROM
			(SELECT deleted_action FROM messages WHERE tree_id = $1 AND message_id = $2)`,
		m.TreeID, m.MessageID, m.Deletion.Root)
	if err != nil {
		return err
	}
	if err := d.refuseBelowDeleted(found, m.Deletion.Action != nil); err != nil {
		return err
	}
	return d.undelete(found)
}

// refuseBelowDeleted returns a Conflict if the parent of a restored message stays
// deleted. No reader would see the message, and the delete of the parent has to
// be undone first. If an action deleted the messages (byAction), a parent that came
// deleted does not matter: they were below it before.
func (d *actionTx) refuseBelowDeleted(c selection.Chosen, byAction bool) error {
	trees, above := c.Above()
	if len(above) == 0 {
		return nil
	}
	return d.refuseDeleted(`SELECT p.message_id, p.deleted_action
		FROM unnest($1::uuid[], $2::uuid[]) AS above(tree_id, message_id)
		JOIN messages p ON p.tree_id = above.tree_id AND p.message_id = above.message_id AND p.deleted
		WHERE NOT $3 OR p.deleted_action IS NOT NULL LIMIT 1`, db.IDArray(trees), db.IDArray(above), byAction)
}

// refuseDeleted returns a Conflict if a query returns a deleted parent and the
// action that deleted it.
func (d *actionTx) refuseDeleted(query string, args ...any) error {
	var parent uuid.UUID
	var action *int64
	err := d.QueryRow(d.Ctx, query, args...).Scan(&parent, &action)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	refusal := &Conflict{Why: "The message above is deleted too (" + parent.String() + "). Bring that one back first."}
	if action != nil {
		a, err := audit.ByKey(d.Ctx, d.Conn, *action)
		if err != nil {
			return err
		}
		refusal.Action = &a
	}
	return refusal
}
