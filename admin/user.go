package admin

import (
	"context"
	"crypto/rand"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
)

func init() {
	describe("GET /users/:id", openapi.Method{
		Summary: "A user with stats and scores in every frame",
		Query:   formulaQuery{}, Answer: store.UserDetail{},
	})
	describe("GET /users/:id/messages", openapi.Method{
		Summary: "A user's messages",
		Query:   userQuery{}, Answer: store.List[store.Message]{},
	})
	describe("GET /users/:id/given", openapi.Method{
		Summary: "Labels, reactions and reports that a user gave",
		Query:   pageQuery{}, Answer: store.List[store.Feedback]{},
	})
	describe("GET /users/:id/actions", openapi.Method{
		Summary: "What was done to a user",
		Query:   pageQuery{}, Answer: store.List[store.Action]{},
	})
}

// userQuery is the query of a user's page: the tab, and the filters of its tab
// of messages.
type userQuery struct {
	pageQuery
	Tab     string `form:"tab" validate:"omitempty,oneof=messages given actions"`
	Formula string `form:"formula" validate:"max=100"`
	// Open is the time frame with the explained score, or figures for all figures.
	Open    string `form:"open" validate:"omitempty,oneof=day week month total figures"`
	Deleted string `form:"deleted" validate:"omitempty,oneof=exclude include only"`
	Spam    string `form:"spam" validate:"omitempty,oneof=true false exclude include only"`
	Lang    string `form:"lang" validate:"max=40"`
	Q       string `form:"q" validate:"max=2000"`
	Sort    string `form:"sort" validate:"omitempty,oneof=new old"`
	// Signal selects the messages that gave a signal, within the time frame and by
	// the formula.
	Signal string `form:"signal" validate:"max=40"`
	Window string `form:"frame" validate:"max=20"`
}

// onPage is the number of messages on the user's page. The page holds their
// texts, to open in place.
const onPage = 20

// spam returns the filter. The parameter may also be a truth value.
func (q userQuery) spam() string {
	switch q.Spam {
	case "true":
		return "only"
	case "false":
		return "exclude"
	}
	return q.Spam
}

func (q userQuery) filter(user uuid.UUID) store.MessageFilter {
	return store.MessageFilter{User: &user, Deleted: q.Deleted, Spam: q.spam(), Lang: q.Lang,
		Q: q.Q, Sort: q.Sort, Page: q.page()}
}

type userPage struct {
	Layout
	User      store.UserDetail
	Filter    userQuery
	Tabs      []Choice
	Formula   scoring.Formula
	Formulas  []Choice
	Columns   []windowColumn
	Stats     []statRow
	Signals   []signalRow
	Sheet     *scoreSheet // of the open time frame
	Chart     signalChart
	Languages []Choice
	Form      userBody
	Roles     []Choice // the options of the form; empty if the role must stay
	Wrong     store.Invalid
	Conflict  *store.Conflict
	Both      map[string]otherValue // of fields that another person changed too
	// MayEdit and MayBan report whether the person has the permission and the
	// rank rules allow it. WhyNot is the rule that does not.
	MayEdit, MayBan bool
	WhyNot          string
	Self            string // the user's address
	Here            string
	Pager           Pager
	Rater           *raterView // on the first page of the user's feedback
	Brief           store.UserBrief
	Given           int     // labels, reactions and reports by the user
	Reveal          *reveal // of the tab of messages
	revealed        bool
	// one is true for a request of the user, and false for a request of a tab
	// by its own address. The API answers them differently.
	one       bool
	textLimit int // of the messages; 0 for the API and CSV
	messages  store.List[store.Message]
	feedback  store.List[store.Feedback]
	warnings  map[uuid.UUID][]contentWarning // of the messages with the user's feedback
	actions   store.List[store.Action]
}

func (p userPage) api() any {
	switch {
	case p.one:
		return p.User
	case p.Filter.Tab == "given":
		return p.feedback
	case p.Filter.Tab == "actions":
		return p.actions
	}
	return p.messages
}

func (p userPage) csv() (header []string, rows [][]string) {
	switch p.Filter.Tab {
	case "given":
		return feedbackCSV(p.feedback.Items)
	case "actions":
		return auditPage{Actions: p.actions}.csv()
	}
	return messageCSV(p.messages.Items)
}

// Carry returns the parameters that the filters' form sends along.
func (p userPage) Carry() []Choice {
	return carried(p.Query, "formula", "sort", "open", "signal", "frame")
}

// user shows one user, with the tab that the query names.
func (s *Server) user(c *fiber.Ctx) error {
	var q userQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	if q.Deleted == "" {
		q.Deleted = "include" // the page shows deleted messages too, as evidence
	}
	p, err := s.userPage(c, q)
	if err != nil {
		return err
	}
	p.one = true
	if isAPI(c) {
		return s.render(c, "user", p)
	}
	return s.showUser(c, fiber.StatusOK, p)
}

// userMessages answers with the messages of a user. Like userFeedback and
// userActions, it is a tab of the user's page with an address of its own, for
// the API and CSV.
func (s *Server) userMessages(c *fiber.Ctx) error { return s.userTab(c, "messages") }

func (s *Server) userFeedback(c *fiber.Ctx) error { return s.userTab(c, "given") }

func (s *Server) userActions(c *fiber.Ctx) error { return s.userTab(c, "actions") }

func (s *Server) userTab(c *fiber.Ctx, tab string) error {
	var q userQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	q.Tab = tab
	p, err := s.userPage(c, q)
	if err != nil {
		return err
	}
	return s.showUser(c, fiber.StatusOK, p)
}

// userPage makes the head of the page: all but the open tab.
func (s *Server) userPage(c *fiber.Ctx, q userQuery) (userPage, error) {
	if q.Tab == "" {
		q.Tab = "messages"
	}
	p := userPage{Filter: q}
	id, err := pathID(c)
	if err != nil {
		return p, err
	}
	if p.Formula, err = s.store.FormulaNamed(c.UserContext(), q.Formula); err != nil {
		return p, err
	}
	if p.User, err = s.store.User(c.UserContext(), s.actor(c), id, p.Formula); err != nil || isAPI(c) {
		return p, err
	}
	p.Layout = s.layout(c, named(p.User.DisplayName, p.User.UserID))
	p.Self = "/users/" + id.String()
	p.Here = hereWithout(c, "done", "notice")
	if c.Method() != fiber.MethodGet {
		p.Here = p.Self
	}
	p.revealed = p.withReveal(c)
	if p.Brief, err = s.store.UserBrief(c.UserContext(), s.actor(c), id, p.Formula); err != nil {
		return p, err
	}
	if p.Given, err = s.store.CountFeedback(c.UserContext(), s.actor(c), id); err != nil {
		return p, err
	}
	p.Tabs = p.tabs()
	p.Formulas = formulaChoices(p.Formula)
	p.Columns, p.Stats, p.Signals = windowColumns(p), statRows(p.User), signalRows(p.User)
	p.Chart = chartOf(p.User.Days)
	if q.Open != "" && q.Open != figuresOpen {
		if p.Sheet, err = s.scoreSheet(c, id, scoring.Window(q.Open), p.Formula, p.Here); err != nil {
			return p, err
		}
		p.Sheet.User, p.Sheet.Ban = "", "" // the page has them in its head
	}
	erased := p.User.Status == store.Erased
	if err := p.Person.MayActOn(p.User.User); err != nil {
		p.WhyNot = err.Error()
	}
	p.MayEdit = p.Person.May(policy.UserEdit) && p.WhyNot == "" && !erased
	p.MayBan = p.Person.May(policy.UserBan) && p.WhyNot == "" && !erased
	p.Form = userBody{DisplayName: &p.User.DisplayName, Notes: &p.User.Notes, ShowOnLeaderboard: &p.User.ShowOnLeaderboard,
		Version: &p.User.Version, Key: rand.Text(), Was: formBase(map[string]string{
			"display_name": p.User.DisplayName, "notes": p.User.Notes, "role": p.User.Role,
			"show_on_leaderboard": boxText(p.User.ShowOnLeaderboard)})}
	if p.MayEdit {
		p.Roles = s.grantable(p.Person, p.User.Role)
	}
	return p, nil
}

// showUser reads the open tab and answers with the page.
func (s *Server) showUser(c *fiber.Ctx, status int, p userPage) error {
	actor := s.actor(c)
	if wantsCSV(c) {
		return s.sendCSV(c, "user", func(ctx context.Context, page store.Page) (listPage, *string, error) {
			next, _, err := s.readTab(ctx, actor, &p, page)
			return p, next, err
		})
	}
	if !isAPI(c) {
		p.textLimit = shownText + 1
	}
	page := p.Filter.page()
	if page.Limit == 0 && !isAPI(c) && p.Filter.Tab != "given" && p.Filter.Tab != "actions" {
		page.Limit = onPage
	}
	next, prev, err := s.readTab(c.UserContext(), actor, &p, page)
	if err != nil {
		return err
	}
	if err := s.setWaves(c.UserContext(), actor, p.messages.Items); err != nil {
		return err
	}
	if err := s.quoteAll(c, p.actions.Items); err != nil {
		return err
	}
	if p.Filter.Tab == "given" {
		if err := s.warnOfFeedback(c, &p); err != nil {
			return err
		}
		if p.Filter.Cursor == "" && !isAPI(c) {
			rater, err := s.store.Rater(c.UserContext(), actor, p.User.UserID)
			if err != nil {
				return err
			}
			p.Rater = &raterView{Rater: rater}
			if p.Rater.Together, err = s.ringLines(c, rater.Rings); err != nil {
				return err
			}
		}
	}
	p.Pager = p.pager(prev, next, "")
	p.Reveal = revealLink(p.Query, p.revealed, hidesAny(p.Person, p.messages.Items))
	p.Languages = languageChoices(p.User.Languages, p.Filter.Lang)
	return s.renderStatus(c, status, "user", p)
}
