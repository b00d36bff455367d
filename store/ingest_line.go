package store

import (
	"bytes"
	"errors"
	"fmt"
	"math"
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

// noNUL refuses the character that no database text can hold.
func (i *ingestItem) noNUL() error {
	for name, text := range map[string]*string{"type": i.Type, "id": i.ID, "display_name": i.DisplayName, "auth_method": i.AuthMethod, "username": i.Username,
		"state": i.State, "origin": i.Origin, "lang": i.Lang, "role": i.Role, "text": i.Text, "model_name": i.ModelName, "emoji": i.Emoji, "op": i.Op,
		"reason": i.Reason, "model": i.Model} {
		if text != nil && strings.ContainsRune(*text, 0) {
			return ingestFault(corpus.NUL, "%s holds the character U+0000, which cannot be stored.", name)
		}
	}
	for _, values := range []map[string]*float64{i.Labels, i.Scores} {
		for name := range values {
			if strings.ContainsRune(name, 0) {
				return ingestFault(corpus.NUL, "A name holds the character U+0000, which cannot be stored.")
			}
		}
	}
	return nil
}

// date finds when it happened; a message's date is its created_date.
func (i *ingestItem) date(now time.Time) error {
	name, text := "at", i.At
	if i.kind == "message" && i.CreatedDate != nil {
		name, text = "created_date", i.CreatedDate
	}
	if text == nil {
		return nil
	}
	at, err := time.Parse(time.RFC3339Nano, *text)
	if err != nil || at.UTC().Year() < 1 || at.UTC().Year() > 9999 {
		return ingestFault(corpus.BadDate, "%s is %.60q, which is not a time such as 2026-11-30T12:00:00Z.", name, *text)
	}
	if at.After(now.Add(maxAhead)) {
		return ingestFault(corpus.BadDate, "%s is %s, which is more than a day ahead of our clock.", name, *text)
	}
	i.at = at.UTC().Truncate(time.Microsecond)
	return nil
}

// readID reads an id in its one plain form.
func readID(name string, text *string, into *uuid.UUID) error {
	if text == nil {
		return ingestFault(corpus.MissingField, "The line has no %s.", name)
	}
	id, err := uuid.Parse(*text)
	if err != nil || len(*text) != len(id.String()) || id == uuid.Nil {
		return ingestFault(corpus.BadID, "%s is %.60q, which is not a UUID.", name, *text)
	}
	*into = id
	return nil
}

// given are the checks of what a person gave a message.
func (i *ingestItem) given() error {
	if err := readID("message_id", i.MessageID, &i.message); err != nil {
		return err
	}
	return readID("user_id", i.UserID, &i.user)
}

func (i *ingestItem) checkUser() error {
	if err := readID("user_id", i.UserID, &i.user); err != nil {
		return err
	}
	for name, text := range map[string]*string{"display_name": i.DisplayName, "username": i.Username} {
		switch {
		case text == nil:
		case strings.TrimSpace(*text) == "":
			return ingestFault(corpus.WrongValue, "%s holds no visible character.", name)
		case utf8.RuneCountInString(*text) > maxUserName:
			return ingestFault(corpus.TooLong, "%s is longer than %d characters.", name, maxUserName)
		}
	}
	switch method := i.AuthMethod; {
	case method == nil:
	case *method == "" || *method == "key":
		return ingestFault(corpus.WrongValue, "auth_method is %q, which is no way to sign in for a contributor.", *method)
	case len(*method) > maxAuthMethod:
		return ingestFault(corpus.TooLong, "auth_method is longer than %d bytes.", maxAuthMethod)
	}
	return nil
}

func (i *ingestItem) checkTree() error {
	if err := readID("message_tree_id", i.TreeID, &i.tree); err != nil {
		return err
	}
	if i.State != nil && !slices.Contains(TreeStates, *i.State) {
		return ingestFault(corpus.UnknownState, "state is %.60q, which is none of the states of a tree.", *i.State)
	}
	for name, n := range map[string]*float64{"goal_tree_size": i.GoalTreeSize, "max_depth": i.MaxDepth, "max_children_count": i.MaxChildrenCount} {
		if n != nil && (*n < 0 || *n > math.MaxInt32 || *n != math.Trunc(*n)) {
			return ingestFault(corpus.WrongValue, "%s is %v; it must be a whole number from 0 to %d.", name, *n, math.MaxInt32)
		}
	}
	return i.checkWords()
}

// checkWords bounds what is stored as short words.
func (i *ingestItem) checkWords() error {
	for name, word := range map[string]*string{"lang": i.Lang, "origin": i.Origin, "model_name": i.ModelName, "model": i.Model} {
		if word != nil && len(*word) > corpus.MaxName {
			return ingestFault(corpus.TooLong, "%s is longer than %d bytes.", name, corpus.MaxName)
		}
	}
	return nil
}

func (i *ingestItem) checkMessage() error {
	if err := i.given(); err != nil {
		return err
	}
	if i.TreeID != nil {
		if err := readID("message_tree_id", i.TreeID, &i.tree); err != nil {
			return err
		}
	}
	if i.ParentID != nil {
		i.parent = new(uuid.UUID)
		if err := readID("parent_id", i.ParentID, i.parent); err != nil {
			return err
		}
	}
	switch {
	case i.Role == nil:
		return ingestFault(corpus.MissingField, "The message has no role.")
	case *i.Role != corpus.Prompter && *i.Role != corpus.Assistant:
		return ingestFault(corpus.UnknownRole, "role is %.60q; it must be prompter or assistant.", *i.Role)
	case i.Text == nil:
		return ingestFault(corpus.MissingField, "The message has no text.")
	case utf8.RuneCountInString(*i.Text) > maxText:
		return ingestFault(corpus.TooLong, "A message has at most %d characters.", maxText)
	case i.parent == nil && i.tree != uuid.Nil && i.tree != i.message:
		return ingestFault(ingestWrongTree, "A prompt's message_tree_id is its own message_id.")
	case i.parent != nil && *i.parent == i.message:
		return ingestFault(corpus.Cycle, "The message is its own parent.")
	}
	return i.checkWords()
}

func (i *ingestItem) checkLabel() error {
	if err := i.given(); err != nil {
		return err
	}
	for name, value := range i.Labels {
		if value == nil || !(*value >= 0 && *value <= 1) {
			return ingestFault(corpus.WrongValue, "The label %.60q is not a number from 0 to 1.", name)
		}
	}
	return checkNames("labels", i.Labels)
}

// checkNames bounds names and their number; there is at least one.
func checkNames(field string, values map[string]*float64) error {
	if len(values) == 0 {
		return ingestFault(corpus.MissingField, "The line has no %s.", field)
	}
	if len(values) > maxIngestNames {
		return ingestFault(corpus.TooMany, "%s has more than %d entries.", field, maxIngestNames)
	}
	for name := range values {
		if name == "" || len(name) > corpus.MaxName {
			return ingestFault(corpus.TooLong, "A name in %s has 1 to %d bytes.", field, corpus.MaxName)
		}
	}
	return nil
}

func (i *ingestItem) checkReaction() error {
	if err := i.given(); err != nil {
		return err
	}
	if i.Emoji == nil {
		return ingestFault(corpus.MissingField, "The reaction has no emoji.")
	}
	if !slices.Contains(ingestEmojis, *i.Emoji) {
		return ingestFault(ingestUnknownEmoji, "There is no emoji %.60q; there are %s.", *i.Emoji, strings.Join(ingestEmojis, ", "))
	}
	if i.Op != nil && *i.Op != "add" && *i.Op != "remove" {
		return ingestFault(corpus.WrongValue, "op is %.60q; it must be add or remove.", *i.Op)
	}
	return nil
}

func (i *ingestItem) checkReport() error {
	if err := i.given(); err != nil {
		return err
	}
	if i.Reason == nil || strings.TrimSpace(*i.Reason) == "" {
		return ingestFault(corpus.MissingField, "The report has no reason.")
	}
	if utf8.RuneCountInString(*i.Reason) > maxReportReason {
		return ingestFault(corpus.TooLong, "A reason has at most %d characters.", maxReportReason)
	}
	return nil
}

func (i *ingestItem) checkOutput() error {
	if err := readID("message_id", i.MessageID, &i.message); err != nil {
		return err
	}
	if i.Model == nil || *i.Model == "" {
		return ingestFault(corpus.MissingField, "The output has no model.")
	}
	for name, value := range i.Scores {
		if value == nil {
			return ingestFault(corpus.WrongValue, "The score %.60q is not a number.", name)
		}
	}
	if err := i.checkWords(); err != nil {
		return err
	}
	return checkNames("scores", i.Scores)
}
