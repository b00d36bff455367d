package admin

import (
	"context"
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/insights"
)

func init() {
	describe("GET /insights/contributors", openapi.Method{
		Summary: "How the messages are spread over the users who wrote them: the share of those who wrote most, the Lorenz " +
			"curve and the Gini coefficient",
		Query: contributorsQuery{}, Answer: insights.Contributors{},
	})
}

// contributorsQuery is the query of who wrote how much.
type contributorsQuery struct {
	Role  string `form:"role" validate:"omitempty,oneof=any prompter assistant"`
	Frame string `form:"frame" validate:"omitempty,oneof=day week month total"`
	Top   *int   `form:"top" validate:"omitempty,min=1,max=200" description:"how many users; without it 12"`
}

// contributorsPageQuery also names the figure that is asked for as a file.
type contributorsPageQuery struct {
	contributorsQuery
	Figure string `form:"figure" validate:"omitempty,oneof=top curve"`
}

// contributorsPage shows who wrote how much.
type contributorsPage struct {
	Layout
	Figures insights.Contributors
	Frames  []Choice
	Carry   []Choice
	Roles   []Choice
	Marks   []curveMark
	Lines   []contributorLine
	figure  string // the one that a file holds
}

func (p contributorsPage) api() any { return p.Figures }

// AsOf says when the figures were counted.
func (p contributorsPage) AsOf() string { return asOfText(p.Figures.AsOf, p.Figures.Follow) }

// CSV returns the address of a figure as a file.
func (p contributorsPage) CSV(figure string) string {
	return mustQuery(p.Query, "format", "csv", "figure", figure)
}

// Asked returns the number of users who are asked for.
func (p contributorsPage) Asked() string { return strconv.Itoa(p.Figures.Top) }

// ShareText writes a share with one digit after the point.
func (p contributorsPage) ShareText(share float64) string { return fixed(100*share, 1) + " %" }

// GiniText writes the Gini coefficient.
func (p contributorsPage) GiniText() string {
	if p.Figures.Gini == nil {
		return "–"
	}
	return fixed(*p.Figures.Gini, 3)
}

// Points returns the curve as SVG has it.
func (p contributorsPage) Points() template.HTMLAttr { return points(p.Figures.Curve) }

// CurveText says what the curve shows.
func (p contributorsPage) CurveText() string {
	half := insights.Point{}
	for _, at := range p.Figures.Curve {
		if at.Users > 0.5 {
			break
		}
		half = at
	}
	return fmt.Sprintf("Lorenz curve of %s messages by %s users. %s of the users, those who wrote least, "+
		"wrote %s of the messages.",
		number(p.Figures.Messages), number(p.Figures.Users), p.ShareText(half.Users), p.ShareText(half.Messages))
}

// curveMark is a point of the curve with the messages that it opens.
type curveMark struct {
	insights.Point
	Title, X, Y, Link string
}

// MostText says how much each of the users of a point wrote.
func (m curveMark) MostText() string {
	if m.Most == 1 {
		return "1 message"
	}
	return "up to " + number(m.Most) + " messages"
}

// contributorLine is one of those who wrote most, with their messages.
type contributorLine struct {
	insights.Contributor
	Link string
}

// link returns the address of messages of the role and the time of the figures.
func (p contributorsPage) link(name, value string) string {
	f := p.Figures
	q := url.Values{name: {value}, "deleted": {"include"}}
	if f.Role != insights.AnyRole {
		q.Set("role", f.Role)
	}
	if f.AsOf != nil {
		if since, limited := f.Frame.Since(*f.AsOf); limited {
			q.Set("since", since.Format(time.RFC3339Nano))
		}
	}
	if p.Person.ActsOn() != nil {
		q.Set("lang", allLanguages) // the list would show only their own
	}
	return "/messages?" + q.Encode()
}

// markDistance is the distance, as a share of the users or of the messages, from which two
// points of the curve both open their messages.
const markDistance = 0.08

// draw makes what opens messages: some points of the curve, and the users who wrote most.
func (p *contributorsPage) draw() {
	last := insights.Point{}
	for i, at := range p.Figures.Curve {
		if i == 0 || i < len(p.Figures.Curve)-1 && at.Users-last.Users < markDistance &&
			at.Messages-last.Messages < markDistance {
			continue
		}
		last = at
		m := curveMark{Point: at, X: pixels(100 * at.Users), Y: pixels(100 - 100*at.Messages),
			Link: p.link("author_messages", "<="+strconv.FormatInt(at.Most, 10))}
		m.Title = fmt.Sprintf("%s of the users wrote %s each: %s of the messages, N = %s", p.ShareText(at.Users),
			m.MostText(), p.ShareText(at.Messages), number(at.N))
		p.Marks = append(p.Marks, m)
	}
	for _, i := range p.Figures.Items {
		p.Lines = append(p.Lines, contributorLine{i, p.link("user", i.UserID.String())})
	}
}

// contributors shows who wrote how much.
func (s *Server) contributors(c *fiber.Ctx) error {
	var q contributorsPageQuery
	if err := decodeContributors(c, &q); err != nil {
		return err
	}
	ctx, actor := c.UserContext(), s.actor(c)
	access, err := s.store.Insights(actor)
	if err != nil {
		return err
	}
	top := insights.DefaultTop
	if q.Top != nil {
		top = *q.Top
	}
	p := contributorsPage{figure: q.Figure}
	if p.Figures, err = access.Contributors(ctx, q.Role, q.Frame, top); err != nil {
		return err
	}
	score, err := s.store.OverallScores(ctx, actor)
	if err != nil {
		return err
	}
	for i := range p.Figures.Items {
		p.Figures.Items[i].Score = score(p.Figures.Items[i].UserID)
	}
	switch {
	case isAPI(c):
		return s.render(c, "contributors", p)
	case wantsCSV(c):
		return s.sendCSV(c, "contributors",
			func(context.Context, store.Page) (listPage, *string, error) { return p, nil, nil })
	}
	p.Layout = s.layout(c, "Contributors")
	p.Carry = carried(p.Query, "frame")
	p.Roles = choices(p.Figures.Role, insights.AnyRole, "Any", "prompter", "Prompter", "assistant", "Assistant")
	for _, frame := range scoring.Windows {
		p.Frames = append(p.Frames, Choice{mustQuery(p.Query, "frame", string(frame)), frame.Title(),
			frame == p.Figures.Frame})
	}
	p.draw()
	return s.render(c, "contributors", p)
}

// decodeContributors decodes the query; only the page has files.
func decodeContributors(c *fiber.Ctx, q *contributorsPageQuery) error {
	if isAPI(c) {
		return decodeQuery(c, &q.contributorsQuery)
	}
	return decodeQuery(c, q)
}

func (p contributorsPage) csv() (header []string, rows [][]string) {
	if p.figure == "curve" {
		for _, at := range p.Figures.Curve {
			rows = append(rows, []string{figure(&at.Users), figure(&at.Messages)})
		}
		return []string{"users", "messages"}, rows
	}
	for _, i := range p.Figures.Items {
		rows = append(rows, []string{strconv.Itoa(i.Rank), i.UserID.String(), i.DisplayName,
			strconv.FormatInt(i.Messages, 10),
			figure(&i.Share), figure(&i.Score)})
	}
	return []string{"rank", "user_id", "display_name", "messages", "share", "score"}, rows
}
