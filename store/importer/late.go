package importer

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
)

// lateTreesSQL finds the trees of $1 in which an action has deleted something.
const lateTreesSQL = `SELECT DISTINCT tree_id FROM messages WHERE deleted_action IS NOT NULL AND tree_id = ANY ($1)`

// deleteLateSQL deletes new messages ($1 trees, $2 ids) below a message that an action
// deleted with that message, so that its undo restores both. A message that the file
// calls deleted stays as the file has it, with all below it.
const deleteLateSQL = `WITH RECURSIVE fresh AS MATERIALIZED (
		SELECT m.tree_id, m.message_id, m.parent_id FROM unnest($1::uuid[], $2::uuid[]) f(tree, id)
			JOIN messages m ON m.tree_id = f.tree AND m.message_id = f.id AND NOT m.deleted),
	late AS (
		SELECT f.tree_id, f.message_id, 0 AS level, p.deleted_at, p.deleted_action, p.deleted_root FROM fresh f
			JOIN messages p ON p.tree_id = f.tree_id AND p.message_id = f.parent_id
			WHERE p.deleted AND p.deleted_action IS NOT NULL
		UNION ALL SELECT f.tree_id, f.message_id, l.level + 1, l.deleted_at, l.deleted_action, l.deleted_root
			FROM late l JOIN fresh f ON f.tree_id = l.tree_id AND f.parent_id = l.message_id),
	changed AS (UPDATE messages m SET deleted = true, deleted_at = l.deleted_at, deleted_action = l.deleted_action,
			deleted_root = l.deleted_root, deletion_by_staff = true
		FROM late l WHERE m.tree_id = l.tree_id AND m.message_id = l.message_id
		RETURNING m.tree_id, m.message_id, m.deleted_action, l.level)
	SELECT tree_id, message_id, deleted_action FROM changed ORDER BY level, message_id`

// deleteLate deletes new messages below a message that an action deleted. Their
// trees are locked, so that no action comes in between.
func (w *batchWrite) deleteLate(ctx context.Context, tx pgx.Tx) error {
	var known []uuid.UUID
	for _, tree := range w.inOrder {
		if tree.root == nil {
			known = append(known, tree.id)
		}
	}
	if len(known) == 0 || len(w.fresh) == 0 {
		return nil
	}
	touched := map[uuid.UUID]bool{}
	if err := w.collect(ctx, tx, touched, lateTreesSQL, db.IDArray(known)); err != nil {
		return fmt.Errorf("look for deleted messages: %w", err)
	}
	if len(touched) == 0 {
		return nil
	}
	var trees, ids []uuid.UUID
	for _, m := range w.underived {
		if touched[m.TreeID] {
			trees, ids = append(trees, m.TreeID), append(ids, m.MessageID)
		}
	}
	rows, err := tx.Query(ctx, deleteLateSQL, db.IDArray(trees), db.IDArray(ids))
	if err != nil {
		return fmt.Errorf("delete replies to deleted messages: %w", err)
	}
	var tree, id uuid.UUID
	var action int64
	if _, err := pgx.ForEachRow(rows, []any{&tree, &id, &action}, func() error {
		w.late.Add(tree, id, action)
		return nil
	}); err != nil {
		return fmt.Errorf("delete replies to deleted messages: %w", err)
	}
	return nil
}
