// Package corpus reads and writes conversation trees in the formats of the
// Open Assistant data sets (OASST): JSON Lines with a tree a line, a message a
// line, a message with its replies nested, or rows as on Hugging Face.
package corpus

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// The limits of one line. They are far above real data, and low enough to hold a
// line in memory.
const (
	MaxLine     = 64 << 20 // bytes of a line
	MaxDepth    = 1000     // levels of replies below a prompt
	MaxMessages = 100_000  // messages of a line
)

// The roles in a conversation.
const (
	Prompter  = "prompter"
	Assistant = "assistant"
)

// Detoxify is the model whose outputs have their own key.
const Detoxify = "detoxify"

// DefaultState is the state of a tree without one in the file. Exports with the
// default settings have no states and hold trees in this state.
const DefaultState = "ready_for_export"

// states maps the states of a tree to whether it is active.
var states = map[string]bool{
	"initial_prompt_review":  true,
	"growing":                true,
	"ranking":                true,
	"ready_for_scoring":      true,
	"prompt_lottery_waiting": false,
	"ready_for_export":       false,
	"scoring_failed":         false,
	"aborted_low_grade":      false,
	"halted_by_moderator":    false,
	"backlog_ranking":        false,
}

// ActiveState reports whether a tree in this state is active.
func ActiveState(state string) bool { return states[state] }

// Message is one message of a file. A nil pointer or map means that the key was
// null or missing.
type Message struct {
	MessageID    uuid.UUID
	ParentID     *uuid.UUID // nil for a prompt
	UserID       *uuid.UUID
	CreatedDate  *time.Time // UTC, to the microsecond
	Text         string
	Role         string // Prompter or Assistant
	Lang         *string
	ReviewCount  *int
	ReviewResult *bool
	Deleted      bool
	Rank         *int // 0 is the best of its siblings
	Synthetic    bool
	ModelName    *string
	// Emojis counts reactions by name. An empty map is an empty record, which a
	// troll score distinguishes from none.
	Emojis map[string]int
	// Labels holds the means of labels; an empty map is a record too.
	Labels map[string]Label
	// Events is the unchanged value in the file.
	Events json.RawMessage
	// Classifiers holds outputs by model and name, Detoxify among the models.
	// A model without a single number is left out.
	Classifiers map[string]map[string]*float64
	Edited      bool
	// Depth counts levels below the record's first message.
	Depth int
}

// Label is the mean of Count votes for one label; Value is nil without votes.
type Label struct {
	Value *float64
	Count int
}

// Tree is the data of a line about its tree, without its messages.
type Tree struct {
	// ID is the tree's id in the line, wherever in it. It is that of the tree's
	// prompt, as far as the line alone shows.
	ID               *uuid.UUID
	State            *string
	Origin           *string
	GoalTreeSize     *int
	MaxDepth         *int
	MaxChildrenCount *int
}

// Record is one valid line: a message with the replies below it in the line.
type Record struct {
	File string
	Line int // from 1; 0 without a file
	Size int // bytes of the line, uncompressed, with its end
	Tree Tree
	// Prompt reports whether the line was a tree, so that its first message is a
	// prompt. Otherwise a message without a parent may still be a reply.
	Prompt bool
	// Messages are in depth-first order, each before its replies; there is at
	// least one. Only the first one's parent can be outside of the record.
	Messages []Message
}
