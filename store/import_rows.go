package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
)

// importRows are a batch's messages and what hangs on them as rows: of new
// messages for the tables themselves, of known ones for the session's tables
// of the same form, from where they are merged.
type importRows struct {
	messages, directory, emojis, labels, outputs copyRows
}

// The columns that importRows fills.
const (
	importMessageColumns = `tree_id, message_id, parent_id, user_id, created_date, role, lang, text, depth, review_count, review_result,
		rank, synthetic, model_name, edited, deleted, deleted_root, events`
	importDirectoryColumns = `message_id, tree_id`
	importEmojiColumns     = `tree_id, message_id, upvotes, downvotes, red_flags, other`
	importOutputColumns    = `tree_id, message_id, model_id, toxicity, scores`
)

var importLabelColumns = `tree_id, message_id, ` + eachLabel(`%[1]s, %[1]s_count`, ", ") + `, other`

func (r *importRows) reset() {
	for _, rows := range []*copyRows{&r.messages, &r.directory, &r.emojis, &r.labels, &r.outputs} {
		rows.reset()
	}
}

// send copies everything. The prefix chooses the tables.
func (r *importRows) send(ctx context.Context, tx pgx.Tx, messages, emojis, labels, outputs string) error {
	for _, table := range []struct {
		rows          *copyRows
		name, columns string
	}{
		{&r.messages, messages, importMessageColumns},
		{&r.directory, "message_trees", importDirectoryColumns},
		{&r.emojis, emojis, importEmojiColumns},
		{&r.labels, labels, importLabelColumns},
		{&r.outputs, outputs, importOutputColumns},
	} {
		if err := table.rows.send(ctx, tx, table.name, table.columns); err != nil {
			return err
		}
	}
	return nil
}

// message adds a message. Its text is left out (null) where keepText says so.
func (r *importRows) message(item *importItem, i int, keepText bool) {
	m := &item.record.Messages[i]
	c := &r.messages
	c.row(18)
	c.uuid(item.tree)
	c.uuid(m.MessageID)
	c.optionalUUID(item.parentOf(i))
	c.optionalUUID(m.UserID)
	c.time(m.CreatedDate)
	c.text(m.Role)
	c.optionalText(m.Lang)
	if keepText {
		c.null()
	} else {
		c.text(m.Text)
	}
	c.int(item.depth + m.Depth)
	c.optionalInt(m.ReviewCount)
	c.optionalBool(m.ReviewResult)
	c.optionalInt(m.Rank)
	c.bool(m.Synthetic)
	c.optionalText(m.ModelName)
	c.bool(m.Edited)
	c.bool(m.Deleted)
	if root := item.roots[i]; m.Deleted && root != importNil {
		c.uuid(root)
	} else {
		c.null()
	}
	c.json(m.Events)
}

// directoryRow lets the message's tree be found by its id.
func (r *importRows) directoryRow(message, tree uuid.UUID) {
	r.directory.row(2)
	r.directory.uuid(message)
	r.directory.uuid(tree)
}

// emojiRow adds a message's reactions, if it has a record of them.
func (r *importRows) emojiRow(tree uuid.UUID, m *corpus.Message) error {
	if m.Emojis == nil {
		return nil
	}
	c := &r.emojis
	c.row(6)
	c.uuid(tree)
	c.uuid(m.MessageID)
	known := 0
	for _, name := range []string{"+1", "-1", "red_flag"} {
		count, there := m.Emojis[name]
		if there {
			known++
		}
		c.int(count)
	}
	if len(m.Emojis) == known {
		c.null()
		return nil
	}
	other := make(map[string]int, len(m.Emojis)-known)
	for name, count := range m.Emojis {
		if name != "+1" && name != "-1" && name != "red_flag" {
			other[name] = count
		}
	}
	text, err := json.Marshal(other)
	if err != nil {
		return fmt.Errorf("write the emojis of message %s: %w", m.MessageID, err)
	}
	c.jsonb(text)
	return nil
}

// importLabel is a label of another name than those with columns.
type importLabel struct {
	Value *float64 `json:"value"`
	Count int      `json:"count"`
}

// labelRow adds a message's labels, if it has a record of them.
func (r *importRows) labelRow(tree uuid.UUID, m *corpus.Message) error {
	if m.Labels == nil {
		return nil
	}
	c := &r.labels
	c.row(3 + 2*len(LabelNames))
	c.uuid(tree)
	c.uuid(m.MessageID)
	known := 0
	for _, name := range LabelNames {
		label, there := m.Labels[name]
		if !there {
			c.null()
			c.null()
			continue
		}
		known++
		c.float(label.Value)
		c.int(label.Count)
	}
	if len(m.Labels) == known {
		c.null()
		return nil
	}
	other := make(map[string]importLabel, len(m.Labels)-known)
	for name, label := range m.Labels {
		if !isLabel(name) {
			other[name] = importLabel(label)
		}
	}
	text, err := json.Marshal(other)
	if err != nil {
		return fmt.Errorf("write the labels of message %s: %w", m.MessageID, err)
	}
	c.jsonb(text)
	return nil
}

// outputRow adds what one model said of a message.
func (r *importRows) outputRow(tree, message uuid.UUID, model int16, toxicity *float64, scores []*float64) {
	c := &r.outputs
	c.row(5)
	c.uuid(tree)
	c.uuid(message)
	c.int16(model)
	c.float(toxicity)
	c.floats(scores)
}

// importTree is what a batch says of one tree.
type importTree struct {
	id   uuid.UUID
	info corpus.Tree
	root *corpus.Message // set where the tree is new
}

// say takes in what a further line says of the tree: the last word counts.
func (t *importTree) say(info *corpus.Tree) {
	if info.State != nil {
		t.info.State = info.State
	}
	if info.Origin != nil {
		t.info.Origin = info.Origin
	}
	if info.GoalTreeSize != nil {
		t.info.GoalTreeSize = info.GoalTreeSize
	}
	if info.MaxDepth != nil {
		t.info.MaxDepth = info.MaxDepth
	}
	if info.MaxChildrenCount != nil {
		t.info.MaxChildrenCount = info.MaxChildrenCount
	}
}

// silent says that no line said anything of the tree itself.
func (t *importTree) silent() bool {
	i := &t.info
	return i.State == nil && i.Origin == nil && i.GoalTreeSize == nil && i.MaxDepth == nil && i.MaxChildrenCount == nil
}

// row adds a new tree.
func (t *importTree) row(c *copyRows) {
	state := corpus.DefaultState
	if t.info.State != nil {
		state = *t.info.State
	}
	c.row(10)
	c.uuid(t.root.MessageID)
	c.text(state)
	c.bool(corpus.ActiveState(state))
	c.optionalInt(t.info.GoalTreeSize)
	c.optionalInt(t.info.MaxDepth)
	c.optionalInt(t.info.MaxChildrenCount)
	c.optionalText(t.info.Origin)
	c.optionalText(t.root.Lang)
	c.time(t.root.CreatedDate)
	c.optionalUUID(t.root.UserID)
}

const importTreeColumns = `tree_id, state, active, goal_tree_size, max_depth, max_children_count, origin, lang, created_date, user_id`
