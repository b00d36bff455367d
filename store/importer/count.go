package importer

import (
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/corpus"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// countNew makes the counters follow the batch's new messages. Messages of new
// trees are counted here, because all data is at hand; score verify and tests
// check that the result is the same. Messages of known trees are counted by the
// database, because their counts may depend on known data.
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

// countNewMessage counts one new message of a new tree. top reports whether it is
// the root of its deletion.
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
	if highest, ok := counters.Highest(w.update.Rule, m.Classifiers); ok {
		d.Toxicity(highest)
		if highest >= w.update.Rule.From {
			d.Once(counters.ToxicMessage, standing)
		}
	}
	if m == tree.root && tree.info.State != nil && *tree.info.State == tables.SpamState {
		d.Once(counters.SpamPrompt, standing)
	}
	w.update.Add(*m.UserID, at, 1, &d)
}
