package ingest

import (
	"bytes"
	"crypto/sha256"
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
	"treewarden/store/tables"
)

// The codes of refused lines, in addition to those of package corpus.
const (
	unknownType    = "unknown_type"
	unknownUser    = "unknown_user"
	unknownMessage = "unknown_message"
	unknownParent  = "unknown_parent"
	unknownEmoji   = "unknown_emoji"
	userBanned     = "user_banned"
	nameTaken      = "name_taken"
	idReused       = "id_reused"
	staffUser      = "staff_user"  // a line under the id of an account or a key
	givenByStaff   = "staff_gave"  // it would change what a person gave in the console
	staffState     = "staff_state" // only staff bring a tree into the state
)

// maxLine is the maximum length of a line in bytes. The limits of its fields are in
// package corpus.
const maxLine = 1 << 20

// maxReportText is the length in bytes from which further reasons are not appended
// to an open report, so that a broken front end cannot grow it without limit.
const maxReportText = 10_000

// emojis are the valid reactions: those of users, and the records of skipped
// tasks that front ends store as reactions.
var emojis = append(slices.Clone(tables.Emojis), "_skip_reply", "_skip_ranking", "_skip_labeling")

// Fault describes a refused line. The other lines are stored.
type Fault struct {
	Line    int    `json:"line"` // from 1
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (f *Fault) Error() string { return f.Message }

func refuse(code, format string, args ...any) *Fault {
	return &Fault{Code: code, Message: fmt.Sprintf(format, args...)}
}

// rawLine is a decoded line; missing fields are nil.
type rawLine struct {
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

// lineItem is a line that is valid as far as the line alone shows.
type lineItem struct {
	rawLine
	line  int
	event string
	// digest is the digest of the line's content.
	digest  uuid.UUID
	kind    string
	at      time.Time
	user    uuid.UUID
	tree    uuid.UUID // Nil if the line does not have it
	message uuid.UUID
	parent  *uuid.UUID
	fault   *Fault // of the current attempt
}

// checks maps each type of line to its check.
var checks = map[string]func(*lineItem) error{
	"user":              (*lineItem).checkUser,
	"tree":              (*lineItem).checkTree,
	"message":           (*lineItem).checkMessage,
	"label":             (*lineItem).checkLabel,
	"reaction":          (*lineItem).checkReaction,
	"report":            (*lineItem).checkReport,
	"classifier_output": (*lineItem).checkOutput,
}

// parse parses lines and skips empty ones. faults are those of invalid lines.
func parse(body []byte, now time.Time) (items []*lineItem, faults []Fault) {
	n := 0
	for line := range bytes.Lines(bytes.TrimPrefix(body, []byte("\uFEFF"))) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		item, err := parseLine(line, now)
		if err != nil {
			fault := &Fault{Code: corpus.NotJSON, Message: err.Error()}
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

func parseLine(line []byte, now time.Time) (*lineItem, error) {
	if len(line) > maxLine {
		return nil, refuse(corpus.TooLong, "The line is %d bytes long; at most %d are allowed.", len(line), maxLine)
	}
	if !utf8.Valid(line) {
		return nil, refuse(corpus.InvalidUTF8, "The line is not valid UTF-8.")
	}
	if string(line) == "null" {
		return nil, refuse(corpus.WrongType, "The line is not a JSON object.")
	}
	item := &lineItem{at: now}
	if err := json.Unmarshal(line, &item.rawLine); err != nil {
		return nil, unreadable(line, err)
	}
	if bytes.Contains(line, []byte(`\u0000`)) { // the only form of NUL in JSON
		if err := item.noNUL(); err != nil {
			return nil, err
		}
	}
	if item.ID == nil || *item.ID == "" {
		return nil, refuse(corpus.MissingField, "The line has no id; each event needs its own id, so that it can be "+
			"sent again.")
	}
	if corpus.TooLongFor(*item.ID, corpus.MaxEventID) {
		return nil, refuse(corpus.TooLong, "The id is longer than %d characters.", corpus.MaxEventID)
	}
	if item.Type == nil {
		return nil, refuse(corpus.MissingField, "The line has no type.")
	}
	check, ok := checks[*item.Type]
	if !ok {
		return nil, refuse(unknownType, "The type %.60q is unknown; it must be user, tree, message, label, reaction, "+
			"report or classifier_output.", *item.Type)
	}
	item.event, item.kind = *item.ID, *item.Type
	if err := item.date(now); err != nil {
		return nil, err
	}
	if err := check(item); err != nil {
		return nil, err
	}
	var err error
	item.digest, err = item.rawLine.sum()
	return item, err
}

// sum returns a digest of what a line says, however it is spelled: the order of its
// keys does not count, nor do keys that are not read.
func (l rawLine) sum() (uuid.UUID, error) {
	text, err := json.Marshal(l, json.Deterministic(true))
	if err != nil {
		return uuid.Nil, fmt.Errorf("write a line: %w", err)
	}
	sum := sha256.Sum256(text)
	return uuid.UUID(sum[:16]), nil
}

// unreadable returns the Fault of a line that is not a valid object.
func unreadable(line []byte, err error) *Fault {
	var semantic *json.SemanticError
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic) && semantic.JSONPointer == "":
		return refuse(corpus.WrongType, "The line is not a JSON object.")
	case errors.As(err, &syntax) && errors.Is(syntax.Err, jsontext.ErrDuplicateName):
		return refuse(corpus.RepeatedKey, "The line has the key %.60q twice.",
			strings.TrimPrefix(string(syntax.JSONPointer), "/"))
	case errors.As(err, &semantic):
		return refuse(corpus.WrongType, "%s is not of the type that it should be.",
			strings.TrimPrefix(string(semantic.JSONPointer), "/"))
	case jsontext.Value(line).IsValid(jsontext.AllowInvalidUTF8(true)):
		return refuse(corpus.LoneSurrogate,
			`The line has one half of a surrogate pair (\ud800 to \udfff alone), which is no character.`)
	}
	return refuse(corpus.NotJSON, "The line is not one JSON object.")
}
