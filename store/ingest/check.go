package ingest

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

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
	name, text := "at", i.At
	if i.kind == "message" && i.CreatedDate != nil {
		name, text = "created_date", i.CreatedDate
	}
	if text == nil {
		return nil
	}
	at, err := time.Parse(time.RFC3339Nano, *text)
	if err != nil || at.UTC().Year() < 1 || at.UTC().Year() > 9999 {
		return refuse(corpus.BadDate, "%s is %.60q, which is not a time such as 2026-11-30T12:00:00Z.", name, *text)
	}
	if at.After(now.Add(maxAhead)) {
		return refuse(corpus.BadDate, "%s is %s, which is more than a day ahead of our clock.", name, *text)
	}
	i.at = at.UTC().Truncate(time.Microsecond)
	return nil
}

// readID parses an id in its canonical form.
func readID(name string, text *string, into *uuid.UUID) error {
	if text == nil {
		return refuse(corpus.MissingField, "The line has no %s.", name)
	}
	id, err := uuid.Parse(*text)
	if err != nil || len(*text) != len(id.String()) || id == uuid.Nil {
		return refuse(corpus.BadID, "%s is %.60q, which is not a UUID.", name, *text)
	}
	*into = id
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
	for name, text := range map[string]*string{"display_name": i.DisplayName, "username": i.Username} {
		switch {
		case text == nil:
		case strings.TrimSpace(*text) == "":
			return refuse(corpus.WrongValue, "%s holds no visible character.", name)
		case utf8.RuneCountInString(*text) > maxUserName:
			return refuse(corpus.TooLong, "%s is longer than %d characters.", name, maxUserName)
		}
	}
	switch method := i.AuthMethod; {
	case method == nil:
	case *method == "" || *method == "key":
		return refuse(corpus.WrongValue, "auth_method is %q, which is no way to sign in for a contributor.", *method)
	case len(*method) > maxAuthMethod:
		return refuse(corpus.TooLong, "auth_method is longer than %d bytes.", maxAuthMethod)
	}
	return nil
}

func (i *lineItem) checkTree() error {
	if err := readID("message_tree_id", i.TreeID, &i.tree); err != nil {
		return err
	}
	if i.State != nil && !slices.Contains(tables.TreeStates, *i.State) {
		return refuse(corpus.UnknownState, "state is %.60q, which is none of the states of a tree.", *i.State)
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
	for name, word := range map[string]*string{"lang": i.Lang, "origin": i.Origin, "model_name": i.ModelName,
		"model": i.Model} {
		if word != nil && len(*word) > corpus.MaxName {
			return refuse(corpus.TooLong, "%s is longer than %d bytes.", name, corpus.MaxName)
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
	case utf8.RuneCountInString(*i.Text) > tables.MaxText:
		return refuse(corpus.TooLong, "A message has at most %d characters.", tables.MaxText)
	case i.parent == nil && i.tree != uuid.Nil && i.tree != i.message:
		return refuse(wrongTree, "A prompt's message_tree_id is its own message_id.")
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
	if len(values) > maxNames {
		return refuse(corpus.TooMany, "%s has more than %d entries.", field, maxNames)
	}
	for name := range values {
		if name == "" || len(name) > corpus.MaxName {
			return refuse(corpus.TooLong, "A name in %s has 1 to %d bytes.", field, corpus.MaxName)
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
		return refuse(unknownEmoji, "There is no emoji %.60q; there are %s.", *i.Emoji, strings.Join(emojis, ", "))
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
	if utf8.RuneCountInString(*i.Reason) > maxReportReason {
		return refuse(corpus.TooLong, "A reason has at most %d characters.", maxReportReason)
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
