package importer

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
	"treewarden/store/db"
	"treewarden/store/derived"
	"treewarden/store/tables"
)

// stageSQL creates the session's temporary tables for known messages, with the
// columns of the tables that they are merged into.
var stageSQL = []string{
	`CREATE TEMPORARY TABLE import_messages (LIKE messages INCLUDING DEFAULTS) ON COMMIT DELETE ROWS`,
	`ALTER TABLE import_messages ALTER COLUMN text DROP NOT NULL`, // null: not merged
	`CREATE TEMPORARY TABLE import_emojis (LIKE emoji_aggregates INCLUDING DEFAULTS) ON COMMIT DELETE ROWS`,
	`CREATE TEMPORARY TABLE import_labels (LIKE label_aggregates INCLUDING DEFAULTS) ON COMMIT DELETE ROWS`,
	`CREATE TEMPORARY TABLE import_outputs (LIKE classifier_outputs INCLUDING DEFAULTS) ON COMMIT DELETE ROWS`,
}

// stage copies known messages into the temporary tables.
func (w *batchWrite) stage(ctx context.Context, tx pgx.Tx) error {
	if len(w.stale) == 0 {
		return nil
	}
	if !w.staged {
		for _, sql := range stageSQL {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("make the import's temporary tables: %w", err)
			}
		}
		w.staged = true
	} else if w.batch.older || w.batch.held { // not the first batch of the transaction
		if _, err := tx.Exec(ctx, `TRUNCATE import_messages, import_emojis, import_labels, import_outputs`); err != nil {
			return fmt.Errorf("empty the import's temporary tables: %w", err)
		}
	}
	return w.run.knownRows.send(ctx, tx, "import_messages", "import_emojis", "import_labels", "import_outputs")
}

// merge updates known messages and trees. It locks and counts only the trees that
// change.
func (w *batchWrite) merge(ctx context.Context, tx pgx.Tx) error {
	if len(w.changed) == 0 {
		return nil
	}
	if err := w.watch(ctx, tx); err != nil {
		return err
	}
	if len(w.stale) > 0 {
		if err := w.mergeMessages(ctx, tx, w.changed); err != nil {
			return err
		}
	}
	if err := w.collect(ctx, tx, w.updated, mergeTreesSQL,
		append([]any{w.batch.older, w.changed}, w.treeUpdates...)...); err != nil {
		return fmt.Errorf("update trees: %w", err)
	}
	return nil
}

// look finds the trees that the batch would change, without a lock.
func (w *batchWrite) look(ctx context.Context, tx pgx.Tx) error {
	w.treeUpdates = w.treeUpdateArgs()
	found := map[uuid.UUID]bool{}
	if len(w.stale) > 0 {
		for _, m := range append([]mergeTable{messageTable}, childTables...) {
			if err := w.collect(ctx, tx, found, m.changes(), w.batch.older); err != nil {
				return fmt.Errorf("compare %s: %w", m.table, err)
			}
		}
	}
	if err := w.collect(ctx, tx, found, treeChanges, append([]any{w.batch.older, nil}, w.treeUpdates...)...); err != nil {
		return fmt.Errorf("compare trees: %w", err)
	}
	w.changed = slices.Collect(maps.Keys(found))
	return nil
}

// lockTrees locks the trees that change and those of new messages, in the order
// of their ids, before anything is written to them: an insert below a tree takes
// a shared lock on it, and upgrading that lock could deadlock.
func (w *batchWrite) lockTrees(ctx context.Context, tx pgx.Tx) error {
	trees := slices.Clone(w.changed)
	for _, item := range w.batch.items {
		if item.state == placed && slices.ContainsFunc(item.record.Messages, func(m corpus.Message) bool {
			_, known := w.known[m.MessageID]
			return !known
		}) {
			trees = append(trees, item.tree)
		}
	}
	if len(trees) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, "SELECT FROM trees WHERE tree_id = ANY ($1) ORDER BY tree_id FOR UPDATE",
		db.IDArray(trees)); err != nil {
		return fmt.Errorf("lock trees: %w", err)
	}
	if _, err := tx.Exec(ctx, tables.NoteChangesSQL, db.IDArray(trees)); err != nil {
		return fmt.Errorf("note the trees that change: %w", err)
	}
	return nil
}

// watch counts the messages of trees before they change. It counts whole trees,
// because a line about one message may change the deletion of another.
func (w *batchWrite) watch(ctx context.Context, tx pgx.Tx) error {
	if w.o.DryRun {
		return nil
	}
	if err := w.update.Watch(ctx, tx, "SELECT tree_id, message_id FROM messages WHERE tree_id = ANY ($1)",
		w.changed); err != nil {
		return fmt.Errorf("count signals: %w", err)
	}
	return nil
}

// mergeMessages updates messages and their children tables in trees that change.
func (w *batchWrite) mergeMessages(ctx context.Context, tx pgx.Tx, trees []uuid.UUID) error {
	written, others, texts := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	derive := map[uuid.UUID]bool{} // messages whose text or language changes
	if err := w.collect(ctx, tx, derive, newLangsSQL, trees); err != nil {
		return fmt.Errorf("compare languages: %w", err)
	}
	if !w.batch.older {
		if err := w.collect(ctx, tx, texts, newTextsSQL, trees); err != nil {
			return fmt.Errorf("compare texts: %w", err)
		}
	}
	changed := db.IDArray(slices.Collect(maps.Keys(texts)))
	if len(texts) > 0 {
		if _, err := tx.Exec(ctx, firstTextsSQL, changed); err != nil {
			return fmt.Errorf("keep former texts: %w", err)
		}
		if _, err := tx.Exec(ctx, derived.FormerOutputsSQL, changed); err != nil {
			return fmt.Errorf("keep the outputs of former texts: %w", err)
		}
	}
	if err := w.collect(ctx, tx, written, messageTable.update(), w.batch.older, trees); err != nil {
		return fmt.Errorf("update messages: %w", err)
	}
	if len(texts) > 0 {
		if _, err := tx.Exec(ctx, laterTextsSQL, changed, w.into.Now()); err != nil {
			return fmt.Errorf("keep new texts: %w", err)
		}
		maps.Copy(derive, texts)
	}
	if len(derive) > 0 {
		if err := derived.Refresh(ctx, tx, "SELECT tree_id, message_id FROM import_messages WHERE message_id = ANY ($1)",
			db.IDArray(slices.Collect(maps.Keys(derive)))); err != nil {
			return err
		}
	}
	for _, m := range childTables {
		for _, sql := range []string{m.update(), m.insert()} {
			if err := w.collect(ctx, tx, others, sql, w.batch.older, trees); err != nil {
				return fmt.Errorf("update %s: %w", m.table, err)
			}
		}
	}
	if len(texts) > 0 {
		for _, sql := range []string{derived.OutputsOfImportSQL, derived.QueueOfImportSQL} {
			if _, err := tx.Exec(ctx, sql, changed); err != nil {
				return fmt.Errorf("bring classifiers up to new texts: %w", err)
			}
		}
	}
	var newer []uuid.UUID // changed messages without a written row
	for id := range others {
		if !written[id] {
			newer = append(newer, id)
		}
		w.updated[id] = true
	}
	for id := range written {
		w.updated[id] = true
	}
	if len(newer) > 0 {
		_, err := tx.Exec(ctx, `UPDATE messages m SET version = m.version + 1 FROM import_messages s
			WHERE `+mergeKey+` AND s.message_id = ANY($1)`, newer)
		if err != nil {
			return fmt.Errorf("mark messages as changed: %w", err)
		}
	}
	if len(written) == 0 {
		return nil
	}
	if err := derived.RefreshDated(ctx, tx, "SELECT tree_id, message_id FROM import_messages WHERE message_id = ANY ($1)",
		db.IDArray(slices.Collect(maps.Keys(written)))); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, deletionsSQL, trees); err != nil {
		return fmt.Errorf("find what deletions belong together: %w", err)
	}
	if _, err := tx.Exec(ctx, promptsSQL, trees); err != nil {
		return fmt.Errorf("bring trees up to their prompts: %w", err)
	}
	return nil
}

// collect adds the ids that a statement returns.
func (w *batchWrite) collect(ctx context.Context, tx pgx.Tx, ids map[uuid.UUID]bool, sql string, args ...any) error {
	return collectIDs(ctx, tx, ids, sql, args...)
}

func collectIDs(ctx context.Context, tx pgx.Tx, ids map[uuid.UUID]bool, sql string, args ...any) error {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	var id uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		ids[id] = true
		return nil
	})
	return err
}

// treeUpdateArgs returns the arguments of treeFrom.
func (w *batchWrite) treeUpdateArgs() []any {
	var ids []uuid.UUID
	var states, origins []*string
	var active []*bool
	var goals, depths, children []*int
	for _, tree := range w.inOrder {
		if tree.root != nil || tree.isEmpty() {
			continue
		}
		info := &tree.info
		ids, states, origins = append(ids, tree.id), append(states, info.State), append(origins, info.Origin)
		goals, depths, children = append(goals, info.GoalTreeSize), append(depths, info.MaxDepth),
			append(children, info.MaxChildrenCount)
		var works *bool
		if info.State != nil {
			is := corpus.ActiveState(*info.State)
			works = &is
		}
		active = append(active, works)
	}
	return []any{ids, states, active, origins, goals, depths, children}
}
