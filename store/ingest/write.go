package ingest

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"treewarden/store/counters"
	"treewarden/store/tables"
)

// changes collects the changes of all lines, so that each table is written once.
type changes struct {
	messages  []*knownMessage
	labels    map[raterKey]*lineItem
	reactions map[reactionKey]*reactionChange
	reports   map[raterKey]*newReport
	outputs   map[outputKey]*newOutput
	last      map[uuid.UUID]time.Time // the last activity of users
}

// raterKey is a rater and a message.
type raterKey struct{ tree, message, user uuid.UUID }

type reactionKey struct {
	raterKey
	emoji string
}

// reactionChange is the change of one reaction: the known one is removed, or one
// is added if there is none then, or both.
type reactionChange struct {
	remove bool
	add    *time.Time
}

// becomes returns which of both takes effect, with or without a known reaction.
func (r *reactionChange) becomes(had bool) (gone, made bool) {
	gone = had && r.remove
	return gone, r.add != nil && (!had || gone)
}

type newReport struct {
	reason string
	at     time.Time
}

type outputKey struct {
	tree, message uuid.UUID
	model         int16
}

type newOutput struct {
	scores   []*float64
	model    string
	toxicity *float64
	at       time.Time
}

func (w *changes) reset() {
	w.messages = nil
	w.labels, w.reactions = map[raterKey]*lineItem{}, map[reactionKey]*reactionChange{}
	w.reports, w.outputs = map[raterKey]*newReport{}, map[outputKey]*newOutput{}
	w.last = map[uuid.UUID]time.Time{}
}

// active records the activity of a line's user.
func (w *changes) active(item *lineItem) {
	if w.last != nil && item.user != uuid.Nil && item.at.After(w.last[item.user]) {
		w.last[item.user] = item.at
	}
}

// label replaces a user's labels of a message.
func (w *changes) label(m *knownMessage, item *lineItem) {
	w.labels[raterKey{m.tree, m.id, item.user}] = item
}

// reaction adds or removes one reaction. 👍 and 👎 exclude each other, and authors
// cannot add them to their own messages.
func (w *changes) reaction(m *knownMessage, item *lineItem) {
	who, emoji := raterKey{m.tree, m.id, item.user}, *item.Emoji
	other := opposite(emoji)
	if other != "" && m.author != nil && *m.author == item.user {
		return
	}
	of := func(emoji string) *reactionChange {
		key := reactionKey{who, emoji}
		if w.reactions[key] == nil {
			w.reactions[key] = &reactionChange{}
		}
		return w.reactions[key]
	}
	if item.Op != nil && *item.Op == "remove" {
		*of(emoji) = reactionChange{remove: true}
		return
	}
	if r := of(emoji); r.add == nil {
		r.add = &item.at
	}
	if other != "" {
		*of(other) = reactionChange{remove: true}
	}
}

// opposite returns the vote that an emoji excludes, or "".
func opposite(emoji string) string { return map[string]string{"+1": "-1", "-1": "+1"}[emoji] }

// report joins a user's reasons, so that they count as one report.
func (w *changes) report(m *knownMessage, item *lineItem) {
	who, reason := raterKey{m.tree, m.id, item.user}, strings.TrimSpace(*item.Reason)
	if r := w.reports[who]; r == nil {
		w.reports[who] = &newReport{reason, item.at}
	} else if len(r.reason) < maxReportText {
		r.reason += "\n" + reason
	}
}

// output merges the outputs of a model for a message.
func (w *changes) output(m *knownMessage, item *lineItem, model *tables.Model) {
	key := outputKey{m.tree, m.id, model.ID}
	o := w.outputs[key]
	if o == nil {
		o = &newOutput{model: *item.Model}
		w.outputs[key] = o
	}
	for name, value := range item.Scores {
		at := model.At[name]
		for len(o.scores) <= at {
			o.scores = append(o.scores, nil)
		}
		o.scores[at] = value
	}
	if t := counters.ToxicityOf(item.Scores); t != nil {
		o.toxicity = t
	}
	o.at = item.at
}
