// Package events reads what front ends must act on.
package events

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"treewarden/store/db"
)

// most is the maximum number of events in one answer.
const most = 200

// Event is an event that front ends must act on. Its kind is ban, unban, delete,
// undelete, edit, halt or resume. Fields that the kind does not need are empty.
type Event struct {
	ID       int64      `json:"id"`
	At       time.Time  `json:"at"`
	Kind     string     `json:"kind"`
	ActionID int64      `json:"action_id"`
	UserID   *uuid.UUID `json:"user_id,omitempty"`
	// Until is the end of a timed ban.
	Until     *time.Time `json:"until,omitempty"`
	MessageID *uuid.UUID `json:"message_id,omitempty"`
	TreeID    *uuid.UUID `json:"message_tree_id,omitempty"`
	Text      *string    `json:"text,omitempty"`
	State     *string    `json:"state,omitempty"`
}

// Events is a list of events after an event that the front end has read.
type Events struct {
	Items []Event `json:"items"`
	// Next is the last id, from which the next request continues.
	Next int64 `json:"next"`
}

// After returns up to 200 events after an id, in the order of their ids.
func After(ctx context.Context, c db.Conn, after int64) (Events, error) {
	type row struct {
		ID       int64
		At       time.Time
		Kind     string
		ActionID int64
		Payload  []byte
	}
	events := Events{Items: []Event{}, Next: after}
	rows, err := db.Collect[row](ctx, c, `SELECT id, at, kind, action_id, payload FROM events
		WHERE id > $1 ORDER BY id LIMIT $2`, after, most)
	if err != nil {
		return events, err
	}
	for _, r := range rows {
		event := Event{}
		if err := json.Unmarshal(r.Payload, &event); err != nil {
			return events, fmt.Errorf("read event %d: %w", r.ID, err)
		}
		event.ID, event.At, event.Kind, event.ActionID = r.ID, r.At.UTC(), r.Kind, r.ActionID
		events.Items = append(events.Items, event)
		events.Next = r.ID
	}
	return events, nil
}
