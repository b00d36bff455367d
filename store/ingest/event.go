package ingest

import (
	"github.com/google/uuid"

	"treewarden/store/db"
)

// knownEvent is an event by its id, which belongs to the sender.
type knownEvent struct {
	claimed uuid.UUID // the digest with which the run inserted it; Nil if it did not
	// taken reports whether a line was stored under the id, by this run or before.
	// digest is that of the line; Nil is an event from before digests.
	taken  bool
	digest uuid.UUID
}

// take records that a line was stored under the id.
func (e *knownEvent) take(item *lineItem) {
	if !e.taken {
		e.taken, e.digest = true, item.digest
	}
}

// claim inserts the events of the lines and finds those that are known. Concurrent
// requests with the same events wait here.
func (in *run) claim() {
	ids, digests := make([]string, len(in.items)), make([]uuid.UUID, len(in.items))
	in.events = make(map[string]*knownEvent, len(in.items))
	for i, item := range in.items {
		ids[i], digests[i] = item.event, item.digest
		in.events[item.event] = &knownEvent{}
	}
	var id string
	var digest uuid.UUID
	in.Each([]any{&id, &digest}, func() { in.events[id].claimed = digest },
		`INSERT INTO ingest_events (event_id, sender, digest, at)
		SELECT DISTINCT ON (id) id, $3::uuid, digest, $4::timestamptz FROM unnest($1::text[], $2::uuid[]) i(id, digest)
		ORDER BY id ON CONFLICT DO NOTHING RETURNING event_id, digest`, ids, db.IDArray(digests), in.sender, in.now)
	var before *uuid.UUID
	in.Each([]any{&id, &before}, func() {
		event := in.events[id]
		switch {
		case before == nil:
			event.taken = true
		case event.claimed == uuid.Nil && !event.taken:
			event.taken, event.digest = true, *before
		}
	}, `SELECT event_id, digest FROM ingest_events WHERE event_id = ANY ($1)
		AND (sender = $2 OR sender = $3 AND digest IS NULL)`, ids, in.sender, uuid.Nil)
}

// storeEvents deletes the events of rejected lines, so that they can be sent again,
// and corrects the digests of those of which not the first line was taken.
func (in *run) storeEvents() {
	var unused, corrected []string
	var digests []uuid.UUID
	for id, event := range in.events {
		switch {
		case event.claimed == uuid.Nil:
		case !event.taken:
			unused = append(unused, id)
		case event.digest != uuid.Nil && event.digest != event.claimed:
			corrected, digests = append(corrected, id), append(digests, event.digest)
		}
	}
	if len(unused) > 0 {
		in.Queue("DELETE FROM ingest_events WHERE event_id = ANY ($1) AND sender = $2", unused, in.sender)
	}
	if len(corrected) > 0 {
		in.Queue(`UPDATE ingest_events e SET digest = c.digest FROM unnest($1::text[], $2::uuid[]) c(id, digest)
			WHERE e.event_id = c.id AND e.sender = $3`, corrected, db.IDArray(digests), in.sender)
	}
}
