package store

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// ingestWrite gathers what lines come to, so that each table is written once.
type ingestWrite struct {
	messages  []*ingestMessage
	labels    map[giver]*ingestItem
	reactions map[reactor]*ingestReaction
	reports   map[giver]*ingestReport
	outputs   map[outputKey]*ingestOutput
	last      map[uuid.UUID]time.Time // when users last did something
}

// giver is somebody who gave a message something.
type giver struct{ tree, message, user uuid.UUID }

type reactor struct {
	giver
	emoji string
}

// ingestReaction is what becomes of one reaction: what was there is taken
// away, or one is added where none is then, or both.
type ingestReaction struct {
	remove bool
	add    *time.Time
}

// becomes says which of both comes to something where there was one, or none.
func (r *ingestReaction) becomes(had bool) (gone, made bool) {
	gone = had && r.remove
	return gone, r.add != nil && (!had || gone)
}

type ingestReport struct {
	reason string
	at     time.Time
}

type outputKey struct {
	tree, message uuid.UUID
	model         int16
}

type ingestOutput struct {
	scores   []*float64
	toxicity *float64
	at       time.Time
}

func (w *ingestWrite) reset() {
	w.messages = nil
	w.labels, w.reactions = map[giver]*ingestItem{}, map[reactor]*ingestReaction{}
	w.reports, w.outputs = map[giver]*ingestReport{}, map[outputKey]*ingestOutput{}
	w.last = map[uuid.UUID]time.Time{}
}

// active notes when the user of a line did something.
func (w *ingestWrite) active(item *ingestItem) {
	if w.last != nil && item.user != uuid.Nil && item.at.After(w.last[item.user]) {
		w.last[item.user] = item.at
	}
}

// label has a person's labels of a message replaced.
func (w *ingestWrite) label(m *ingestMessage, item *ingestItem) {
	w.labels[giver{m.tree, m.id, item.user}] = item
}

// reaction adds or removes one reaction. 👍 and 👎 exclude each other, and
// nobody gives them to themselves.
func (w *ingestWrite) reaction(m *ingestMessage, item *ingestItem) {
	who, emoji := giver{m.tree, m.id, item.user}, *item.Emoji
	opposite := map[string]string{"+1": "-1", "-1": "+1"}[emoji]
	if opposite != "" && m.author != nil && *m.author == item.user {
		return
	}
	of := func(emoji string) *ingestReaction {
		key := reactor{who, emoji}
		if w.reactions[key] == nil {
			w.reactions[key] = &ingestReaction{}
		}
		return w.reactions[key]
	}
	if item.Op != nil && *item.Op == "remove" {
		*of(emoji) = ingestReaction{remove: true}
		return
	}
	if r := of(emoji); r.add == nil {
		r.add = &item.at
	}
	if opposite != "" {
		*of(opposite) = ingestReaction{remove: true}
	}
}

// report joins a person's reasons, so that they count as one report.
func (w *ingestWrite) report(m *ingestMessage, item *ingestItem) {
	who, reason := giver{m.tree, m.id, item.user}, strings.TrimSpace(*item.Reason)
	if r := w.reports[who]; r == nil {
		w.reports[who] = &ingestReport{reason, item.at}
	} else if len(r.reason) < maxReportText {
		r.reason += "\n" + reason
	}
}

// output merges what a model says of a message.
func (w *ingestWrite) output(m *ingestMessage, item *ingestItem, model *importModel) {
	key := outputKey{m.tree, m.id, model.id}
	o := w.outputs[key]
	if o == nil {
		o = &ingestOutput{}
		w.outputs[key] = o
	}
	for name, value := range item.Scores {
		at := model.at[name]
		for len(o.scores) <= at {
			o.scores = append(o.scores, nil)
		}
		o.scores[at] = value
	}
	if t := toxicityOf(item.Scores); t != nil {
		o.toxicity = t
	}
	o.at = item.at
}
