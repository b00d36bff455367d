// Package corpus reads and writes conversation trees in the formats of the
// Open Assistant data sets (OASST): JSON Lines with a tree a line, a message a
// line, a message with its replies nested, or rows as on Hugging Face. It
// knows nothing of where trees are kept.
package corpus

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Bounds on what one line may hold. They stand far above anything that people
// wrote and far below what would hurt: a line is held in memory whole.
const (
	MaxLine     = 64 << 20  // bytes of a line
	MaxDepth    = 1000      // levels of replies below a prompt
	MaxMessages = 100_000   // messages of a line
	MaxNames    = 1000      // emojis, labels, models or outputs of a message
	MaxName     = 256       // bytes of such a name, of a language or a state
	MaxPeople   = 1_000_000 // people who gave a message one reaction or label
)

// The roles in a conversation.
const (
	Prompter  = "prompter"
	Assistant = "assistant"
)

// Detoxify is the model whose outputs stand under a key of their own.
const Detoxify = "detoxify"

// DefaultState is the state of a tree of which no line says one. Files without
// states are exports made with the defaults, and these hold trees in this state.
const DefaultState = "ready_for_export"

// states are all states of a tree; true where work on it goes on.
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

// ActiveState says whether work goes on on a tree in this state.
func ActiveState(state string) bool { return states[state] }

// Message is one message as a file tells it. A nil pointer or map is a key
// that was null or missing: the file says nothing about it.
type Message struct {
	MessageID    uuid.UUID
	ParentID     *uuid.UUID // nil: a prompt
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
	// Emojis counts reactions by name; an empty map is a record without any,
	// which a troll score tells from no record.
	Emojis map[string]int
	// Labels holds the mean of people's labels; an empty map is a record too.
	Labels map[string]Label
	// Events is the value as it stood in the file.
	Events json.RawMessage
	// Classifiers holds outputs by model and name, Detoxify among the models.
	// A model without a single number is left out.
	Classifiers map[string]map[string]*float64
	Edited      bool
	// Depth counts levels below the record's first message.
	Depth int
}

// Label is what people said of one label: the mean of Count votes, nil where
// nobody gave it.
type Label struct {
	Value *float64
	Count int
}

// Tree is what a line says of its tree, beside its messages.
type Tree struct {
	// ID is the tree's id as the line has it. It need not be the prompt's id
	// (anonymised exports differ there), and then the prompt's id counts.
	ID               *uuid.UUID
	State            *string
	Origin           *string
	GoalTreeSize     *int
	MaxDepth         *int
	MaxChildrenCount *int
}

// Record is one good line: a message with all replies below it that the line
// holds.
type Record struct {
	File string
	Line int // from 1; 0 where there was no file
	Size int // bytes of the line, uncompressed, with its end
	Tree Tree
	// Prompt says that the line was a tree, so that its first message is a
	// prompt; a message of which no parent is told may be a reply all the same.
	Prompt bool
	// Messages stand depth first, each before its replies; never empty. Only
	// the first one's parent can lie outside of the record.
	Messages []Message
}
