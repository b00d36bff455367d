package store

import (
	"context"
	"time"

	"treewarden/policy"
	"treewarden/store/events"
)

// eventPause is the time between two queries of a waiting reader.
const eventPause = 200 * time.Millisecond

// What front ends must act on, by the names that users of a Store know.
type (
	Event  = events.Event
	Events = events.Events
)

// Events returns up to 200 events after an id, in the order of their ids, which
// is the order of the commits. If there are none, it waits for one until wait is
// over or the context ends.
func (s *Store) Events(ctx context.Context, actor Actor, after int64, wait time.Duration) (Events, error) {
	if err := need(actor, policy.EventsRead); err != nil {
		return Events{}, err
	}
	deadline := time.Now().Add(wait)
	for {
		found, err := events.After(ctx, s.pool, after)
		left := time.Until(deadline)
		if err != nil || len(found.Items) > 0 || left <= 0 {
			if err == nil && len(found.Items) > 0 { // the actor may have waited since the request began
				err = s.stillMay(ctx, actor, policy.EventsRead)
			}
			return found, err
		}
		select {
		case <-ctx.Done():
			return found, nil
		case <-time.After(min(eventPause, left)):
		}
	}
}
