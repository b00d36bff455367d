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

// tableRows are a batch's messages and what hangs on them as rows: of new
// messages for the tables themselves, of known ones for the session's tables
// of the same form, from where they are merged.
type tableRows struct {
	messages, directory, emojis, labels, outputs db.CopyRows
}

// The columns that importRows fills.
const (
	messageColumnNames = `tree_id, message_id, parent_id, user_id, created_date, role, lang, text, depth, review_count, review_result,
		rank, synthetic, model_name, edited, deleted, deleted_root, events`
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

// send copies everything. The prefix chooses the tables.
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

// message adds a message. Its text is left out (null) where keepText says so.
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

// directoryRow lets the message's tree be found by its id.
func (r *tableRows) directoryRow(message, tree uuid.UUID) {
	r.directory.Row(2)
	r.directory.UUID(message)
	r.directory.UUID(tree)
}

// emojiRow adds a message's reactions, if it has a record of them.
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

// otherLabel is a label of another name than those with columns.
type otherLabel struct {
	Value *float64 `json:"value"`
	Count int      `json:"count"`
}

// labelRow adds a message's labels, if it has a record of them.
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

// outputRow adds what one model said of a message.
func (r *tableRows) outputRow(tree, message uuid.UUID, model int16, toxicity *float64, scores []*float64) {
	c := &r.outputs
	c.Row(5)
	c.UUID(tree)
	c.UUID(message)
	c.Int16(model)
	c.Float(toxicity)
	c.Floats(scores)
}

// treeInfo is what a batch says of one tree.
type treeInfo struct {
	id   uuid.UUID
	info corpus.Tree
	root *corpus.Message // set where the tree is new
}

// merge takes in what a further line says of the tree: the last word counts.
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

// isEmpty says that no line said anything of the tree itself.
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

const treeColumns = `tree_id, state, active, goal_tree_size, max_depth, max_children_count, origin, lang, created_date, user_id`
