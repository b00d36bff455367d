package aspects

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
	"treewarden/store/tables"
)

// The kinds of feedback: an aspect stored in a user's rows on a message. The name of
// the aspect in the log holds the user's id and, for reactions, the emoji:
// "reaction:+1:UUID".
const (
	Label    = "label"
	Reaction = "reaction"
	Report   = "report"
)

// Feedback names a user's feedback of one kind on a message. Emoji is of reactions.
type Feedback struct {
	Kind, Emoji   string
	User          uuid.UUID
	Tree, Message uuid.UUID
}

// Name returns the name of the aspect in the log.
func (f Feedback) Name() string {
	if f.Kind == Reaction {
		return f.Kind + ":" + f.Emoji + ":" + f.User.String()
	}
	return f.Kind + ":" + f.User.String()
}

// ParseFeedback parses a name made by Name. The message is not in it.
func ParseFeedback(name string) (Feedback, error) {
	kind, rest, ok := strings.Cut(name, ":")
	if !ok {
		return Feedback{}, fmt.Errorf("aspect %q names no person", name)
	}
	f, id := Feedback{Kind: kind}, rest
	if kind == Reaction {
		f.Emoji, id, _ = strings.Cut(rest, ":")
	}
	var err error
	f.User, err = uuid.Parse(id)
	return f, err
}

// FeedbackState is the state of a user's feedback on a message: the labels, one
// reaction or the open report. A nil pointer means no feedback.
type FeedbackState struct {
	At     time.Time          `json:"at"`
	Labels map[string]float64 `json:"labels,omitempty"`
	Reason string             `json:"reason,omitempty"`
}

// Read reads the feedback; it returns nil if there is none.
func (f Feedback) Read(ctx context.Context, c db.Conn) (*FeedbackState, error) {
	var state FeedbackState
	var labels []byte
	var err error
	switch f.Kind {
	case Label:
		err = c.QueryRow(ctx, "SELECT v.at, "+tables.VotesSQL+` FROM label_votes v
			WHERE v.tree_id = $1 AND v.message_id = $2 AND v.user_id = $3`,
			f.Tree, f.Message, f.User).Scan(&state.At, &labels)
		if err == nil {
			err = json.Unmarshal(labels, &state.Labels)
		}
	case Reaction:
		err = c.QueryRow(ctx, `SELECT at FROM reactions
			WHERE tree_id = $1 AND message_id = $2 AND user_id = $3 AND emoji = $4`,
			f.Tree, f.Message, f.User, f.Emoji).Scan(&state.At)
	case Report:
		err = c.QueryRow(ctx, `SELECT at, reason FROM reports
			WHERE tree_id = $1 AND message_id = $2 AND user_id = $3 AND status = 'open'`,
			f.Tree, f.Message, f.User).Scan(&state.At, &state.Reason)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	state.At = state.At.UTC()
	return &state, nil
}

// voteInsert inserts one user's labels from a jsonb $5.
var voteInsert = `INSERT INTO label_votes (tree_id, message_id, user_id, at, ` + tables.EachLabel("%[1]s", ", ") +
	`, other)
	SELECT $1, $2, $3, $4,
		` + tables.EachLabel("(x.l->>'%[1]s')::float8", ", ") + `,
		nullif(x.l - ARRAY[` + tables.EachLabel("'%[1]s'", ", ") + `], '{}')
	FROM (SELECT $5::jsonb AS l) x`

// Log logs that an action changed the feedback.
func (f Feedback) Log(ctx context.Context, c db.Conn, action int64, before, after any) error {
	b, err := json.Marshal(before)
	if err != nil {
		return fmt.Errorf("write down the former state: %w", err)
	}
	a, err := json.Marshal(after)
	if err != nil {
		return fmt.Errorf("write down the new state: %w", err)
	}
	_, err = c.Exec(ctx, `INSERT INTO action_objects (action_id, object_type, object_id, aspect, tree_id, before, after)
		VALUES ($1, 'message', $2, $3, $4, nullif($5::jsonb, 'null'), nullif($6::jsonb, 'null'))`,
		action, f.Message, f.Name(), f.Tree, b, a)
	return err
}

// Write replaces the feedback; a nil state removes it.
func (f Feedback) Write(ctx context.Context, c db.Conn, state *FeedbackState) error {
	var err error
	switch f.Kind {
	case Label:
		if _, err = c.Exec(ctx, "DELETE FROM label_votes WHERE tree_id = $1 AND message_id = $2 AND user_id = $3",
			f.Tree, f.Message, f.User); err == nil && state != nil {
			_, err = c.Exec(ctx, voteInsert, f.Tree, f.Message, f.User, state.At, state.Labels)
		}
	case Reaction:
		if state == nil {
			_, err = c.Exec(ctx, "DELETE FROM reactions WHERE tree_id = $1 AND message_id = $2 AND user_id = $3 AND emoji = $4",
				f.Tree, f.Message, f.User, f.Emoji)
		} else {
			_, err = c.Exec(ctx, "INSERT INTO reactions (tree_id, message_id, user_id, emoji, at) VALUES ($1, $2, $3, $4, $5)",
				f.Tree, f.Message, f.User, f.Emoji, state.At)
		}
	case Report:
		if state == nil {
			// The report stays readable, but it no longer counts.
			_, err = c.Exec(ctx, `UPDATE reports SET status = 'withdrawn'
				WHERE tree_id = $1 AND message_id = $2 AND user_id = $3 AND status = 'open'`,
				f.Tree, f.Message, f.User)
		} else {
			_, err = c.Exec(ctx, `INSERT INTO reports (tree_id, message_id, user_id, reason, at) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (tree_id, message_id, user_id) WHERE status = 'open'
				DO UPDATE SET reason = excluded.reason`, f.Tree, f.Message, f.User, state.Reason, state.At)
		}
	}
	return err
}

// Same reports whether two states of feedback are equal.
func (s *FeedbackState) Same(other *FeedbackState) bool {
	if s == nil || other == nil {
		return s == other
	}
	if !s.At.Equal(other.At) || strings.TrimSpace(s.Reason) != strings.TrimSpace(other.Reason) ||
		len(s.Labels) != len(other.Labels) {
		return false
	}
	for name, value := range s.Labels {
		if v, ok := other.Labels[name]; !ok || v != value {
			return false
		}
	}
	return true
}

// FeedbackChange is what an action changed of a user's feedback on a message of an author.
type FeedbackChange struct {
	Feedback
	Author        *uuid.UUID
	Before, After *FeedbackState
}

// ChangedFeedback returns what an action changed of feedback, what it added first.
func ChangedFeedback(ctx context.Context, c db.Conn, action int64) ([]FeedbackChange, error) {
	type object struct {
		ObjectID uuid.UUID
		TreeID   uuid.UUID
		Author   *uuid.UUID
		Aspect   string
		Before   []byte
		After    []byte
	}
	objects, err := db.Collect[object](ctx, c, `SELECT o.object_id, o.tree_id, m.user_id AS author, o.aspect,
			o.before, o.after
		FROM action_objects o JOIN messages m ON m.tree_id = o.tree_id AND m.message_id = o.object_id
		WHERE o.action_id = $1 AND o.aspect ~ '^(label|reaction|report):' ORDER BY (o.before IS NULL) DESC, o.aspect`, action)
	if err != nil {
		return nil, err
	}
	changes := make([]FeedbackChange, len(objects))
	for i, o := range objects {
		change := &changes[i]
		if change.Feedback, err = ParseFeedback(o.Aspect); err != nil {
			return nil, err
		}
		change.Tree, change.Message, change.Author = o.TreeID, o.ObjectID, o.Author
		for _, state := range []struct {
			json []byte
			into **FeedbackState
		}{{o.Before, &change.Before}, {o.After, &change.After}} {
			if state.json != nil {
				if err := json.Unmarshal(state.json, state.into); err != nil {
					return nil, fmt.Errorf("read action %d: %w", action, err)
				}
			}
		}
	}
	return changes, nil
}
