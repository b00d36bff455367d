package admin

import (
	"context"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/policy"
	"treewarden/store"
)

func init() {
	describe("GET /users", openapi.Method{
		Summary: "Users",
		Query:   usersQuery{}, Answer: store.List[store.User]{},
	})
}

// usersQuery is the query of the list of users.
type usersQuery struct {
	pageQuery
	Q      string `form:"q" validate:"max=200" description:"words or parts of names, phrases, -not, OR, or an id"`
	Role   string `form:"role" validate:"max=40"`
	Status string `form:"status" validate:"omitempty,oneof=active banned erased all"`
	Lang   string `form:"lang" validate:"max=40"`
	Sort   string `form:"sort" validate:"omitempty,oneof=name -name created -created activity -activity"`
}

// userLine is a row of the list of users.
type userLine struct {
	store.User
	MayBan bool    // or unban
	Score  float64 // over all time, by the formula in force
}

type usersPage struct {
	Layout
	List      store.List[store.User]
	Filter    usersQuery
	Lines     []userLine
	Roles     []Choice
	Statuses  []Choice
	Languages []Choice
	Limited   *Limited
	Columns   []column
	Here      string
	Pager     Pager
	CSV       string
}

func (p usersPage) api() any { return p.List }

// Filtered reports whether the list leaves users out.
func (p usersPage) Filtered() bool {
	return p.Filter.Q != "" || p.Filter.Role != "" || p.Filter.Status != "" && p.Filter.Status != "all" ||
		p.Filter.Lang != "" && p.Filter.Lang != ownLanguages
}

// Carry returns the parameters that the filters' form sends along.
func (p usersPage) Carry() []Choice { return carried(p.Query, "sort") }

func (p usersPage) csv() (header []string, rows [][]string) {
	header = []string{"user_id", "display_name", "auth_method", "username", "role", "status", "banned_since",
		"banned_until", "ban_reason",
		"show_on_leaderboard", "created_date", "last_activity_date"}
	for _, u := range p.List.Items {
		var since, until, reason string
		if u.Ban != nil {
			since, until, reason = rfc3339(&u.Ban.Since), rfc3339(u.Ban.Until), u.Ban.Reason
		}
		rows = append(rows, []string{u.UserID.String(), u.DisplayName, u.AuthMethod, u.Username, u.Role, u.Status, since,
			until, reason,
			strconv.FormatBool(u.ShowOnLeaderboard), rfc3339(&u.CreatedDate), rfc3339(u.LastActivityDate)})
	}
	return header, rows
}

// users lists the users.
func (s *Server) users(c *fiber.Ctx) error {
	var q usersQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	q.Q = strings.TrimSpace(q.Q)
	if q.Sort == "" && !isAPI(c) {
		q.Sort = "-activity" // the page shows who was there last; the API lists names
	}
	q.Lang = defaultLanguage(c, q.Lang)
	f := store.UserFilter{Q: q.Q, Role: q.Role, Status: q.Status, Sort: q.Sort, Page: q.page()}
	f.Lang, f.Within = languageFilter(s.actor(c), q.Lang)
	actor := s.actor(c)
	if wantsCSV(c) {
		return s.sendCSV(c, "users", func(ctx context.Context, page store.Page) (listPage, *string, error) {
			f.Page = page
			list, err := s.store.Users(ctx, actor, f)
			return usersPage{List: list}, list.Next, err
		})
	}
	list, err := s.store.Users(c.UserContext(), actor, f)
	if err != nil {
		return err
	}
	p := usersPage{List: list, Filter: q}
	if isAPI(c) {
		return s.render(c, "users", p)
	}
	score, err := s.store.OverallScores(c.UserContext(), actor)
	if err != nil {
		return err
	}
	p.Layout = s.layout(c, "Users")
	p.Limited = p.limited(q.Lang)
	languages, err := s.store.Languages(c.UserContext())
	if err != nil {
		return err
	}
	p.Languages, p.Roles = p.languages(languages, q.Lang), s.roleChoices(q.Role)
	p.Statuses = choices(q.Status, "", "Any status", store.Active, "Active",
		store.Banned, "Banned", store.Erased, "Erased")
	p.Here = hereWithout(c, "done", "notice")
	p.CSV = mustQuery(p.Query, "format", "csv", "cursor", "")
	p.Columns = p.columns()
	p.Pager = p.pager(list.Prev, list.Next, "")
	for _, u := range list.Items {
		p.Lines = append(p.Lines, userLine{u,
			u.Status != store.Erased && p.Person.May(policy.UserBan) && p.Person.MayActOn(u) == nil, score(u.UserID)})
	}
	return s.render(c, "users", p)
}

// roleChoices returns the roles to filter by.
func (s *Server) roleChoices(chosen string) []Choice {
	all := []Choice{{"", "Any role", chosen == ""}}
	for _, role := range s.store.Policy().Roles() {
		all = append(all, Choice{role.Name, capital(role.Title), role.Name == chosen})
	}
	return all
}

// roleTitle returns a role's name on pages.
func (s *Server) roleTitle(role string) string { return s.store.Policy().Title(role) }

// columns returns the heads of the list. A second click on one reverses the
// order.
func (p usersPage) columns() []column {
	columns := []column{
		{Title: "Name", Link: "name"},
		{Title: "Troll score", Class: "num"},
		{Title: "Role"},
		{Title: "Status"},
		{Title: "Joined", Link: "created"},
		{Title: "Last active", Link: "activity"},
		{Title: "Actions", Class: "tools"},
	}
	sorted := p.Filter.Sort
	if sorted == "" {
		sorted = "-activity"
	}
	for i, c := range columns {
		if c.Link == "" {
			continue
		}
		to := c.Link
		if c.Link != "name" {
			to = "-" + c.Link // the latest first
		}
		switch sorted {
		case c.Link:
			columns[i].Sort, to = "ascending", "-"+c.Link
		case "-" + c.Link:
			columns[i].Sort, to = "descending", c.Link
		}
		columns[i].Link = mustQuery(p.Query, "sort", to)
	}
	return columns
}
