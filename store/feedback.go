package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/counters"
	"treewarden/store/tables"
)

// feedbackState is the state of a user's feedback on a message: the labels, one
// reaction or the open report. A nil pointer means no feedback.
type feedbackState struct {
	At     time.Time          `json:"at"`
	Labels map[string]float64 `json:"labels,omitempty"`
	Reason string             `json:"reason,omitempty"`
}

// readFeedback reads a user's feedback on a message; it returns nil if there is
// none.
func (d *actionTx) readFeedback(kind, emoji string, user uuid.UUID, m Message) (*feedbackState, error) {
	var state feedbackState
	var labels []byte
	var err error
	switch kind {
	case labelAspect:
		err = d.QueryRow(d.Ctx, "SELECT v.at, "+tables.VotesSQL+` FROM label_votes v
			WHERE v.tree_id = $1 AND v.message_id = $2 AND v.user_id = $3`,
			m.TreeID, m.MessageID, user).Scan(&state.At, &labels)
		if err == nil {
			err = json.Unmarshal(labels, &state.Labels)
		}
	case reactionAspect:
		err = d.QueryRow(d.Ctx, `SELECT at FROM reactions
			WHERE tree_id = $1 AND message_id = $2 AND user_id = $3 AND emoji = $4`,
			m.TreeID, m.MessageID, user, emoji).Scan(&state.At)
	case reportAspect:
		err = d.QueryRow(d.Ctx, `SELECT at, reason FROM reports
			WHERE tree_id = $1 AND message_id = $2 AND user_id = $3 AND status = 'open'`,
			m.TreeID, m.MessageID, user).Scan(&state.At, &state.Reason)
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

// writeFeedback replaces a user's feedback on a message; a nil state removes it.
func (d *actionTx) writeFeedback(kind, emoji string, user uuid.UUID, m Message, state *feedbackState) error {
	if kind == reportAspect || emoji == counters.RedFlag {
		d.flagged.Add(m.TreeID, m.MessageID, m.UserID)
	}
	var err error
	switch kind {
	case labelAspect:
		if _, err = d.exec("DELETE FROM label_votes WHERE tree_id = $1 AND message_id = $2 AND user_id = $3",
			m.TreeID, m.MessageID, user); err == nil && state != nil {
			_, err = d.exec(voteInsert, m.TreeID, m.MessageID, user, state.At, state.Labels)
		}
	case reactionAspect:
		if state == nil {
			_, err = d.exec("DELETE FROM reactions WHERE tree_id = $1 AND message_id = $2 AND user_id = $3 AND emoji = $4",
				m.TreeID, m.MessageID, user, emoji)
		} else {
			_, err = d.exec("INSERT INTO reactions (tree_id, message_id, user_id, emoji, at) VALUES ($1, $2, $3, $4, $5)",
				m.TreeID, m.MessageID, user, emoji, state.At)
		}
	case reportAspect:
		if state == nil {
			// The report stays readable, but it no longer counts.
			_, err = d.exec(`UPDATE reports SET status = 'withdrawn'
				WHERE tree_id = $1 AND message_id = $2 AND user_id = $3 AND status = 'open'`,
				m.TreeID, m.MessageID, user)
		} else {
			_, err = d.exec(`INSERT INTO reports (tree_id, message_id, user_id, reason, at) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (tree_id, message_id, user_id) WHERE status = 'open'
				DO UPDATE SET reason = excluded.reason`, m.TreeID, m.MessageID, user, state.Reason, state.At)
		}
	}
	return err
}

// same reports whether two states of feedback are equal.
func (s *feedbackState) same(other *feedbackState) bool {
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

// lockForFeedback locks the target message of feedback and makes the counters
// follow it. It returns a Forbidden if the actor has no row in users.
func (d *actionTx) lockForFeedback() (Message, error) {
	if d.actor.UserID == uuid.Nil {
		return Message{}, &Forbidden{Why: "Labels, reactions and reports are given by a person or a key."}
	}
	if err := d.lockRater(); err != nil {
		return Message{}, err
	}
	m, err := d.lockMessage(d.act.Target)
	if err != nil {
		return m, err
	}
	return m, d.watchMessage(m)
}

// logFeedback logs a change of the actor's own row on a message.
func (d *actionTx) logFeedback(m Message, aspect string, before, after any) error {
	d.affected.Messages = 1
	b, err := json.Marshal(before)
	if err != nil {
		return fmt.Errorf("write down the former state: %w", err)
	}
	a, err := json.Marshal(after)
	if err != nil {
		return fmt.Errorf("write down the new state: %w", err)
	}
	_, err = d.exec(`INSERT INTO action_objects (action_id, object_type, object_id, aspect, tree_id, before, after)
		VALUES ($1, 'message', $2, $3, $4, nullif($5::jsonb, 'null'), nullif($6::jsonb, 'null'))`,
		d.id, m.MessageID, aspect, m.TreeID, b, a)
	return err
}
