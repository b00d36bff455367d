package admin

import (
	"context"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/lists"
)

func init() {
	describe("GET /lists", openapi.Method{
		Summary: "Lists of messages",
		Query:   listsQuery{}, Answer: store.List[lists.List]{},
	})
	describe("POST /lists", openapi.Method{
		Summary: "Create a list of messages",
		Body:    []any{actBody{}, store.ListParams{}},
		Fields:  []string{"name", "kind", "note", "reason"}, Answer: listAnswer{},
	})
	describe("GET /lists/:id", openapi.Method{Summary: "A list of messages", Answer: lists.List{}})
	describe("PATCH /lists/:id", openapi.Method{
		Summary: "Rename, change or archive a list of messages",
		Body:    []any{actBody{}, store.ListParams{}},
		Fields:  []string{"name", "kind", "note", "archived", "reason", "version"}, Answer: listAnswer{},
	})
	describe("GET /lists/:id/items", openapi.Method{
		Summary: "The messages on a list, each with its state",
		Query:   itemsQuery{}, Answer: store.List[lists.Item]{},
	})
	describe("GET /lists/:id/audit", openapi.Method{
		Summary: "Count the messages on a list by their state now",
		Answer:  lists.Audit{},
	})
	describe("GET /lists/:id/compare", openapi.Method{
		Summary: "Compare a list with another one, or with what staff deleted",
		Query:   compareQuery{}, Answer: lists.Comparison{},
	})
}

const listsPath = "/lists"

// listsQuery is the query of the lists of messages.
type listsQuery struct {
	pageQuery
	Q        string `form:"q" validate:"max=200" description:"words or parts of names, phrases, -not, OR"`
	Kind     string `form:"kind" validate:"omitempty,oneof=bad good custom"`
	Archived string `form:"archived" validate:"omitempty,oneof=exclude include only"`
}

// listAnswer is the answer to an action that creates or changes a list: the list
// as it is then, and the action.
type listAnswer struct {
	lists.List
	store.Outcome
}

// listView is a list as pages show it.
type listView struct {
	lists.List
	Badge badge // its kind
}

// kindBadges holds the badges of the kinds of lists.
var kindBadges = map[string]badge{
	"bad":    {"Bad", "bad", "Messages to keep out of a release"},
	"good":   {"Good", "ok", "Messages to keep"},
	"custom": {"Custom", "", "Messages collected for another purpose"},
}

func viewList(list lists.List) listView { return listView{list, kindBadges[list.Kind]} }

// Short returns the name for a place that is narrower than the longest name.
func (l listView) Short() string { return excerpt(named(l.Name), 80) }

// Amiss returns the number of items that were not present at the last audit.
func (l listView) Amiss() (n int64) {
	for state, count := range l.LastCounts {
		if state != lists.Present {
			n += count
		}
	}
	return n
}

// Path returns the address of the list's page.
func (l listView) Path() string { return listsPath + "/" + l.ListID.String() }

type listsPage struct {
	Layout
	List     store.List[lists.List]
	Filter   listsQuery
	Lines    []listView
	Kinds    []Choice
	Archived []Choice
	Here     string
	MayEdit  bool
	Pager    Pager
	CSV      string
}

func (p listsPage) api() any { return p.List }

// Filtered reports whether the person narrowed the lists.
func (p listsPage) Filtered() bool {
	return p.Filter.Q != "" || p.Filter.Kind != "" || p.Filter.Archived == "only"
}

func (p listsPage) csv() (header []string, rows [][]string) {
	header = []string{"list_id", "name", "kind", "note", "items", "owner_name", "created_date", "last_audit",
		"last_audit_by"}
	for _, state := range lists.States {
		header = append(header, "last_"+state)
	}
	header = append(header, "archived")
	for _, l := range p.List.Items {
		row := []string{l.ListID.String(), l.Name, l.Kind, l.Note, strconv.FormatInt(l.Items, 10), l.OwnerName,
			rfc3339(&l.CreatedDate), rfc3339(l.LastAudit), l.LastBy}
		for _, state := range lists.States {
			count := ""
			if l.LastAudit != nil {
				count = strconv.FormatInt(l.LastCounts[state], 10)
			}
			row = append(row, count)
		}
		rows = append(rows, append(row, strconv.FormatBool(l.Archived)))
	}
	return header, rows
}

// lists shows the lists of messages.
func (s *Server) lists(c *fiber.Ctx) error {
	var q listsQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	q.Q = strings.TrimSpace(q.Q)
	actor, f := s.actor(c), lists.Filter{Q: q.Q, Kind: q.Kind, Archived: q.Archived, Page: q.page()}
	if wantsCSV(c) {
		return s.sendCSV(c, "lists", func(ctx context.Context, page store.Page) (listPage, *string, error) {
			f.Page = page
			found, err := s.store.Lists(ctx, actor, f)
			return listsPage{List: found}, found.Next, err
		})
	}
	found, err := s.store.Lists(c.UserContext(), actor, f)
	if err != nil {
		return err
	}
	p := listsPage{List: found, Filter: q}
	if isAPI(c) {
		return s.render(c, "lists", p)
	}
	p.Layout = s.layout(c, "Lists")
	p.Kinds = choices(q.Kind, "", "Any kind", "bad", "Bad", "good", "Good", "custom", "Custom")
	p.Archived = choices(q.Archived, "", "Not archived", "include", "Include archived", "only", "Only archived")
	p.Here = hereWithout(c, "done", "notice")
	p.MayEdit = p.Person.May(policy.ListEdit)
	p.CSV = mustQuery(p.Query, "format", "csv", "cursor", "")
	p.Pager = p.pager(found.Prev, found.Next, "")
	for _, list := range found.Items {
		p.Lines = append(p.Lines, viewList(list))
	}
	return s.render(c, "lists", p)
}

// sendJSON answers an API call with a value that no cache may keep.
func sendJSON(c *fiber.Ctx, v any) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(v)
}

// list answers with one list.
func (s *Server) list(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	list, err := s.store.ListByID(c.UserContext(), s.actor(c), id)
	if err != nil {
		return err
	}
	return sendJSON(c, list)
}

// listAudit answers with the counts of a list's items by state.
func (s *Server) listAudit(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	audit, err := s.store.AuditList(c.UserContext(), s.actor(c), id)
	if err != nil {
		return err
	}
	return sendJSON(c, audit)
}

// compareQuery is the query of a comparison of lists.
type compareQuery struct {
	pageQuery
	With string `form:"with" validate:"max=100"` // the id of a list, or deleted (default)
}
