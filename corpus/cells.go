package corpus

import (
	"github.com/google/uuid"

	"treewarden/corpus/spreadsheet"
)

// Columns are the names of the columns of CSV files with a message a row.
var Columns = []string{
	"message_id", "parent_id", "user_id", "created_date", "text", "role", "lang", "review_count", "review_result",
	"deleted", "rank", "synthetic", "model_name", "edited", "emojis", "labels", "detoxify", "classifiers", "events",
	"message_tree_id", "tree_state", "origin", "goal_tree_size", "max_depth", "max_children_count",
}

// Cells makes the cells of messages, under Columns.
type Cells struct {
	w     writer
	ends  []int // of the cells in what was written
	cells []string
}

// Of returns the cells of the first message of the record, valid until the next call. A
// null is an empty cell. The cells of emojis, labels, detoxify, classifiers and events
// hold JSON, as a line of Append does; all others hold what the value of JSON holds.
func (c *Cells) Of(r *Record) []string {
	m, t := &r.Messages[0], &r.Tree
	c.w.dst, c.ends, c.cells = c.w.dst[:0], c.ends[:0], c.cells[:0]
	c.id(&m.MessageID)
	c.id(m.ParentID)
	c.id(m.UserID)
	c.end(func() { c.w.dst = m.CreatedDate.UTC().AppendFormat(c.w.dst, dateLayout) }, m.CreatedDate != nil)
	c.text(&m.Text)
	c.text(&m.Role)
	c.text(m.Lang)
	c.whole(m.ReviewCount)
	c.end(func() { c.w.flag(m.ReviewResult) }, m.ReviewResult != nil)
	c.end(func() { c.w.flag(&m.Deleted) }, true)
	c.whole(m.Rank)
	c.end(func() { c.w.flag(&m.Synthetic) }, true)
	c.text(m.ModelName)
	c.end(func() { c.w.flag(&m.Edited) }, true)
	c.end(func() { c.w.emojis(m.Emojis) }, m.Emojis != nil)
	c.end(func() { c.w.labels(m.Labels) }, m.Labels != nil)
	c.end(func() { c.w.outputs(m.Classifiers[Detoxify]) }, m.Classifiers[Detoxify] != nil)
	c.end(func() { c.w.others(m.Classifiers) }, hasOthers(m.Classifiers))
	c.end(func() { c.w.dst = append(c.w.dst, m.Events...) }, true)
	c.id(t.ID)
	c.text(t.State)
	c.text(t.Origin)
	c.whole(t.GoalTreeSize)
	c.whole(t.MaxDepth)
	c.whole(t.MaxChildrenCount)
	all, from := string(c.w.dst), 0 // one allocation for all cells
	for _, end := range c.ends {
		c.cells, from = append(c.cells, all[from:end]), end
	}
	return c.cells
}

// end ends a cell, which write writes if its value is known.
func (c *Cells) end(write func(), known bool) {
	if known {
		write()
	}
	c.ends = append(c.ends, len(c.w.dst))
}

func (c *Cells) text(text *string) { c.end(func() { c.w.raw(*text) }, text != nil) }

func (c *Cells) whole(n *int) { c.end(func() { c.w.whole(n) }, n != nil) }

func (c *Cells) id(id *uuid.UUID) {
	c.end(func() {
		text, _ := id.MarshalText() // it never fails
		c.w.dst = append(c.w.dst, text...)
	}, id != nil)
}

// LostInCells lists what Cells have no place for, or a spreadsheet.Writer changes.
var LostInCells = []Loss{
	{"the difference between an empty text and none, in lang, model_name and origin", func(r *Record) bool {
		m := &r.Messages[0]
		for _, text := range []*string{m.Lang, m.ModelName, r.Tree.Origin} {
			if text != nil && *text == "" {
				return true
			}
		}
		return false
	}},
	{"cells as they are that a spreadsheet would run: an apostrophe stands before them", func(r *Record) bool {
		m := &r.Messages[0]
		for _, text := range []string{m.Text, orEmpty(m.Lang), orEmpty(m.ModelName), orEmpty(r.Tree.Origin)} {
			if spreadsheet.Defuse(text) != text {
				return true
			}
		}
		return false
	}},
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
