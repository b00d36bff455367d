package admin

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"treewarden/store/cases"
)

const breakPath = queuePath + "/break"

// queueNotices is what the queue tells a person because of their own settings: that they
// may want a break, and that toxic cases are left out.
type queueNotices struct {
	cases.Rest
	BreakAfter int // minutes
	Limit      int // of toxic cases within an hour
	// OnlyToxic: all cases that wait are left out.
	OnlyToxic bool
	Return    string // the page to return to after the reminder was dismissed
}

// Minutes is how long the person has worked without a break.
func (n queueNotices) Minutes() int { return int(n.Worked.Minutes()) }

// UntilTime is when toxic cases are offered again, in UTC. It is rounded up, so that they
// are offered then.
func (n queueNotices) UntilTime() string {
	return n.Until.Add(time.Minute - 1).Truncate(time.Minute).UTC().Format("15:04")
}

// Key changes with what the notices say, but not with each minute of work.
func (n queueNotices) Key() string {
	key := ""
	if n.Worked > 0 {
		key = "break"
	}
	if n.Below != nil {
		key += fmt.Sprintf(" %d of %d until %s, %t", n.Toxic, n.Limit, n.UntilTime(), n.OnlyToxic)
	}
	return key
}

// queueNotices returns what the queue tells the person of a page. The language of the
// query is set.
func (s *Server) queueNotices(ctx context.Context, p queuePage, q queueQuery) (queueNotices, error) {
	set := p.Person.Wellbeing
	path := queuePath
	if p.Case != nil {
		path = casePath(p.Case.ID)
	}
	n := queueNotices{BreakAfter: set.BreakAfter, Limit: set.ToxicPerHour,
		Return: strings.TrimSuffix(path+mustQuery(p.Query, "done", ""), "?")}
	var err error
	if n.Rest, err = s.store.Rest(ctx, p.Person, 0); err != nil || n.Below == nil {
		return n, err
	}
	q.Assigned = "none"
	mild, err := s.waiting(ctx, p.Person.Actor, peekQuery{queueQuery: q}, n.Below, 1)
	if err != nil || len(mild) > 0 {
		return n, err
	}
	all, err := s.waiting(ctx, p.Person.Actor, peekQuery{queueQuery: q}, nil, 1)
	n.OnlyToxic = len(all) > 0
	return n, err
}

type breakBody struct {
	Return string `form:"return"`
}

// dismissBreak dismisses the reminder to take a break.
func (s *Server) dismissBreak(c *fiber.Ctx) error {
	var body breakBody
	if err := decodeBody(c, &body); err != nil {
		return err
	}
	if err := s.store.DismissBreak(c.UserContext(), s.person(c)); err != nil {
		return err
	}
	if isPartial(c) {
		return c.SendStatus(fiber.StatusNoContent)
	}
	return c.Redirect(localPath(body.Return, queuePath), fiber.StatusSeeOther)
}
