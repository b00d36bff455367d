package admin

import (
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/samples"
)

func init() { notices["settled"] = "The dispute was settled." }

// disputedPath is the end of the path of the page of what is disputed.
const disputedPath = "/disputed"

// disputedQuery is the query of the disputed messages of a sample.
type disputedQuery struct {
	pageQuery
	State string `form:"state" validate:"omitempty,oneof=open settled all"`
}

// disputedPage lists the messages of a sample on which the two judgements differ,
// to be settled by a third person.
type disputedPage struct {
	Layout
	Sample sampleView
	Found  store.List[samples.Dispute]
	Lines  []disputeLine
	Tabs   []stateTab
	State  string // empty is open
	Here   string
	Pager  Pager
}

func (p disputedPage) api() any { return p.Found }

// disputeLine is a disputed message as the page shows it.
type disputeLine struct {
	samples.Dispute
	Message   *messageView // nil if the message is not here
	MaySettle bool
	Party     bool // the person is one of the two who differ
}

// Words returns a judgement for people.
func (l disputeLine) Words(verdict string) string {
	return map[string]string{"yes": "Yes", "no": "No"}[verdict]
}

// disputed lists the disputed messages of a sample.
func (s *Server) disputed(c *fiber.Ctx) error {
	access, sample, err := s.sampleHere(c)
	if err != nil {
		return err
	}
	var q disputedQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	p := disputedPage{Sample: sampleView{sample}, State: q.State}
	filter := samples.DisputeFilter{State: q.State, Page: q.page()}
	if p.Found, err = access.Disputed(c.UserContext(), sample.SampleID, filter); err != nil {
		return err
	}
	if !isAPI(c) {
		if err := s.showDisputes(c, &p); err != nil {
			return err
		}
	}
	return s.render(c, "disputed", p)
}

// showDisputes collects what only the page of disputes shows.
func (s *Server) showDisputes(c *fiber.Ctx, p *disputedPage) error {
	p.Layout = s.layout(c, "Disputed messages of a sample")
	p.Here = hereWithout(c, "done", "notice")
	for _, tab := range []struct {
		state, title string
		count        int
	}{
		{"", "To settle", p.Sample.Open}, {"settled", "Settled", p.Sample.Disputed - p.Sample.Open},
		{"all", "All", p.Sample.Disputed},
	} {
		p.Tabs = append(p.Tabs, stateTab{Link: mustQuery(p.Query, "state", tab.state, "cursor", "", "notice", ""),
			Title: tab.title, Count: int64(tab.count), Current: p.State == tab.state || p.State+tab.state == "open"})
	}
	p.Pager = p.pager(p.Found.Prev, p.Found.Next, "")
	ids := make([]uuid.UUID, len(p.Found.Items))
	for i, d := range p.Found.Items {
		ids[i] = d.Item
	}
	messages, err := s.store.MessagesNamed(c.UserContext(), s.actor(c), ids)
	if err != nil {
		return err
	}
	t := newPresenter(p.Person, p.Here)
	self, mayEdit := s.actor(c).UserID, p.Person.May(policy.ListEdit)
	is := func(id *uuid.UUID) bool { return id != nil && *id == self }
	for _, d := range p.Found.Items {
		line := disputeLine{Dispute: d, Party: is(d.FirstBy) || is(d.SecondBy)}
		line.MaySettle = mayEdit && d.Settled == nil && !line.Party
		if m, ok := messages[d.Item]; ok {
			view := t.view(m)
			line.Message = &view
		}
		p.Lines = append(p.Lines, line)
	}
	return nil
}

// settlementBody settles a disputed message.
type settlementBody struct {
	Item    string `json:"item" form:"item" validate:"max=60"`
	Verdict string `json:"verdict" form:"verdict" validate:"omitempty,oneof=yes no"`
	Return  string `json:"-" form:"return"`
}

// settleSample settles a disputed message.
func (s *Server) settleSample(c *fiber.Ctx) error {
	access, sample, err := s.sampleHere(c)
	if err != nil {
		return err
	}
	var body settlementBody
	if err := decodeBody(c, &body); err != nil {
		return err
	}
	item, ok := parseID(body.Item)
	if !ok {
		return store.Invalid{"item": "This is not the id of a message."}
	}
	if err := access.Settle(c.UserContext(), sample.SampleID, item, body.Verdict); err != nil {
		return sampleError(err)
	}
	if !isAPI(c) {
		return c.Redirect(withQuery(localPath(body.Return, sampleView{sample}.Disputes()), "notice", "settled"),
			fiber.StatusSeeOther)
	}
	agreement, err := access.Agreement(c.UserContext(), sample.SampleID, "")
	if err != nil {
		return err
	}
	return sendJSON(c, agreement)
}
