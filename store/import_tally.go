package store

import (
	"math"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/corpus"
	"treewarden/scoring"
)

// tallyFresh has the counters of signals follow the batch's new messages.
// Those of new trees are counted here, because all that they contribute is at
// hand and the database would have to join it together again; score verify
// and the tests hold that it comes to the same. Those of known trees are left
// to the database: what is known there may bear on them.
func (w *importWrite) tallyFresh() {
	var trees, messages []uuid.UUID
	for _, item := range w.batch.items {
		if item.state != importPlaced {
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
			w.tallyMessage(m, tree, !m.Deleted || item.roots[i] == m.MessageID)
		}
	}
	w.tally.take(trees, messages)
}

// tallyMessage counts one new message of a new tree. Top says that its
// deletion, if it has one, aimed at it.
func (w *importWrite) tallyMessage(m *corpus.Message, tree *importTree, top bool) {
	if m.UserID == nil {
		return
	}
	if m.Lang != nil {
		w.tally.spoken[tongue{*m.UserID, *m.Lang}]++
	}
	at := undated
	if m.CreatedDate != nil {
		at = pgtype.Timestamptz{Time: *m.CreatedDate, Valid: true}
	}
	c := w.tally.counts(*m.UserID, at, 1)
	c.measure("messages", 1)
	c.reference = !m.Deleted
	for emoji, signal := range reactionSignals {
		c.count(signal, int64(m.Emojis[emoji]))
	}
	c.reference = !m.Deleted && m.Emojis != nil
	c.means(m.Labels)
	if m.ReviewResult != nil && !*m.ReviewResult && m.ParentID != nil {
		c.count(scoring.Rejected, 1)
	}
	if m.Deleted && top {
		c.count(scoring.Deleted, 1)
	}
	c.outputs(m.Classifiers)
	if m == tree.root && tree.info.State != nil && *tree.info.State == spamState {
		c.reference = true
		c.count(scoring.SpamPrompts, 1)
	}
}

// means counts labels that came as a mean and a number of people each.
func (c *hourCount) means(labels map[string]corpus.Label) {
	for signal, name := range labelSignals {
		if label := labels[name]; label.Value != nil {
			c.count(signal, int64(math.RoundToEven(*label.Value*float64(label.Count))))
		}
	}
	if label := labels["toxicity"]; label.Value != nil {
		people := min(label.Count, mostPeople)
		c.measure("label_toxicity_sum", picos(*label.Value, people))
		c.measure("label_toxicity_count", int64(people))
	}
}

// outputs counts the highest toxicity that any model gave.
func (c *hourCount) outputs(classifiers map[string]map[string]*float64) {
	highest := -1.0
	for _, outputs := range classifiers {
		if toxicity := toxicityOf(outputs); toxicity != nil {
			highest = max(highest, *toxicity)
		}
	}
	if highest < 0 {
		return
	}
	c.measure("toxicity_sum", picos(highest, 1))
	c.measure("toxicity_count", 1)
	if highest >= c.toxicFrom {
		c.count(scoring.ToxicMessages, 1)
	}
}
