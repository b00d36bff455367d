package importer

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
	"treewarden/store/cases"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/derived"
)

// apply imports a batch and the orphans below its messages.
func (im *run) apply(ctx context.Context, tx pgx.Tx, b *batch, done *Summary) error {
	im.current = b
	fresh, err := im.applyOne(ctx, tx, b, done)
	if err != nil {
		return err
	}
	return im.adopt(ctx, tx, fresh, done)
}

// applyOne imports a batch and returns the ids of its new messages.
func (im *run) applyOne(ctx context.Context, tx pgx.Tx, b *batch, done *Summary) ([]uuid.UUID, error) {
	known, err := im.lookUp(ctx, tx, b)
	if err != nil {
		return nil, err
	}
	for _, item := range b.items {
		// A retried batch is placed again.
		item.state, item.fault, item.depth, item.roots = unplaced, nil, 0, nil
		item.skip = map[int]bool{}
	}
	b.refuseFuture(im.into.Now())
	if err := im.refuseErased(ctx, tx, b, known); err != nil {
		return nil, err
	}
	if err := b.learnModels(ctx, tx, im.models, im.o.DryRun); err != nil {
		return nil, err
	}
	p := placer{batch: b, known: known}
	var orphans []*incoming
	for _, item := range b.items {
		p.place(item)
		switch item.state {
		case orphan:
			orphans = append(orphans, item)
		case refused:
			done.reject(*item.fault)
			for _, repeat := range item.repeats {
				again := *item.fault
				again.File, again.Line = repeat.File, repeat.Line
				done.reject(again)
			}
		}
	}
	if err := im.keepOrphans(ctx, tx, orphans, b.older); err != nil {
		return nil, err
	}
	if err := im.hold(ctx, tx, b, known); err != nil {
		return nil, err
	}
	w := batchWrite{
		run: im, batch: b, known: known,
		trees:   map[uuid.UUID]*treeInfo{},
		updated: map[uuid.UUID]bool{},
		digests: map[uuid.UUID]uuid.UUID{},
	}
	w.gather()
	if err := w.write(ctx, tx); err != nil {
		return nil, err
	}
	if err := w.noteVersions(ctx, tx, done); err != nil {
		return nil, err
	}
	w.count(done)
	return w.fresh, nil
}

// batchWrite holds the rows that one batch writes.
type batchWrite struct {
	*run
	batch *batch
	known map[uuid.UUID]knownMessage

	trees    map[uuid.UUID]*treeInfo
	inOrder  []*treeInfo // the same trees in the order of the lines
	newTrees int64
	fresh    []uuid.UUID
	// underived are the fresh messages again, with their texts.
	underived []derived.New
	stale     []uuid.UUID // known messages in the batch
	repeats   int64       // identical repeated messages
	newUsers  int64
	// treeUpdates are the arguments of treeFrom for known trees; changed are the
	// trees that the batch would change.
	treeUpdates []any
	changed     []uuid.UUID
	updated     map[uuid.UUID]bool
	// digests holds, in a dry run, the digests of lines about new messages.
	digests map[uuid.UUID]uuid.UUID
}

// gather sorts the batch's placed messages into new and known ones.
func (w *batchWrite) gather() {
	for _, item := range w.batch.items {
		if item.state != placed {
			continue
		}
		w.tree(item)
		w.repeats += int64(len(item.repeats) * len(item.record.Messages))
		for i := range item.record.Messages {
			if item.skip[i] {
				continue
			}
			m := &item.record.Messages[i]
			w.run.users.note(m)
			if _, known := w.known[m.MessageID]; known {
				w.stale = append(w.stale, m.MessageID)
				continue
			}
			w.fresh = append(w.fresh, m.MessageID)
			w.underived = append(w.underived, derived.New{TreeID: item.tree, MessageID: m.MessageID,
				CreatedDate: m.CreatedDate, Lang: m.Lang, Text: m.Text})
		}
	}
}

// encode writes the batch's placed messages as rows.
func (w *batchWrite) encode() error {
	w.rows.reset()
	w.run.knownRows.reset()
	for _, item := range w.batch.items {
		if item.state != placed {
			continue
		}
		for i := range item.record.Messages {
			if item.skip[i] {
				continue
			}
			if err := w.message(item, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// inBackground is what is done while the server writes other rows of the batch.
type inBackground struct {
	encoded, counted chan struct{} // closed when it is done
	err              error         // of encode
}

// encodeInBackground begins to encode and count in a goroutine. Until that is done, nothing
// else writes rows or counts; all that it reads stays as it is.
func (w *batchWrite) encodeInBackground() *inBackground {
	b := &inBackground{encoded: make(chan struct{}), counted: make(chan struct{})}
	go func() {
		defer close(b.counted)
		b.err = w.encode()
		close(b.encoded)
		if b.err == nil {
			w.countNew()
		}
	}()
	return b
}

// rows waits for the rows.
func (b *inBackground) rows() error {
	<-b.encoded
	return b.err
}

// end waits for all of it.
func (b *inBackground) end() { <-b.counted }

// message adds one message to the rows.
func (w *batchWrite) message(item *incoming, i int) error {
	m := &item.record.Messages[i]
	k, known := w.known[m.MessageID]
	rows := &w.rows
	if known {
		rows = &w.run.knownRows
	} else {
		rows.directoryRow(m.MessageID, item.tree)
	}
	if w.o.DryRun && (!known || k.Digest != nil) {
		w.noteDigest(m, k.Digest)
		return nil
	}
	rows.message(item, i, known && k.Erased)
	if err := rows.emojiRow(item.tree, m); err != nil {
		return err
	}
	if err := rows.labelRow(item.tree, m); err != nil {
		return err
	}
	if !w.outputs(item.tree, m, rows) {
		w.updated[m.MessageID] = true // a dry run does not create outputs
	}
	return nil
}

// outputs adds the outputs of classifiers for a message. It returns false if a
// model or an output is not in the database, which happens only in a dry run.
func (w *batchWrite) outputs(tree uuid.UUID, m *corpus.Message, rows *tableRows) bool {
	placed := true
	for _, name := range slices.Sorted(maps.Keys(m.Classifiers)) {
		outputs := m.Classifiers[name]
		model := w.models[name]
		if model.ID == 0 {
			placed = false
			continue
		}
		last := -1
		scores := make([]*float64, len(model.At))
		for output, value := range outputs {
			at := model.At[output]
			if at < 0 {
				placed = false
				continue
			}
			if scores[at] = value; value != nil {
				last = max(last, at)
			}
		}
		rows.outputRow(tree, m.MessageID, model.ID, counters.ToxicityOf(outputs), scores[:last+1])
	}
	return placed
}

// tree adds an item's data about its tree.
func (w *batchWrite) tree(item *incoming) {
	tree := w.trees[item.tree]
	if tree == nil {
		tree = &treeInfo{id: item.tree}
		w.trees[item.tree] = tree
		w.inOrder = append(w.inOrder, tree)
	}
	if !item.skip[0] {
		tree.merge(&item.record.Tree)
	}
	if _, known := w.known[item.tree]; item.parent == nil && !known {
		tree.root = &item.record.Messages[0]
		w.newTrees++
	}
}

// write inserts new rows and merges known ones.
func (w *batchWrite) write(ctx context.Context, tx pgx.Tx) error {
	if w.o.DryRun {
		if err := w.encode(); err != nil {
			return err
		}
		return w.rehearse(ctx, tx)
	}
	background := w.encodeInBackground()
	defer background.end() // does nothing after the first time
	w.deriver.Start(w.underived)
	defer w.deriver.Stop() // does nothing after Send
	var err error
	if w.newUsers, err = w.run.users.write(ctx, tx, w.update); err != nil {
		return err
	}
	if len(w.stale) > 0 {
		if err := background.rows(); err != nil {
			return err
		}
	}
	if err := w.stage(ctx, tx); err != nil {
		return err
	}
	if err := w.look(ctx, tx); err != nil {
		return err
	}
	if err := w.lockTrees(ctx, tx); err != nil {
		return err
	}
	if err := w.makeTrees(ctx, tx); err != nil {
		return err
	}
	if err := background.rows(); err != nil {
		return err
	}
	if err := w.rows.send(ctx, tx, "messages", "emoji_aggregates", "label_aggregates", "classifier_outputs"); err != nil {
		return err
	}
	if err := w.deleteLate(ctx, tx); err != nil {
		return err
	}
	background.end()
	if err := w.deriver.Send(ctx, tx); err != nil {
		return err
	}
	if err := w.merge(ctx, tx); err != nil {
		return err
	}
	return w.openCases(ctx, tx)
}

// openCases opens cases for the red flags of the batch, and brings those of changed
// trees up to them.
func (w *batchWrite) openCases(ctx context.Context, tx pgx.Tx) error {
	trees := slices.Clone(w.changed)
	for _, item := range w.batch.items {
		if item.state == placed && slices.ContainsFunc(item.record.Messages, func(m corpus.Message) bool {
			return m.Emojis[counters.RedFlag] > 0
		}) {
			trees = append(trees, item.tree)
		}
	}
	if len(trees) == 0 {
		return nil
	}
	authors, err := cases.Sync(ctx, tx, `SELECT m.tree_id, m.message_id, m.user_id FROM messages m
		JOIN emoji_aggregates e ON e.tree_id = m.tree_id AND e.message_id = m.message_id
			AND e.red_flags > e.decided_flags
		WHERE m.tree_id = ANY ($1)
		UNION SELECT m.tree_id, m.message_id, m.user_id FROM cases c
		JOIN messages m ON m.tree_id = c.tree_id AND m.message_id = c.message_id
		WHERE c.tree_id = ANY ($1) AND c.status = 'open'`, db.IDArray(trees))
	if err != nil {
		return fmt.Errorf("open the cases of the queue: %w", err)
	}
	w.update.Changed.Add(authors...)
	return nil
}

func (w *batchWrite) makeTrees(ctx context.Context, tx pgx.Tx) error {
	var rows db.CopyRows
	rows.Reset()
	var ids []uuid.UUID
	byID := slices.SortedFunc(slices.Values(w.inOrder),
		func(a, b *treeInfo) int { return bytes.Compare(a.id[:], b.id[:]) })
	for _, tree := range byID {
		if tree.root != nil {
			tree.row(&rows)
			ids = append(ids, tree.id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	// A front end may have announced a tree before its prompt was imported. The
	// imported tree replaces it.
	if _, err := tx.Exec(ctx, `DELETE FROM trees t WHERE t.tree_id = ANY($1)
		AND NOT EXISTS (SELECT FROM messages m WHERE m.tree_id = t.tree_id)`, ids); err != nil {
		return fmt.Errorf("replace trees that were announced: %w", err)
	}
	return rows.Send(ctx, tx, "trees", treeColumns)
}

// count adds the changes of the batch to a summary.
func (w *batchWrite) count(done *Summary) {
	done.Trees += w.newTrees
	done.Messages += int64(len(w.fresh))
	done.Users += w.newUsers
	unchanged := int64(len(w.stale))
	for _, id := range w.stale {
		if w.updated[id] {
			unchanged--
		}
	}
	for _, changed := range w.updated {
		if changed {
			done.Updated++
		}
	}
	done.Unchanged += unchanged + w.repeats
}
