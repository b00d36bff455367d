package admin

import (
	"context"
	"net/url"
	"time"

	"github.com/gofiber/fiber/v2"

	"treewarden/store"
)

// liveQueue looks after changes only: it reads the database. That time alone ends a
// claim shows with the next pulse.
var liveQueue = liveKind{event: "queue", rest: time.Second}

// queueNews is an event for an open queue: the list as its page shows it, without an
// open case. Without a change of it, the event is empty.
type queueNews struct {
	Lines *string `json:"lines,omitempty"`
}

// openQueue is an open queue with the list that its client has.
type openQueue struct {
	server *Server
	ask    queueQuery
	query  url.Values
	lines  string
}

// queueLive keeps the list of an open queue up to date by server-sent events.
func (s *Server) queueLive(c *fiber.Ctx) error {
	var q queueQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	q.Lang = defaultLanguage(c, q.Lang)
	return s.keepLive(c, liveQueue, &openQueue{server: s, ask: q, query: livePageQuery(c)})
}

// look reads the list as the person sees it now, with the code that makes the page.
func (q *openQueue) look(ctx context.Context, person store.Person) (event any, isNews bool, err error) {
	layout := Layout{Person: person, SignedIn: true, Path: queuePath, Query: q.query}
	p, err := q.server.queueList(ctx, layout, q.ask, nil)
	if err != nil {
		return nil, false, err
	}
	p.Partial = true
	lines, err := q.server.part("partials/queuelines", p)
	if err != nil || lines == q.lines {
		return queueNews{}, false, err
	}
	q.lines = lines
	return queueNews{&lines}, true, nil
}
