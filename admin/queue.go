package admin

import (
	"context"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/markup"
	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
)

func init() {
	describe("GET /queue", openapi.Method{
		Summary: "Open cases: messages with reports and red flags that nobody has decided about, the most urgent first",
		Query:   queueQuery{}, Answer: store.List[store.Case]{},
	})
	describe("GET /queue/:id", openapi.Method{Summary: "A case", ID: int64(0), Query: frameQuery{}, Answer: store.Case{}})
	describe("POST /queue/:id/claim", openapi.Method{
		Summary: "Hold a case for ten minutes, or for ten more. 409 if somebody else holds it", ID: int64(0),
		Answer: store.Case{},
	})
	describe("POST /queue/:id/release",
		openapi.Method{Summary: "Leave a case to others", ID: int64(0), Answer: store.Case{}})
	describe("POST /queue/:id/skip", openapi.Method{
		Summary: "Leave a case to others, and have it no longer offered to you", ID: int64(0), Answer: store.Case{},
	})
	describe("POST /queue/:id/later", openapi.Method{
		Summary: "Have a case offered to nobody before a time", ID: int64(0), Body: laterBody{}, Answer: store.Case{},
	})
	describe("POST /queue/:id/resolve", openapi.Method{
		Summary: "Decide a case, or with cases=author all open cases of the same author that nobody else holds: its " +
			"reports and red flags are dismissed, or upheld by one of the other outcomes. 409 if somebody else holds it",
		ID: int64(0), Body: []any{actBody{}, store.ResolveParams{}},
		Fields: []string{"reason", "preview", "outcome", "cases", "until", "messages", "trees"}, Answer: store.Outcome{},
	})
}

const queuePath = "/queue"

// frameQuery chooses the time frame of the author's score.
type frameQuery struct {
	Window string `form:"frame" validate:"omitempty,oneof=day week month total"`
}

// queueQuery is the query of the queue.
type queueQuery struct {
	pageQuery
	frameQuery
	Lang     string     `form:"lang" validate:"max=40"`
	Kind     string     `form:"kind" validate:"omitempty,oneof=report red_flag"`
	Assigned string     `form:"assigned" validate:"omitempty,oneof=me none any"`
	Sort     string     `form:"sort" validate:"omitempty,oneof=priority oldest"`
	State    string     `form:"state" validate:"omitempty,oneof=open skipped later"`
	Author   *uuid.UUID `form:"user"`
}

func (q queueQuery) filter(actor store.Actor) store.QueueFilter {
	f := store.QueueFilter{Window: scoring.Window(q.Window), Kind: q.Kind, Assigned: q.Assigned, Sort: q.Sort,
		Page: q.page()}
	if q.State != "open" {
		f.View = q.State
	}
	if q.Author != nil {
		f.Author = *q.Author
	}
	f.Lang, f.Within = languageFilter(actor, q.Lang)
	return f
}

// queueLine is what waits of one author, as the list shows it.
type queueLine struct {
	store.QueueLine
	Name     string
	Excerpt  string // of the most urgent message
	Warnings []contentWarning
	Tag      string // the language for a lang attribute
	Link     string // opens the case
	Open     bool   // the case is the one that is open
	Mine     bool   // the person holds the case
	Score    float64
}

// goneShort says in the list what was done already.
var goneShort = map[string]string{"deleted": "deleted", "rejected": "spam", "halted": "stopped", "banned": "banned"}

// Already returns what was done already to the message or its author, in a word each.
func (l queueLine) Already() []string {
	var words []string
	for _, g := range l.Gone {
		words = append(words, goneShort[g.What])
	}
	return words
}

// queuePage is the queue with the case that is open.
type queuePage struct {
	Layout
	Lines     []queueLine
	Case      *casePanel // nil if none is open
	Frames    []Choice
	States    []Choice
	Kinds     []Choice
	Sorts     []Choice
	Languages []Choice
	Limited   *Limited
	Notices   queueNotices
	Pager     Pager
	MayWork   bool
	State     string
	Partial   bool // a script asked for the lines alone
	list      store.List[store.Case]
}

func (p queuePage) api() any { return p.list }

// Filtered reports whether the list leaves cases out.
func (p queuePage) Filtered() bool {
	return p.Query.Get("kind") != "" || p.Query.Get("user") != "" || p.Query.Get("assigned") != "" ||
		p.Query.Get("lang") != "" && p.Query.Get("lang") != allLanguages
}

// The addresses of the forms that open the next case, and that have skipped ones
// offered again.
func (p queuePage) NextPath() string {
	return queuePath + "/next" + mustQuery(p.Query, "cursor", "", "done", "")
}
func (p queuePage) SkippedPath() string {
	return queuePath + "/skipped" + mustQuery(p.Query, "state", "", "done", "")
}

// Carry returns the parameters that the filters' form sends along.
func (p queuePage) Carry() []Choice { return carried(p.Query, "frame", "state", "user") }

// queue shows the queue.
func (s *Server) queue(c *fiber.Ctx) error {
	var q queueQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	if isAPI(c) {
		list, err := s.store.Queue(c.UserContext(), s.actor(c), q.filter(s.actor(c)))
		if err != nil {
			return err
		}
		all := make([]*store.Case, len(list.Items))
		for i := range list.Items {
			all[i] = &list.Items[i]
		}
		if err := s.setCaseWaves(c.UserContext(), s.actor(c), all...); err != nil {
			return err
		}
		return s.render(c, "queue", queuePage{list: list})
	}
	p, err := s.queuePage(c, q, nil)
	if err != nil {
		return err
	}
	if p.Partial = isPartial(c); p.Partial {
		return s.render(c, "partials/queuelines", p)
	}
	return s.render(c, "queue", p)
}

// shownLines is the number of lines of the list, unless the query says otherwise.
const shownLines = 25

// queueList reads the list of the queue. open is the case that is open, nil if none is.
func (s *Server) queueList(ctx context.Context, layout Layout, q queueQuery, open *casePanel) (queuePage, error) {
	p := queuePage{Layout: layout, State: q.State, Case: open}
	f := q.filter(p.Person.Actor)
	if q.Limit == nil {
		f.Limit = shownLines
	}
	list, err := s.store.QueueLines(ctx, p.Person.Actor, f)
	if err != nil {
		return p, err
	}
	if p.Lines, err = s.queueLines(ctx, p, list.Items); err != nil {
		return p, err
	}
	p.Pager = p.pager(list.Prev, list.Next, "")
	p.Notices, err = s.queueNotices(ctx, p, q)
	return p, err
}

// queuePage reads the list of the queue with what its page has around it.
func (s *Server) queuePage(c *fiber.Ctx, q queueQuery, open *casePanel) (queuePage, error) {
	q.Lang = defaultLanguage(c, q.Lang)
	ctx := c.UserContext()
	p, err := s.queueList(ctx, s.layout(c, "Queue"), q, open)
	if err != nil {
		return p, err
	}
	p.MayWork = p.Person.May(policy.QueueWork)
	p.Limited = p.limited(q.Lang)
	languages, err := s.store.Languages(ctx)
	if err != nil {
		return p, err
	}
	p.Languages = p.languages(languages, q.Lang)
	p.Kinds = choices(q.Kind, "", "Any kind", "report", "With a report", "red_flag", "With a red flag")
	p.Sorts = choices(q.Sort, "", "Most urgent", "oldest", "Oldest")
	for _, frame := range [][2]string{{"day", "Daily"}, {"week", "Weekly"}, {"month", "Monthly"}, {"", "Overall"}} {
		address := queuePath + mustQuery(p.Query, "frame", frame[0], "cursor", "", "done", "")
		p.Frames = append(p.Frames, Choice{address, frame[1],
			q.Window == frame[0] || q.Window == "total" && frame[0] == ""})
	}
	for _, state := range [][2]string{{"", "Waiting"}, {"later", "Later"}, {"skipped", "Skipped by me"}} {
		address := queuePath + mustQuery(p.Query, "state", state[0], "cursor", "", "done", "")
		p.States = append(p.States, Choice{address, state[1],
			q.State == state[0] || q.State == "open" && state[0] == ""})
	}
	return p, nil
}

// queueLines returns the lines of the list.
func (s *Server) queueLines(ctx context.Context, p queuePage, found []store.QueueLine) ([]queueLine, error) {
	ids := make([]uuid.UUID, len(found))
	for i, line := range found {
		ids[i] = line.MessageID
	}
	messages, err := s.store.MessagesNamed(ctx, p.Person.Actor, ids)
	if err != nil {
		return nil, err
	}
	all := make([]*store.Case, len(found))
	for i := range found {
		all[i] = &found[i].Case
	}
	if err := s.setCaseWaves(ctx, p.Person.Actor, all...); err != nil {
		return nil, err
	}
	lines := make([]queueLine, len(found))
	for i, line := range found {
		m := messages[line.MessageID]
		lines[i] = queueLine{QueueLine: line, Name: authorName(m), Excerpt: markup.Excerpt(m.Text, tableExcerpt),
			Warnings: hiddenFrom(p.Person, m), Tag: langTag(m.Lang), Link: casePath(line.ID) + mustQuery(p.Query, "done", ""),
			Open: p.Case != nil && sameAuthor(p.Case.Case, line.Case),
			Mine: line.ClaimedBy != nil && *line.ClaimedBy == p.Person.UserID}
		if line.Priority != nil {
			lines[i].Score = line.Priority.Parts[0].Value
		}
	}
	return lines, nil
}

// sameAuthor reports whether two cases stand in one line of the list.
func sameAuthor(a, b store.Case) bool {
	return a.ID == b.ID || a.UserID != nil && b.UserID != nil && *a.UserID == *b.UserID
}

// casePath returns the address of a case.
func casePath(id int64) string { return queuePath + "/" + strconv.FormatInt(id, 10) }

// caseID reads the number of a case from the path.
func caseID(c *fiber.Ctx) (int64, error) {
	id, ok := actionID(c.Params("id"))
	if !ok {
		return 0, store.Malformed("a case has a number")
	}
	return id, nil
}

// laterBody is the body of the request that postpones a case.
type laterBody struct {
	Until *time.Time `json:"until" form:"until" validate:"required_without=For"`

	For string `json:"-" form:"for" validate:"omitempty,oneof=day week"`
}

// workOn returns the handler of what a person does with a case besides deciding it.
// After it, a page goes on with the same case or, with leave, with the next one. A
// script knows how it goes on.
func workOn(leave bool, do func(s *Server, c *fiber.Ctx, id int64) error) func(*Server, *fiber.Ctx) error {
	return func(s *Server, c *fiber.Ctx) error {
		id, err := caseID(c)
		if err != nil {
			return err
		}
		if err := do(s, c, id); err != nil {
			return err
		}
		switch {
		case isAPI(c):
			return s.sendCase(c, id, scoring.Total)
		case isPartial(c):
			return c.SendStatus(fiber.StatusNoContent)
		case leave:
			return s.openNext(c, "")
		}
		return c.Redirect(casePath(id)+mustQuery(query(c), "done", ""), fiber.StatusSeeOther)
	}
}

// sendCase sends a case to a program. Window is that of the author's score.
func (s *Server) sendCase(c *fiber.Ctx, id int64, window scoring.Window) error {
	one, err := s.store.Case(c.UserContext(), s.actor(c), id, window)
	if err != nil {
		return err
	}
	if err := s.setCaseWaves(c.UserContext(), s.actor(c), &one); err != nil {
		return err
	}
	return sendJSON(c, one)
}

var (
	claimCase = workOn(false, func(s *Server, c *fiber.Ctx, id int64) error {
		if err := decodeBody(c, &struct{}{}); err != nil {
			return err
		}
		_, err := s.store.Claim(c.UserContext(), s.actor(c), id)
		return err
	})
	releaseCase = workOn(false, func(s *Server, c *fiber.Ctx, id int64) error {
		if err := decodeBody(c, &struct{}{}); err != nil {
			return err
		}
		return s.store.Release(c.UserContext(), s.actor(c), id)
	})
	skipCase = workOn(true, func(s *Server, c *fiber.Ctx, id int64) error {
		if err := decodeBody(c, &struct{}{}); err != nil {
			return err
		}
		return s.store.SkipCase(c.UserContext(), s.actor(c), id)
	})
	postponeCase = workOn(true, func(s *Server, c *fiber.Ctx, id int64) error {
		var body laterBody
		if err := decodeBody(c, &body); err != nil {
			return err
		}
		if days, ok := map[string]int{"day": 1, "week": 7}[body.For]; ok {
			body.Until = new(time.Now().AddDate(0, 0, days))
		}
		return s.store.PostponeCase(c.UserContext(), s.actor(c), id, *body.Until)
	})
)
