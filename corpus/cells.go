package corpus

import "treewarden/corpus/spreadsheet"

// Columns are the names of the columns of CSV files with a message a row.
var Columns = []string{
	"message_id", "parent_id", "user_id", "created_date", "text", "role", "lang", "review_count", "review_result",
	"deleted", "rank", "synthetic", "model_name", "edited", "emojis", "labels", "detoxify", "classifiers", "events",
	"message_tree_id", "tree_state", "origin", "goal_tree_size", "max_depth", "max_children_count",
}

// Cells returns the cells of the first message of the record, under Columns. A null is an
// empty cell. The cells of emojis, labels, detoxify, classifiers and events hold JSON, as
// a line of Append does; all others hold what the value of JSON holds.
func (r *Record) Cells() []string {
	var w writer
	cell := func(known bool, write func()) string {
		if !known {
			return ""
		}
		w.dst = w.dst[:0]
		write()
		return string(w.dst)
	}
	whole := func(n *int) string { return cell(n != nil, func() { w.whole(n) }) }
	flag := func(b *bool) string { return cell(b != nil, func() { w.flag(b) }) }
	m, t := &r.Messages[0], &r.Tree
	date := ""
	if m.CreatedDate != nil {
		date = m.CreatedDate.UTC().Format(dateLayout)
	}
	return []string{
		m.MessageID.String(), orEmpty(idText(m.ParentID)), orEmpty(idText(m.UserID)), date, m.Text, m.Role,
		orEmpty(m.Lang), whole(m.ReviewCount), flag(m.ReviewResult), flag(&m.Deleted), whole(m.Rank), flag(&m.Synthetic),
		orEmpty(m.ModelName), flag(&m.Edited),
		cell(m.Emojis != nil, func() { w.emojis(m.Emojis) }),
		cell(m.Labels != nil, func() { w.labels(m.Labels) }),
		cell(m.Classifiers[Detoxify] != nil, func() { w.outputs(m.Classifiers[Detoxify]) }),
		cell(hasOthers(m.Classifiers), func() { w.others(m.Classifiers) }),
		string(m.Events),
		orEmpty(idText(t.ID)), orEmpty(t.State), orEmpty(t.Origin), whole(t.GoalTreeSize), whole(t.MaxDepth),
		whole(t.MaxChildrenCount),
	}
}

// LostInCells lists what Cells has no place for, or a spreadsheet.Writer changes.
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
