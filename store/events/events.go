// Package events keeps what front ends must act on.
package events

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"treewarden/store/db"
	"treewarden/store/tables"
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

// AheadError is the error of a reader that has read an event that is not there: the
// database is another one, or an older backup of it.
type AheadError struct {
	After, Last int64 // Last is the id of the last event, 0 if there is none
}

func (a AheadError) Error() string {
	return fmt.Sprintf("There is no event %d: the last one is %d. The database may have been restored from a backup. "+
		"Read again from an event that you are sure of, with after=0 from the first.", a.After, a.Last)
}

// checkLast returns an AheadError if an id is beyond the last event.
func checkLast(ctx context.Context, c db.Conn, after int64) error {
	a := AheadError{After: after}
	err := c.QueryRow(ctx, "SELECT coalesce(max(id), 0) FROM events").Scan(&a.Last)
	if err == nil && after > a.Last {
		return a
	}
	return db.Translate(err)
}

// After returns up to 200 events after an id, in the order of their ids. It
// returns an AheadError if the id is beyond the last one.
func After(ctx context.Context, c db.Conn, after int64) (Events, error) {
	type row struct {
		ID       int64
		At       time.Time
		Kind     string
		ActionID int64
		Payload  []byte
	}
	events := Events{Items: []Event{}, Next: after}
	rows, err := db.Collect[row](ctx, c, `SELECT id, at, kind,
			coalesce(`+tables.NumberSQL("action_id")+`, 0) AS action_id, payload FROM events
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
	if len(rows) == 0 && after > 0 {
		return events, checkLast(ctx, c, after)
	}
	return events, nil
}

// pause is the time between two queries of a waiting reader.
const pause = 200 * time.Millisecond

// Wait is After that waits for an event, until the time is over or the context ends.
func Wait(ctx context.Context, c db.Conn, after int64, wait time.Duration) (Events, error) {
	deadline := time.Now().Add(wait)
	for {
		found, err := After(ctx, c, after)
		left := time.Until(deadline)
		if err != nil || len(found.Items) > 0 || left <= 0 {
			return found, err
		}
		select {
		case <-ctx.Done():
			return found, nil
		case <-time.After(min(pause, left)):
		}
	}
}

// QueueInsert queues the statement that inserts the events of an action. The queries
// return them: kind, payload, object_id and rank, for action $1.
func QueueInsert(p *db.Pipe, action int64, at time.Time, queries []string) {
	if len(queries) > 0 {
		p.Queue(`INSERT INTO events (at, action_id, kind, payload) SELECT $2, $1, kind, payload FROM (
			`+strings.Join(queries, "\nUNION ALL ")+`) e ORDER BY rank, object_id`, action, at)
	}
}
