package ingest

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/store/tables"
)

// noNUL refuses NUL, which PostgreSQL cannot store in text.
func (i *lineItem) noNUL() error {
	for name, text := range map[string]*string{"type": i.Type, "id": i.ID, "display_name": i.DisplayName,
		"auth_method": i.AuthMethod, "username": i.Username, "state": i.State, "origin": i.Origin,
		"lang": i.Lang, "role": i.Role, "text": i.Text, "model_name": i.ModelName,
		"emoji": i.Emoji, "op": i.Op, "reason": i.Reason, "model": i.Model} {
		if text != nil && strings.ContainsRune(*text, 0) {
			return refuse(corpus.NUL, "%s holds the character U+0000, which cannot be stored.", name)
		}
	}
	for _, values := range []map[string]*float64{i.Labels, i.Scores} {
		for name := range values {
			if strings.ContainsRune(name, 0) {
				return refuse(corpus.NUL, "A name holds the character U+0000, which cannot be stored.")
			}
		}
	}
	return nil
}

// date reads the date of the event; for a message it is created_date.
func (i *lineItem) date(now time.Time) error {
	if err := i.readDate("at", i.At, now); err != nil || i.kind != "message" {
		return err
	}
	return i.readDate("created_date", i.CreatedDate, now)
}

// readDate reads a date, if there is one, as the date of the event.
func (i *lineItem) readDate(name string, text *string, now time.Time) error {
	if text == nil {
		return nil
	}
	at, _, ok := corpus.ParseTime(*text)
	if !ok {
		return refuse(corpus.BadDate, "%s is %.60q, which is not a time such as 2026-11-30T12:00:00Z.", name, *text)
	}
	if at.After(now.Add(corpus.MaxAhead)) {
		return refuse(corpus.BadDate, "%s is %s, which is more than a day in the future.", name, *text)
	}
	i.at, *text = at, at.Format(time.RFC3339Nano)
	return nil
}

// readID parses an id in any usual spelling and gives it the one in which ids are
// written.
func readID(name string, text *string, into *uuid.UUID) error {
	if text == nil {
		return refuse(corpus.MissingField, "The line has no %s.", name)
	}
	id, ok := corpus.ParseUUID(*text)
	if !ok || id == uuid.Nil {
		return refuse(corpus.BadID, "%s is %.60q, which is not a UUID.", name, *text)
	}
	*into, *text = id, id.String()
	return nil
}

// checkFeedback checks the fields of feedback.
func (i *lineItem) checkFeedback() error {
	if err := readID("message_id", i.MessageID, &i.message); err != nil {
		return err
	}
	return readID("user_id", i.UserID, &i.user)
}

func (i *lineItem) checkUser() error {
	if err := readID("user_id", i.UserID, &i.user); err != nil {
		return err
	}
	// Any display name is taken: without its user, all other lines of theirs would be
	// refused. A username that is blank is none.
	if i.Username != nil {
		if name := strings.TrimSpace(*i.Username); name == "" {
			i.Username = nil
		} else if corpus.TooLongFor(name, corpus.MaxUsername) {
			return refuse(corpus.TooLong, "username is longer than %d characters.", corpus.MaxUsername)
		}
	}
	switch method := i.AuthMethod; {
	case method == nil:
	case *method == "" || *method == "key":
		return refuse(corpus.WrongValue, "auth_method is %q, which is not a way for contributors to sign in.", *method)
	case corpus.TooLongFor(*method, corpus.MaxAuthMethod):
		return refuse(corpus.TooLong, "auth_method is longer than %d characters.", corpus.MaxAuthMethod)
	}
	return nil
}

func (i *lineItem) checkTree() error {
	if err := readID("message_tree_id", i.TreeID, &i.tree); err != nil {
		return err
	}
	if i.State != nil && !slices.Contains(tables.TreeStates, *i.State) {
		return refuse(corpus.UnknownState, "state is %.60q, which is not a state of a tree.", *i.State)
	}
	for name, n := range map[string]*float64{"goal_tree_size": i.GoalTreeSize, "max_depth": i.MaxDepth,
		"max_children_count": i.MaxChildrenCount} {
		if n != nil && (*n < 0 || *n > math.MaxInt32 || *n != math.Trunc(*n)) {
			return refuse(corpus.WrongValue, "%s is %v; it must be a whole number from 0 to %d.", name, *n, math.MaxInt32)
		}
	}
	return i.checkWords()
}

// checkWords checks the length of short strings.
func (i *lineItem) checkWords() error {
	for _, word := range []struct {
		name  string
		text  *string
		limit int
	}{
		{"lang", i.Lang, corpus.MaxName}, {"model", i.Model, corpus.MaxName}, {"origin", i.Origin, corpus.MaxOrigin},
		{"model_name", i.ModelName, corpus.MaxModelName},
	} {
		if word.text != nil && corpus.TooLongFor(*word.text, word.limit) {
			return refuse(corpus.TooLong, "%s is longer than %d characters.", word.name, word.limit)
		}
	}
	return nil
}

func (i *lineItem) checkMessage() error {
	if err := i.checkFeedback(); err != nil {
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
		return refuse(corpus.MissingField, "The message has no role.")
	case *i.Role != corpus.Prompter && *i.Role != corpus.Assistant:
		return refuse(corpus.UnknownRole, "role is %.60q; it must be prompter or assistant.", *i.Role)
	case i.Text == nil:
		return refuse(corpus.MissingField, "The message has no text.")
	case corpus.TooLongFor(*i.Text, corpus.MaxText):
		return refuse(corpus.TooLong, "The text is longer than %d characters.", corpus.MaxText)
	case i.parent == nil && i.tree != uuid.Nil && i.tree != i.message:
		return refuse(corpus.WrongTree, "The message_tree_id of a prompt must be its own message_id.")
	case i.parent != nil && *i.parent == i.message:
		return refuse(corpus.Cycle, "The message is its own parent.")
	}
	return i.checkWords()
}

func (i *lineItem) checkLabel() error {
	if err := i.checkFeedback(); err != nil {
		return err
	}
	for name, value := range i.Labels {
		if value == nil || !(*value >= 0 && *value <= 1) {
			return refuse(corpus.WrongValue, "The label %.60q is not a number from 0 to 1.", name)
		}
	}
	return checkNames("labels", i.Labels)
}

// checkNames checks the length and number of names; there must be at least one.
func checkNames(field string, values map[string]*float64) error {
	if len(values) == 0 {
		return refuse(corpus.MissingField, "The line has no %s.", field)
	}
	if len(values) > corpus.MaxNames {
		return refuse(corpus.TooMany, "%s has more than %d entries.", field, corpus.MaxNames)
	}
	for name := range values {
		if name == "" || corpus.TooLongFor(name, corpus.MaxName) {
			return refuse(corpus.TooLong, "A name in %s must have 1 to %d characters.", field, corpus.MaxName)
		}
	}
	return nil
}

func (i *lineItem) checkReaction() error {
	if err := i.checkFeedback(); err != nil {
		return err
	}
	if i.Emoji == nil {
		return refuse(corpus.MissingField, "The reaction has no emoji.")
	}
	if !slices.Contains(emojis, *i.Emoji) {
		return refuse(unknownEmoji, "The emoji %.60q is unknown; it must be one of %s.", *i.Emoji, strings.Join(emojis, ", "))
	}
	if i.Op != nil && *i.Op != "add" && *i.Op != "remove" {
		return refuse(corpus.WrongValue, "op is %.60q; it must be add or remove.", *i.Op)
	}
	return nil
}

func (i *lineItem) checkReport() error {
	if err := i.checkFeedback(); err != nil {
		return err
	}
	if i.Reason == nil || strings.TrimSpace(*i.Reason) == "" {
		return refuse(corpus.MissingField, "The report has no reason.")
	}
	if corpus.TooLongFor(*i.Reason, corpus.MaxReportReason) {
		return refuse(corpus.TooLong, "The reason is longer than %d characters.", corpus.MaxReportReason)
	}
	return nil
}

func (i *lineItem) checkOutput() error {
	if err := readID("message_id", i.MessageID, &i.message); err != nil {
		return err
	}
	if i.Model == nil || *i.Model == "" {
		return refuse(corpus.MissingField, "The output has no model.")
	}
	for name, value := range i.Scores {
		if value == nil {
			return refuse(corpus.WrongValue, "The score %.60q is not a number.", name)
		}
	}
	if err := i.checkWords(); err != nil {
		return err
	}
	return checkNames("scores", i.Scores)
}
