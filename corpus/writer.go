package corpus

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
)

// dateLayout is the date format of the OASST files.
const dateLayout = "2006-01-02T15:04:05.000000+00:00"

// labelOrder and detoxifyOrder are the orders of the OASST files; other names
// follow in alphabetical order.
var (
	labelOrder    = scoring.LabelNames
	detoxifyOrder = []string{"toxicity", "severe_toxicity", "obscene", "identity_attack", "insult", "threat",
		"sexual_explicit"}
)

// Append appends the record as one line, without its end: a tree, or a message
// with its replies nested and the data of its tree. Parsing the line returns the
// same record. Keys, their order and nulls are those of the OASST files; other
// keys are written only if they have a value.
func (r *Record) Append(dst []byte) []byte {
	w := writer{dst}
	root := &r.Messages[0]
	if !r.Prompt {
		w.messages(r.Messages, &r.Tree)
		return w.dst
	}
	id := r.Tree.ID
	if id == nil {
		id = &root.MessageID
	}
	w.raw(`{"message_tree_id": `)
	w.id(id)
	w.raw(`, "tree_state": `)
	w.text(r.Tree.State)
	w.raw(`, "prompt": `)
	w.messages(r.Messages, &Tree{})
	w.raw(`, "origin": `)
	w.text(r.Tree.Origin)
	w.goals(&r.Tree)
	w.raw("}")
	return w.dst
}

// writer appends JSON as Python writes it: with spaces, in UTF-8.
type writer struct{ dst []byte }

func (w *writer) raw(s string) { w.dst = append(w.dst, s...) }

// goals writes the goals of a collection, which exports do not have.
func (w *writer) goals(t *Tree) {
	for _, goal := range []struct {
		key   string
		value *int
	}{{"goal_tree_size", t.GoalTreeSize}, {"max_depth", t.MaxDepth}, {"max_children_count", t.MaxChildrenCount}} {
		if goal.value != nil {
			w.raw(`, "` + goal.key + `": `)
			w.whole(goal.value)
		}
	}
}

// messages writes the first message with all others nested in it.
func (w *writer) messages(messages []Message, tree *Tree) {
	open := make([]int, 0, 16) // the messages whose replies may still come, by place
	end := func(depth int) (ended bool) {
		for len(open) > 0 && messages[open[len(open)-1]].Depth >= depth {
			last := open[len(open)-1]
			open, ended = open[:len(open)-1], true
			w.after(&messages[last], tree, last == 0)
		}
		return ended
	}
	for i := range messages {
		if end(messages[i].Depth) {
			w.raw(", ")
		}
		w.before(&messages[i])
		open = append(open, i)
	}
	end(0)
}

// before writes the part of a message before its replies.
func (w *writer) before(m *Message) {
	w.raw(`{"message_id": `)
	w.id(&m.MessageID)
	w.raw(`, "parent_id": `)
	w.id(m.ParentID)
	w.raw(`, "user_id": `)
	w.id(m.UserID)
	w.raw(`, "created_date": `)
	w.date(m.CreatedDate)
	w.raw(`, "text": `)
	w.text(&m.Text)
	w.raw(`, "role": `)
	w.text(&m.Role)
	w.raw(`, "lang": `)
	w.text(m.Lang)
	w.raw(`, "review_count": `)
	w.whole(m.ReviewCount)
	w.raw(`, "review_result": `)
	w.flag(m.ReviewResult)
	w.raw(`, "deleted": `)
	w.flag(&m.Deleted)
	w.raw(`, "rank": `)
	w.whole(m.Rank)
	w.raw(`, "synthetic": `)
	w.flag(&m.Synthetic)
	w.raw(`, "model_name": `)
	w.text(m.ModelName)
	w.raw(`, "emojis": `)
	w.emojis(m.Emojis)
	w.raw(`, "replies": [`)
}

// after writes the part of a message after its replies.
func (w *writer) after(m *Message, tree *Tree, root bool) {
	w.raw(`], "labels": `)
	w.labels(m.Labels)
	w.raw(`, "events": `)
	if m.Events == nil {
		w.raw("null")
	} else {
		w.dst = append(w.dst, m.Events...)
	}
	w.raw(`, "detoxify": `)
	w.outputs(m.Classifiers[Detoxify])
	if hasOthers(m.Classifiers) {
		w.raw(`, "classifiers": `)
		w.others(m.Classifiers)
	}
	if m.Edited {
		w.raw(`, "edited": true`)
	}
	if !root {
		tree = &Tree{}
	}
	w.raw(`, "message_tree_id": `)
	w.id(tree.ID)
	w.raw(`, "tree_state": `)
	w.text(tree.State)
	if tree.Origin != nil {
		w.raw(`, "origin": `)
		w.text(tree.Origin)
	}
	w.goals(tree)
	w.raw("}")
}

func (w *writer) id(id *uuid.UUID) {
	if id == nil {
		w.raw("null")
		return
	}
	w.raw(`"`)
	w.raw(id.String())
	w.raw(`"`)
}

func (w *writer) date(t *time.Time) {
	if t == nil {
		w.raw("null")
		return
	}
	w.raw(`"`)
	w.dst = t.UTC().AppendFormat(w.dst, dateLayout)
	w.raw(`"`)
}

func (w *writer) whole(n *int) {
	if n == nil {
		w.raw("null")
		return
	}
	w.dst = strconv.AppendInt(w.dst, int64(*n), 10)
}

func (w *writer) flag(b *bool) {
	if b == nil {
		w.raw("null")
		return
	}
	w.dst = strconv.AppendBool(w.dst, *b)
}

// float writes the shortest digits that read back the same, as Python does.
func (w *writer) float(f *float64) {
	if f == nil {
		w.raw("null")
		return
	}
	if size := math.Abs(*f); size != 0 && (size < 1e-4 || size >= 1e16) {
		w.dst = strconv.AppendFloat(w.dst, *f, 'e', -1, 64)
		return
	}
	start := len(w.dst)
	w.dst = strconv.AppendFloat(w.dst, *f, 'f', -1, 64)
	if !slices.Contains(w.dst[start:], '.') {
		w.raw(".0")
	}
}

func (w *writer) text(s *string) {
	if s == nil {
		w.raw("null")
		return
	}
	w.string(*s)
}

// string writes a string with the fewest escapes.
func (w *writer) string(s string) {
	const hex = "0123456789abcdef"
	w.raw(`"`)
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		w.raw(s[from:i])
		from = i + 1
		switch c {
		case '"', '\\':
			w.dst = append(w.dst, '\\', c)
		case '\n':
			w.raw(`\n`)
		case '\r':
			w.raw(`\r`)
		case '\t':
			w.raw(`\t`)
		case '\b':
			w.raw(`\b`)
		case '\f':
			w.raw(`\f`)
		default:
			w.dst = append(w.dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	w.raw(s[from:])
	w.raw(`"`)
}
