package admin

import (
	"context"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/markup"
	"treewarden/store"
	"treewarden/store/cases"
)

const myWorkPath = queuePath + "/mine"

// The limits of the page of a person's own decisions.
const (
	shownDecisions = 100
	fateSince      = 30 * 24 * time.Hour
)

// myWorkPage shows what a person decided today in the queue, and what others did about
// it.
type myWorkPage struct {
	Layout
	Today  []actionEntry
	More   bool // there are older ones today that the page leaves out
	Counts []outcomeCount
	cases.Fate
	Agreed, Differ, Undone int // of what others did, as far as Fate has it
	Later                  []laterLine
}

func (p myWorkPage) api() any { return nil } // the API has the log: GET /audit

// outcomeCount is the number of decisions with an outcome.
type outcomeCount struct {
	Text  string
	Count int
}

// laterLine is what somebody else did about a case that the person decided.
type laterLine struct {
	cases.Later
	Text   string // what the person decided on which message
	Theirs string // what the other one did
	Link   string
}

// myWork shows the person's decisions.
func (s *Server) myWork(c *fiber.Ctx) error {
	ctx, person := c.UserContext(), s.person(c)
	p := myWorkPage{Layout: s.layout(c, "My decisions")}
	now := time.Now().UTC()
	today := now.Truncate(24 * time.Hour)
	list, err := s.store.Actions(ctx, person.Actor, store.ActionFilter{Actor: &person.UserID, Kind: "resolve",
		Since: &today, Page: store.Page{Limit: shownDecisions}})
	if err != nil {
		return err
	}
	if err := s.quoteAll(c, list.Items); err != nil {
		return err
	}
	counts := map[string]int{}
	for _, a := range list.Items {
		p.Today = append(p.Today, actionEntry{a, s.sentence(a), a.Undoable && a.UndoneBy == nil && mayUndo(person, a)})
		if a.UndoneBy == nil {
			counts[outcomeOf(a)]++
		}
	}
	p.More = list.Next != nil
	for _, o := range outcomes {
		if n := counts[o.Value]; n > 0 {
			p.Counts = append(p.Counts, outcomeCount{capital(outcomeSaid[o.Value]), n})
		}
	}
	if p.Fate, err = s.store.MyFate(ctx, person.Actor, now.Add(-fateSince)); err != nil {
		return err
	}
	if p.Later, err = s.laterLines(ctx, person, p.Fate.Later); err != nil {
		return err
	}
	for _, l := range p.Later {
		switch {
		case l.Did == cases.Undo:
			p.Undone++
		case l.Agrees():
			p.Agreed++
		default:
			p.Differ++
		}
	}
	return s.render(c, "mywork", p)
}

// laterLines describes what others did.
func (s *Server) laterLines(ctx context.Context, person store.Person, later []cases.Later) ([]laterLine, error) {
	ids := make([]uuid.UUID, len(later))
	for i, l := range later {
		ids[i] = l.MessageID
	}
	messages, err := s.store.MessagesNamed(ctx, person.Actor, ids)
	lines := make([]laterLine, len(later))
	for i, l := range later {
		m := messages[l.MessageID]
		text := "a message"
		if len(hiddenFrom(person, m)) == 0 {
			text = "“" + markup.Excerpt(m.Text, evidenceExcerpt) + "”"
		}
		theirs := outcomeSaid[l.Did]
		if l.Did == cases.Undo {
			theirs = "undid it"
		}
		lines[i] = laterLine{l, capital(outcomeSaid[l.Outcome]) + ": " + text, theirs,
			"/actions/" + strconv.FormatInt(l.Action, 10)}
	}
	return lines, err
}

// outcomeOf returns the outcome of an action that decided a case.
func outcomeOf(a store.Action) string {
	decided, _ := state(a.After, cases.Aspect).(map[string]any)
	outcome, _ := decided["outcome"].(string)
	return outcome
}
