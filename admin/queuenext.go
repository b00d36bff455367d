package admin

import (
	"context"
	"errors"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/store"
)

// peekQuery asks for the next case, without some cases, whose ids have dots between
// them, and without those of an author. The first of these ids is that of the open case.
type peekQuery struct {
	queueQuery
	Not    string     `form:"not" validate:"max=400"`
	Except *uuid.UUID `form:"except"`
}

// waiting returns at most a number of the first cases of the list that the query
// describes, that nobody holds or, with assigned=me, the person, and whose toxicity is
// unknown or below a number, unless that is nil.
func (s *Server) waiting(
	ctx context.Context, actor store.Actor, q peekQuery, below *float64, limit int,
) ([]int64, error) {
	q.Cursor, q.State = "", ""
	f := q.filter(actor)
	f.Limit, f.Below = limit, below
	if q.Except != nil {
		f.Except = *q.Except
	}
	for id := range strings.SplitSeq(q.Not, ".") {
		if n, ok := actionID(id); ok {
			f.Not = append(f.Not, n)
		}
	}
	return s.store.NextCases(ctx, actor, f)
}

// maxTries is the number of cases that are tried if other people take them first.
const maxTries = 50

// offered returns the cases that wait for the person, the next one first. Toxic ones are
// not among them once the person's limit is reached. opening is the case that they open
// just now; 0 is none.
func (s *Server) offered(c *fiber.Ctx, q peekQuery, opening int64) ([]int64, error) {
	rest, err := s.store.Rest(c.UserContext(), s.person(c), opening)
	if err != nil {
		return nil, err
	}
	q.Lang, q.Assigned = defaultLanguage(c, q.Lang), "none"
	found, err := s.waiting(c.UserContext(), s.actor(c), q, rest.Below, maxTries)
	if err != nil || len(found) > 0 {
		return found, err
	}
	q.Assigned = "me" // such as one that is open in a tab that is lost
	return s.waiting(c.UserContext(), s.actor(c), q, rest.Below, maxTries)
}

// peekNext sends the next case to a script, which shows it after the decision about the
// open one. It claims nothing.
func (s *Server) peekNext(c *fiber.Ctx) error {
	var q peekQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	if !isPartial(c) {
		return c.Redirect(queuePath, fiber.StatusSeeOther)
	}
	not := strings.Split(q.Not, ".")
	opening, _ := actionID(not[0]) // the claim of the open case may be still on its way
	found, err := s.offered(c, q, opening)
	if err != nil {
		return err
	}
	for _, id := range found {
		panel, err := s.casePanel(c, q.queueQuery, id, decision{})
		if err != nil {
			return err
		}
		if panel.Status == "open" && panel.ClaimedBy == nil { // it may have changed since the list was read
			return s.render(c, "partials/case", panel)
		}
	}
	return c.SendStatus(fiber.StatusNoContent)
}

// openNext claims the next case of the list that the query describes and redirects to
// it, or to the list if there is none.
func (s *Server) openNext(c *fiber.Ctx, done string) error {
	var q queueQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	found, err := s.offered(c, peekQuery{queueQuery: q}, 0)
	if err != nil {
		return err
	}
	ctx, actor := c.UserContext(), s.actor(c)
	here := mustQuery(query(c), "done", done, "cursor", "", "state", "")
	for _, id := range found {
		_, err := s.store.Claim(ctx, actor, id)
		var conflict *store.Conflict
		var forbidden *store.Forbidden
		switch {
		case errors.As(err, &conflict), errors.As(err, &forbidden): // somebody was faster, or it is in another language
		case err != nil:
			return err
		default:
			return c.Redirect(casePath(id)+here, fiber.StatusSeeOther)
		}
	}
	return c.Redirect(queuePath+here, fiber.StatusSeeOther)
}

// nextCase claims the next case of the queue and opens it.
func (s *Server) nextCase(c *fiber.Ctx) error { return s.openNext(c, "") }

// takeBackSkips has the cases offered again that the person skipped.
func (s *Server) takeBackSkips(c *fiber.Ctx) error {
	if err := s.store.TakeBackSkips(c.UserContext(), s.actor(c)); err != nil {
		return err
	}
	return c.Redirect(queuePath+mustQuery(query(c), "state", "", "done", ""), fiber.StatusSeeOther)
}
