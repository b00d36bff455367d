package importer

import (
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/corpus"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// countNew has the counters of signals follow the batch's new messages.
// Those of new trees are counted here, because all that they contribute is at
// hand and the database would have to join it together again; score verify
// and the tests hold that it comes to the same. Those of known trees are left
// to the database: what is known there may bear on them.
func (w *batchWrite) countNew() {
	var trees, messages []uuid.UUID
	for _, item := range w.batch.items {
		if item.state != placed {
			continue
		}
		tree := w.trees[item.tree]
		for i := range item.record.Messages {
			m := &item.record.Messages[i]
			if _, known := w.known[m.MessageID]; known {
				continue
			}
			if tree.root == nil {
				trees, messages = append(trees, item.tree), append(messages, m.MessageID)
				continue
			}
			w.countNewMessage(m, tree, !m.Deleted || item.roots[i] == m.MessageID)
		}
	}
	w.update.CountAtEnd(trees, messages)
}

// countNewMessage counts one new message of a new tree. Top says that its
// deletion, if it has one, aimed at it.
func (w *batchWrite) countNewMessage(m *corpus.Message, tree *treeInfo, top bool) {
	if m.UserID == nil {
		return
	}
	if m.Lang != nil {
		w.update.AddMessages(*m.UserID, *m.Lang, 1)
	}
	at := db.Undated
	if m.CreatedDate != nil {
		at = pgtype.Timestamptz{Time: *m.CreatedDate, Valid: true}
	}
	var d counters.Deltas
	standing := counters.Standing{Deleted: m.Deleted, Recorded: m.Emojis != nil}
	d.Message(m, top, standing)
	d.Reactions(int64(m.Emojis["red_flag"]), int64(m.Emojis["+1"]), int64(m.Emojis["-1"]), standing)
	if m.Labels != nil {
		labels := counters.MeanLabels(m.Labels)
		d.Labels(counters.LabelMeans, &labels, standing)
	}
	if highest, ok := counters.Highest(m.Classifiers); ok {
		d.Toxicity(highest)
		if highest >= w.update.ToxicFrom {
			d.Once(counters.ToxicMessage, standing)
		}
	}
	if m == tree.root && tree.info.State != nil && *tree.info.State == tables.SpamState {
		d.Once(counters.SpamPrompt, standing)
	}
	w.update.Add(*m.UserID, at, 1, &d)
}
