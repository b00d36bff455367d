package admin

import (
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/store"
	"treewarden/store/cases"
)

const myWorkPath = queuePath + "/mine"

// The limits of the page of a person's own decisions.
const (
	shownDecisions  = 100
	overturnedSince = 30 * 24 * time.Hour
)

// myWorkPage shows what a person decided today in the queue, and which of their
// decisions somebody else has undone.
type myWorkPage struct {
	Layout
	Today      []actionEntry
	More       bool // there are older ones today that the page leaves out
	Counts     []outcomeCount
	Overturned []overturned
	Agreed     int // decisions of the last 30 days that stand
}

func (p myWorkPage) api() any { return nil } // the API has the log: GET /audit

// outcomeCount is the number of decisions with an outcome.
type outcomeCount struct {
	Text  string
	Count int
}

// overturned is a decision that somebody else has undone.
type overturned struct {
	actionEntry
	By     string
	When   time.Time
	Reason string
}

// myWork shows the person's decisions.
func (s *Server) myWork(c *fiber.Ctx) error {
	person := s.person(c)
	p := myWorkPage{Layout: s.layout(c, "My decisions")}
	now := time.Now().UTC()
	since := now.Add(-overturnedSince)
	list, err := s.store.Actions(c.UserContext(), person.Actor, store.ActionFilter{Actor: &person.UserID, Kind: "resolve",
		Since: &since, Page: store.Page{Limit: shownDecisions}})
	if err != nil {
		return err
	}
	if err := s.quoteAll(c, list.Items); err != nil {
		return err
	}
	today := now.Truncate(24 * time.Hour)
	counts := map[string]int{}
	for _, a := range list.Items {
		entry := actionEntry{a, s.sentence(a), a.Undoable && a.UndoneBy == nil && mayUndo(person, a)}
		if a.UndoneBy == nil {
			p.Agreed++
		}
		if !a.At.Before(today) {
			p.Today = append(p.Today, entry)
			if a.UndoneBy == nil {
				counts[outcomeOf(a)]++
			}
		}
		if a.UndoneBy == nil {
			continue
		}
		message, _ := uuid.Parse(a.TargetID)
		undo, err := s.store.Action(c.UserContext(), person.Actor, *a.UndoneBy, message)
		if err != nil {
			return err
		}
		if undo.ActorID == nil || *undo.ActorID != person.UserID {
			p.Overturned = append(p.Overturned, overturned{entry, named(undo.ActorName), undo.At, undo.Reason})
		}
	}
	p.More = list.Next != nil && len(p.Today) == shownDecisions
	for _, o := range outcomes {
		if n := counts[o.Value]; n > 0 {
			p.Counts = append(p.Counts, outcomeCount{capital(outcomeSaid[o.Value]), n})
		}
	}
	return s.render(c, "mywork", p)
}

// outcomeOf returns the outcome of an action that decided a case.
func outcomeOf(a store.Action) string {
	decided, _ := state(a.After, cases.Aspect).(map[string]any)
	outcome, _ := decided["outcome"].(string)
	return outcome
}
