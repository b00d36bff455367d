package importer

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
	"treewarden/scoring"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// tableRows holds a batch's messages and their children as rows. Rows of new
// messages are copied into the tables themselves, rows of known ones into the
// temporary tables.
type tableRows struct {
	messages, directory, emojis, labels, outputs db.CopyRows
}

// The columns that tableRows fills.
const (
	messageColumnNames = `tree_id, message_id, parent_id, user_id, created_date, role, lang, text, depth,
		review_count, review_result, rank, synthetic, model_name, edited, deleted, deleted_root, events`
	directoryColumns = `message_id, tree_id`
	emojiColumns     = `tree_id, message_id, upvotes, downvotes, red_flags, other`
	outputColumns    = `tree_id, message_id, model_id, toxicity, scores`
)

var labelColumns = `tree_id, message_id, ` + tables.EachLabel(`%[1]s, %[1]s_count`, ", ") + `, other`

func (r *tableRows) reset() {
	for _, rows := range []*db.CopyRows{&r.messages, &r.directory, &r.emojis, &r.labels, &r.outputs} {
		rows.Reset()
	}
}

// send copies all rows into the named tables and message_trees.
func (r *tableRows) send(ctx context.Context, tx pgx.Tx, messages, emojis, labels, outputs string) error {
	for _, table := range []struct {
		rows          *db.CopyRows
		name, columns string
	}{
		{&r.messages, messages, messageColumnNames},
		{&r.directory, "message_trees", directoryColumns},
		{&r.emojis, emojis, emojiColumns},
		{&r.labels, labels, labelColumns},
		{&r.outputs, outputs, outputColumns},
	} {
		if err := table.rows.Send(ctx, tx, table.name, table.columns); err != nil {
			return err
		}
	}
	return nil
}

// message adds a message. With keepText, its text is null, which keeps the known text.
func (r *tableRows) message(item *incoming, i int, keepText bool) {
	m := &item.record.Messages[i]
	c := &r.messages
	c.Row(18)
	c.UUID(item.tree)
	c.UUID(m.MessageID)
	c.OptionalUUID(item.parentOf(i))
	c.OptionalUUID(m.UserID)
	c.Time(m.CreatedDate)
	c.Text(m.Role)
	c.OptionalText(m.Lang)
	if keepText {
		c.Null()
	} else {
		c.Text(m.Text)
	}
	c.Int(item.depth + m.Depth)
	c.OptionalInt(m.ReviewCount)
	c.OptionalBool(m.ReviewResult)
	c.OptionalInt(m.Rank)
	c.Bool(m.Synthetic)
	c.OptionalText(m.ModelName)
	c.Bool(m.Edited)
	c.Bool(m.Deleted)
	if root := item.roots[i]; m.Deleted && root != uuid.Nil {
		c.UUID(root)
	} else {
		c.Null()
	}
	c.JSON(m.Events)
}

// directoryRow adds the tree of a message to message_trees.
func (r *tableRows) directoryRow(message, tree uuid.UUID) {
	r.directory.Row(2)
	r.directory.UUID(message)
	r.directory.UUID(tree)
}

// emojiRow adds a message's reaction record, if any.
func (r *tableRows) emojiRow(tree uuid.UUID, m *corpus.Message) error {
	if m.Emojis == nil {
		return nil
	}
	c := &r.emojis
	c.Row(6)
	c.UUID(tree)
	c.UUID(m.MessageID)
	known := 0
	for _, name := range []string{"+1", "-1", "red_flag"} {
		count, there := m.Emojis[name]
		if there {
			known++
		}
		c.Int(count)
	}
	if len(m.Emojis) == known {
		c.Null()
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
	c.Jsonb(text)
	return nil
}

// otherLabel is a label without a column.
type otherLabel struct {
	Value *float64 `json:"value"`
	Count int      `json:"count"`
}

// labelRow adds a message's label record, if any.
func (r *tableRows) labelRow(tree uuid.UUID, m *corpus.Message) error {
	if m.Labels == nil {
		return nil
	}
	c := &r.labels
	c.Row(3 + 2*len(scoring.LabelNames))
	c.UUID(tree)
	c.UUID(m.MessageID)
	known := 0
	for _, name := range scoring.LabelNames {
		label, there := m.Labels[name]
		if !there {
			c.Null()
			c.Null()
			continue
		}
		known++
		c.Float(label.Value)
		c.Int(label.Count)
	}
	if len(m.Labels) == known {
		c.Null()
		return nil
	}
	other := make(map[string]otherLabel, len(m.Labels)-known)
	for name, label := range m.Labels {
		if !scoring.IsLabel(name) {
			other[name] = otherLabel(label)
		}
	}
	text, err := json.Marshal(other)
	if err != nil {
		return fmt.Errorf("write the labels of message %s: %w", m.MessageID, err)
	}
	c.Jsonb(text)
	return nil
}

// outputRow adds the outputs of one model for a message.
func (r *tableRows) outputRow(tree, message uuid.UUID, model int16, toxicity *float64, scores []*float64) {
	c := &r.outputs
	c.Row(5)
	c.UUID(tree)
	c.UUID(message)
	c.Int16(model)
	c.Float(toxicity)
	c.Floats(scores)
}

// treeInfo is a batch's data about one tree.
type treeInfo struct {
	id   uuid.UUID
	info corpus.Tree
	root *corpus.Message // set if the tree is new
}

// merge adds the data of a further line, which replaces earlier data.
func (t *treeInfo) merge(info *corpus.Tree) {
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

// isEmpty reports whether the lines have no data about the tree itself.
func (t *treeInfo) isEmpty() bool {
	i := &t.info
	return i.State == nil && i.Origin == nil && i.GoalTreeSize == nil && i.MaxDepth == nil && i.MaxChildrenCount == nil
}

// row adds a new tree.
func (t *treeInfo) row(c *db.CopyRows) {
	state := corpus.DefaultState
	if t.info.State != nil {
		state = *t.info.State
	}
	c.Row(10)
	c.UUID(t.root.MessageID)
	c.Text(state)
	c.Bool(corpus.ActiveState(state))
	c.OptionalInt(t.info.GoalTreeSize)
	c.OptionalInt(t.info.MaxDepth)
	c.OptionalInt(t.info.MaxChildrenCount)
	c.OptionalText(t.info.Origin)
	c.OptionalText(t.root.Lang)
	c.Time(t.root.CreatedDate)
	c.OptionalUUID(t.root.UserID)
}

const treeColumns = `tree_id, state, active, goal_tree_size, max_depth, max_children_count,
	origin, lang, created_date, user_id`
