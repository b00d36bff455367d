package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"treewarden/corpus"
)

// The codes of lines that an ingest refuses, beside those of package corpus.
const (
	ingestUnknownType    = "unknown_type"
	ingestUnknownUser    = "unknown_user"
	ingestUnknownMessage = "unknown_message"
	ingestUnknownParent  = "unknown_parent"
	ingestUnknownEmoji   = "unknown_emoji"
	ingestUserBanned     = "user_banned"
	ingestUserErased     = "user_erased"
	ingestNameTaken      = "name_taken"
	ingestWrongTree      = "wrong_tree"
)

// Bounds on what one line of an ingest holds.
const (
	maxIngestLine   = 1 << 20 // bytes
	maxEventID      = 200     // bytes
	maxUserName     = 256     // characters, as of a name that staff give
	maxAuthMethod   = 64      // bytes
	maxReportReason = 2000    // characters
	maxIngestNames  = 100     // labels or outputs
	// maxReportText is the length in bytes at which further reasons no longer
	// join a person's open report: a stuck front end must not grow it for ever.
	maxReportText = 10_000
	// maxAhead is how far the clock of a front end may run before ours.
	maxAhead = 24 * time.Hour
)

// ingestEmojis are the reactions that an ingest takes: what people give, and
// the records of skipped tasks that front ends keep as such.
var ingestEmojis = append(slices.Clone(Emojis), "_skip_reply", "_skip_ranking", "_skip_labeling")

// IngestFault says why a line was refused. Good lines beside it are kept.
type IngestFault struct {
	Line    int    `json:"line"` // from 1
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (f *IngestFault) Error() string { return f.Message }

func ingestFault(code, format string, args ...any) *IngestFault {
	return &IngestFault{Code: code, Message: fmt.Sprintf(format, args...)}
}

// ingestLine is a line as it was sent; nil is what it does not say.
type ingestLine struct {
	Type             *string             `json:"type"`
	ID               *string             `json:"id"`
	At               *string             `json:"at"`
	UserID           *string             `json:"user_id"`
	DisplayName      *string             `json:"display_name"`
	AuthMethod       *string             `json:"auth_method"`
	Username         *string             `json:"username"`
	TreeID           *string             `json:"message_tree_id"`
	State            *string             `json:"state"`
	Origin           *string             `json:"origin"`
	Lang             *string             `json:"lang"`
	GoalTreeSize     *float64            `json:"goal_tree_size"`
	MaxDepth         *float64            `json:"max_depth"`
	MaxChildrenCount *float64            `json:"max_children_count"`
	MessageID        *string             `json:"message_id"`
	ParentID         *string             `json:"parent_id"`
	Role             *string             `json:"role"`
	Text             *string             `json:"text"`
	CreatedDate      *string             `json:"created_date"`
	Synthetic        *bool               `json:"synthetic"`
	ModelName        *string             `json:"model_name"`
	Labels           map[string]*float64 `json:"labels"`
	Emoji            *string             `json:"emoji"`
	Op               *string             `json:"op"`
	Reason           *string             `json:"reason"`
	Model            *string             `json:"model"`
	Scores           map[string]*float64 `json:"scores"`
}

// ingestItem is a line that says something that can be done, as far as the
// line alone can tell.
type ingestItem struct {
	ingestLine
	line    int
	event   string
	kind    string
	at      time.Time
	user    uuid.UUID
	tree    uuid.UUID // Nil where the line does not say it
	message uuid.UUID
	parent  *uuid.UUID
	fault   *IngestFault // of the try under way
}

// ingestKinds check the lines of each type.
var ingestKinds = map[string]func(*ingestItem) error{
	"user": (*ingestItem).checkUser, "tree": (*ingestItem).checkTree, "message": (*ingestItem).checkMessage, "label": (*ingestItem).checkLabel,
	"reaction": (*ingestItem).checkReaction, "report": (*ingestItem).checkReport, "classifier_output": (*ingestItem).checkOutput,
}

// parseIngest reads lines. Empty ones say nothing; faults are those of lines
// that nothing can be done about.
func parseIngest(body []byte, now time.Time) (items []*ingestItem, faults []IngestFault) {
	n := 0
	for line := range bytes.Lines(bytes.TrimPrefix(body, []byte("\uFEFF"))) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		item, err := parseIngestLine(line, now)
		if err != nil {
			fault := &IngestFault{Code: corpus.NotJSON, Message: err.Error()}
			errors.As(err, &fault)
			fault.Line = n
			faults = append(faults, *fault)
			continue
		}
		item.line = n
		items = append(items, item)
	}
	return items, faults
}

func parseIngestLine(line []byte, now time.Time) (*ingestItem, error) {
	if len(line) > maxIngestLine {
		return nil, ingestFault(corpus.TooLong, "The line is %d bytes long; %d is the most.", len(line), maxIngestLine)
	}
	if !utf8.Valid(line) {
		return nil, ingestFault(corpus.InvalidUTF8, "The line is not valid UTF-8.")
	}
	if string(line) == "null" {
		return nil, ingestFault(corpus.WrongType, "The line is not a JSON object.")
	}
	item := &ingestItem{at: now}
	if err := json.Unmarshal(line, &item.ingestLine); err != nil {
		return nil, ingestUnreadable(line, err)
	}
	if bytes.Contains(line, []byte(`\u0000`)) { // JSON has no other way to write it
		if err := item.noNUL(); err != nil {
			return nil, err
		}
	}
	if item.ID == nil || *item.ID == "" {
		return nil, ingestFault(corpus.MissingField, "The line has no id; each event has one of its own, so that it can be sent again.")
	}
	if len(*item.ID) > maxEventID {
		return nil, ingestFault(corpus.TooLong, "The id is longer than %d bytes.", maxEventID)
	}
	if item.Type == nil {
		return nil, ingestFault(corpus.MissingField, "The line has no type.")
	}
	check, ok := ingestKinds[*item.Type]
	if !ok {
		return nil, ingestFault(ingestUnknownType, "There is no type %.60q; it is user, tree, message, label, reaction, report or classifier_output.", *item.Type)
	}
	item.event, item.kind = *item.ID, *item.Type
	if err := item.date(now); err != nil {
		return nil, err
	}
	return item, check(item)
}

// ingestUnreadable says why a line is not the object that it should be.
func ingestUnreadable(line []byte, err error) *IngestFault {
	var semantic *json.SemanticError
	switch {
	case errors.As(err, &semantic) && semantic.JSONPointer == "":
		return ingestFault(corpus.WrongType, "The line is not a JSON object.")
	case errors.As(err, &semantic):
		return ingestFault(corpus.WrongType, "%s is not of the type that it should be.", strings.TrimPrefix(string(semantic.JSONPointer), "/"))
	case jsontext.Value(line).IsValid(jsontext.AllowInvalidUTF8(true)):
		return ingestFault(corpus.LoneSurrogate, `The line has one half of a surrogate pair (\ud800 to \udfff alone), which is no character.`)
	}
	return ingestFault(corpus.NotJSON, "The line is not one JSON object.")
}
