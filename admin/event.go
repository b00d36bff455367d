package admin

import (
	"context"
	"errors"
	"time"

	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/store"
)

func init() {
	describe("GET /events", openapi.Method{
		Summary: "What front ends must act on, in order; waits for the next where there is none",
		Query:   eventsQuery{}, Answer: store.Events{},
	})
}

const eventsPath = "/events"

// eventsQuery holds the position to read from, and the number of seconds to
// wait for the first event.
type eventsQuery struct {
	After int64 `form:"after" validate:"min=0"`
	Wait  int   `form:"wait" validate:"min=0,max=30"`
}

// events answers the events that front ends act on. A shutdown of the server
// and the leave of the client end the wait at once.
func (s *Server) events(c *fiber.Ctx) error {
	var q eventsQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	wait := time.Duration(q.Wait) * time.Second
	ctx, cancel := context.WithTimeout(current(c).Present, wait+requestTimeout)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	if closing := c.Context().Done(); closing != nil && wait > 0 {
		go func() {
			select {
			case <-closing:
				cancel()
			case <-stop:
			}
		}()
	}
	found, err := s.store.Events(ctx, s.actor(c), q.After, wait)
	if errors.Is(err, context.Canceled) {
		found, err = store.Events{Items: []store.Event{}, Next: q.After}, nil
	}
	if err != nil {
		return err
	}
	return c.JSON(found)
}
