package admin

import (
	"context"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
)

func init() {
	describe("GET /users/:id/score", openapi.Method{
		Summary: "The parts of a user's score, and the messages behind each",
		Query:   scoreQuery{}, Answer: store.Score{},
	})
}

// scoreQuery is the query of a user's score.
type scoreQuery struct {
	Window  string `form:"frame" validate:"max=20"`
	Formula string `form:"formula" validate:"max=100"`
}

// choose returns the time frame and the formula that a query names.
func (s *Server) choose(ctx context.Context, q scoreQuery) (scoring.Window, scoring.Formula, error) {
	window, err := scoring.WindowNamed(q.Window)
	if err != nil {
		return window, scoring.Formula{}, store.Malformed(err.Error())
	}
	formula, err := s.store.FormulaNamed(ctx, q.Formula)
	return window, formula, err
}

// userInForce returns a user with the weights of the formula in force.
func (s *Server) userInForce(c *fiber.Ctx, id uuid.UUID) (store.UserDetail, error) {
	formula, err := s.store.FormulaNamed(c.UserContext(), "")
	if err != nil {
		return store.UserDetail{}, err
	}
	return s.store.User(c.UserContext(), s.actor(c), id, formula)
}

// scoreSheet is the explanation of a score.
type scoreSheet struct {
	Score store.Score
	Lines []scorePart
	// Zero names the weighted signals that the user does not have.
	Zero string
	// Page is the address of the sheet as a page; empty on that page.
	Page string
	// User is the address of the user; empty on the user's page. Ban is the
	// address that bans them, or unbans if they are Banned; empty if the person
	// may not.
	User, Ban string
	Banned    bool
}

// Window returns the lower-case name of the time frame.
func (s *scoreSheet) Window() string { return strings.ToLower(s.Score.Window.Title()) }

func (s *scoreSheet) api() any { return s.Score }

// scorePart is the line of one signal.
type scorePart struct {
	scoring.Part
	Title, Counts string
	Bar           float64 // its share of the largest, 0 to 1
	For           bool    // it counts for the user
	Evidence      []evidence
	Messages      int    // the number of all messages behind the signal
	All           string // the address that lists them
}

// scoreSheet returns the explanation of a user's score. An act returns to the
// path back.
func (s *Server) scoreSheet(c *fiber.Ctx, user uuid.UUID, window scoring.Window, formula scoring.Formula, back string) (
	*scoreSheet, error) {
	score, err := s.store.Score(c.UserContext(), s.actor(c), user, window, formula)
	if err != nil {
		return nil, err
	}
	sheet := layOut(score)
	person := s.person(c)
	if isAPI(c) {
		return sheet, nil
	}
	if err := s.addEvidence(c, sheet); err != nil {
		return nil, err
	}
	sheet.User = "/users/" + user.String()
	sheet.Page = sheet.User + "/score?frame=" + string(window) + "&formula=" + formula.Name
	sheet.Banned = score.Status == store.Banned
	if score.Status != store.Erased && mayActOn(person, policy.UserBan, user, score.Role) {
		path := "ban"
		if sheet.Banned {
			path = "unban"
		}
		sheet.Ban = ActPath("user", user, path, back)
	}
	return sheet, nil
}

func layOut(score store.Score) *scoreSheet {
	sheet := &scoreSheet{Score: score}
	var largest float64
	for _, part := range score.Parts {
		largest = max(largest, abs(part.Points))
	}
	var zero []string
	for _, part := range score.Parts {
		if part.Count == 0 {
			if part.Weight != 0 {
				zero = append(zero, strings.ToLower(part.Signal.Title()))
			}
			continue
		}
		line := scorePart{Part: part, Title: part.Signal.Title(), Counts: countsWhat(part.Signal), For: part.Points < 0}
		if largest > 0 {
			line.Bar = abs(part.Points) / largest
		}
		line.Messages = score.Messages[part.Signal]
		line.All = signalPath(score.UserID, part.Signal, score.Window, score.Formula)
		sheet.Lines = append(sheet.Lines, line)
	}
	sheet.Zero = strings.Join(zero, ", ")
	return sheet
}

// countsWhat completes "counts …" for a signal.
func countsWhat(signal scoring.Signal) string {
	for _, info := range scoring.Signals {
		if info.Signal == signal {
			return info.Counts
		}
	}
	return string(signal)
}

func abs(x float64) float64 { return max(x, -x) }

type scorePage struct {
	Layout
	User     store.UserDetail
	Sheet    *scoreSheet
	Tabs     []Choice
	Formulas []Choice
}

func (p scorePage) api() any { return p.Sheet.Score }

// Carry returns the parameters that the form of formulas sends along.
func (p scorePage) Carry() []Choice { return carried(p.Query, "frame") }

// score explains one user's score: its parts, and the messages behind them.
func (s *Server) score(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var q scoreQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	window, formula, err := s.choose(c.UserContext(), q)
	if err != nil {
		return err
	}
	var p scorePage
	back := localPath(c.Query("return"), hereWithout(c, "done", "notice"))
	if p.Sheet, err = s.scoreSheet(c, id, window, formula, back); err != nil {
		return err
	}
	switch {
	case isAPI(c):
		return s.render(c, "score", p)
	case isPartial(c):
		return s.render(c, "partials/score", p.Sheet)
	}
	if p.User, err = s.store.User(c.UserContext(), s.actor(c), id, formula); err != nil {
		return err
	}
	p.Layout = s.layout(c, "Score of "+named(p.User.DisplayName, p.User.UserID))
	p.Sheet.Page = ""
	p.Tabs, p.Formulas = windowTabs(p.Query, window), formulaChoices(formula)
	return s.render(c, "score", p)
}

// windowTabs returns the time frames as tabs. A change of the tab keeps the
// other choices, so that people can compare them between time frames.
func windowTabs(values url.Values, chosen scoring.Window) []Choice {
	var tabs []Choice
	for _, window := range scoring.Windows {
		tabs = append(tabs, Choice{mustQuery(values, "frame", string(window)), window.Title(), window == chosen})
	}
	return tabs
}

func formulaChoices(chosen scoring.Formula) []Choice {
	var formulas []Choice
	for i, f := range scoring.Formulas {
		title := f.Name
		if i == 0 {
			title += " (current)"
		}
		formulas = append(formulas, Choice{f.Name, title, f.Name == chosen.Name})
	}
	return formulas
}
