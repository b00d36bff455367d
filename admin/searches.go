package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/corpus/search"
	"treewarden/store"
	"treewarden/store/searches"
)

func init() {
	describe("GET /searches", openapi.Method{
		Summary: "Saved searches, own ones and those that others share, with the number of new results of each. " +
			"GET /messages?search=ID finds the messages of one, and keeps that the caller looked",
		Query: searchesQuery{}, Answer: store.List[searches.Search]{},
	})
	describe("POST /searches", openapi.Method{
		Summary: "Save a search of messages",
		Body:    searchBody{}, Fields: []string{"name", "query", "shared"}, Answer: searches.Search{},
	})
	describe("DELETE /searches/:id", openapi.Method{
		Summary: "Delete an own saved search. Who manages staff accounts deletes shared ones of others too",
		Answer:  searches.Search{},
	})
}

const searchesPath = "/searches"

// searchesQuery is the query of the saved searches.
type searchesQuery struct{ pageQuery }

// searchBody is a search to save.
type searchBody struct {
	Name   string `json:"name" form:"name"`
	Query  string `json:"query" form:"query" description:"a query line, as q of GET /messages"`
	Shared bool   `json:"shared" form:"shared"`

	// Only the form sends these.
	Return string `json:"-" form:"return"`
	Key    string `json:"-" form:"key" validate:"max=100"`
}

// fieldFault is a wrong query line in a field that is not named q.
type fieldFault struct {
	Field string
	*search.SyntaxError
}

// Unwrap returns the fault of the line.
func (f fieldFault) Unwrap() error { return f.SyntaxError }

// line returns the query line that finds the same as the filter, but for what a line
// cannot say: the languages of whoever looks, a tree, and how much the author wrote.
func (q conditionQuery) line() string {
	var fields search.Query
	add := func(name, value string) {
		if value != "" {
			fields.Filters = append(fields.Filters, search.Filter{Name: name, Op: ":", Value: value})
		}
	}
	if q.Lang != ownLanguages && q.Lang != allLanguages {
		add("lang", q.Lang)
	}
	add("role", q.Role)
	add("tree_state", q.TreeState)
	add("deleted", q.Deleted)
	add("review", q.Review)
	add("label", q.Label)
	add("toxicity", q.Toxicity)
	add("classifier", q.Classifier)
	add("has", q.Has)
	if q.List != nil {
		add("list", q.List.String())
	}
	if q.User != nil {
		add("user", q.User.String())
	}
	add("since", rfc3339(q.Since))
	add("until", rfc3339(q.Until))
	return strings.TrimSpace(strings.TrimSpace(q.Q) + " " + fields.String())
}

// savedSearch is a saved search as pages show it.
type savedSearch struct {
	searches.Search
	Own    bool
	Delete string // the address of the form; empty if the person may not
	Here   bool   // the page shows its results
}

// Path returns the address that opens the search.
func (s savedSearch) Path() string { return "/messages?search=" + s.SearchID.String() }

// Short returns the name for a narrow place.
func (s savedSearch) Short() string { return excerpt(named(s.Name), 40) }

// News returns the number of new results in words: empty if there are none, or if it
// is not known.
func (s savedSearch) News() string {
	switch {
	case s.New == nil || *s.New == 0:
		return ""
	case *s.New >= searches.MaxNew:
		return strconv.Itoa(searches.MaxNew-1) + "+ new"
	}
	return strconv.Itoa(*s.New) + " new"
}

func viewSearch(access searches.Access, found searches.Search, back string) savedSearch {
	s := savedSearch{Search: found, Own: found.OwnerID == access.Person}
	if access.MayDelete(found) == nil {
		s.Delete = searchesPath + "/" + found.SearchID.String() + "/remove?" + url.Values{"return": {back}}.Encode()
	}
	return s
}

type searchesPage struct {
	Layout
	List  store.List[searches.Search]
	Lines []savedSearch
	New   string // the address of the form
	Pager Pager
	CSV   string
}

func (p searchesPage) api() any { return p.List }

func (p searchesPage) csv() (header []string, rows [][]string) {
	header = []string{"search_id", "name", "query", "shared", "owner_id", "owner_name", "created_date", "looked_at"}
	for _, s := range p.List.Items {
		rows = append(rows, []string{s.SearchID.String(), s.Name, s.Query, strconv.FormatBool(s.Shared), s.OwnerID.String(),
			s.OwnerName, rfc3339(&s.CreatedDate), rfc3339(s.LookedAt)})
	}
	return header, rows
}

// searches lists the saved searches.
func (s *Server) searches(c *fiber.Ctx) error {
	var q searchesQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	access, err := s.store.Searches(s.actor(c))
	if err != nil {
		return err
	}
	if wantsCSV(c) {
		return s.sendCSV(c, "searches", func(ctx context.Context, page store.Page) (listPage, *string, error) {
			found, err := access.All(ctx, page, 0) // all rows are too many to count for
			return searchesPage{List: found}, found.Next, err
		})
	}
	var p searchesPage
	if p.List, err = access.All(c.UserContext(), q.page(), searches.CountTime); err != nil {
		return err
	}
	if isAPI(c) {
		return s.render(c, "searches", p)
	}
	p.Layout = s.layout(c, "Saved searches")
	back := hereWithout(c, "done", "notice")
	p.New = searchesPath + "/new?" + url.Values{"return": {back}}.Encode()
	p.CSV = mustQuery(p.Query, "format", "csv", "cursor", "")
	p.Pager = p.pager(p.List.Prev, p.List.Next, "")
	for _, found := range p.List.Items {
		p.Lines = append(p.Lines, viewSearch(access, found, back))
	}
	return s.render(c, "searches", p)
}

// openSearch replaces a saved search in the query of the messages by its line. It
// keeps that the person looked: before the messages are read, so that what comes
// meanwhile is still new. A page is sent to the address with the line, which can be
// shared and changed; sent reports that.
func (s *Server) openSearch(c *fiber.Ctx, q *messagesQuery) (sent bool, err error) {
	if q.Search == nil {
		return false, nil
	}
	access, err := s.store.Searches(s.actor(c))
	if err != nil {
		return false, err
	}
	saved, err := access.ByID(c.UserContext(), *q.Search)
	if err != nil {
		return false, err
	}
	if q.Q != "" && q.Q != saved.Query {
		return false, store.BadParameter{Name: "search", Malformed: "a saved search has its own line: leave out q or search."}
	}
	if c.Method() == get && q.Cursor == "" && !wantsCSV(c) {
		if err := access.Look(c.UserContext(), saved.SearchID, access.Now()); err != nil {
			return false, err
		}
	}
	if !isAPI(c) && !wantsCSV(c) {
		c.Set(fiber.HeaderCacheControl, "no-store")
		return true, c.Redirect("/messages"+mustQuery(query(c), "search", "", "q", saved.Query), fiber.StatusSeeOther)
	}
	q.Q = saved.Query
	if q.Lang == "" { // as the count
		q.Lang = ownLanguages
	}
	return false, nil
}

// The saved searches on the page of messages: how many, and the time in which their
// new results are counted.
const (
	shownSearches  = 12
	shownCountTime = 400 * time.Millisecond
)

// joinSearches shows the saved searches on the page of messages, and links the form
// that saves what it shows.
func (s *Server) joinSearches(c *fiber.Ctx, p *messagesPage) error {
	access, err := s.store.Searches(s.actor(c))
	if err != nil {
		return err
	}
	found, err := access.All(c.UserContext(), store.Page{Limit: shownSearches}, shownCountTime)
	if err != nil {
		return err
	}
	line, back := p.Filter.line(), hereWithout(c, "done", "notice")
	whole := p.Filter.Tree == nil && p.Filter.AuthorMessages == "" // the line says all
	for _, f := range found.Items {
		view := viewSearch(access, f, back)
		view.Here = line != "" && whole && line == f.Query
		p.Saved = append(p.Saved, view)
	}
	if line != "" && whole && len(p.Faults) == 0 {
		p.Save = searchesPath + "/new?" + url.Values{"query": {line}, "return": {back}}.Encode()
	}
	return nil
}

// searchFormPage is the form that saves a search, as a page of its own or in a dialog.
type searchFormPage struct {
	Layout
	Body   searchBody
	Return string
	Wrong  store.Invalid
	Line   *filterFault // what is wrong with the query line
	Dialog bool
}

func (p searchFormPage) api() any { return nil }

// Elsewhere returns the errors of fields that the form does not show.
func (p searchFormPage) Elsewhere() string { return elsewhere(p.Wrong, "name", "query") }

// searchFormQuery fills the form in.
type searchFormQuery struct {
	Query  string `form:"query" validate:"max=4000"`
	Return string `form:"return"`
}

// newSearchForm shows the form that saves a search.
func (s *Server) newSearchForm(c *fiber.Ctx) error {
	var q searchFormQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	return s.showSearchForm(c, searchBody{Query: q.Query, Return: q.Return, Key: rand.Text()}, nil)
}

// showSearchForm shows the form, with what is wrong in it.
func (s *Server) showSearchForm(c *fiber.Ctx, body searchBody, wrong error) error {
	p := searchFormPage{Layout: s.layout(c, "Save a search"), Body: body, Return: localPath(body.Return, searchesPath),
		Dialog: isPartial(c)}
	p.Toast = nil
	status := fiber.StatusOK
	if wrong != nil {
		status = fiber.StatusUnprocessableEntity
		var syntax *search.SyntaxError
		if !errors.As(wrong, &p.Wrong) && errors.As(wrong, &syntax) {
			fault := newFault("query", body.Query, syntax.Why, wrong)
			p.Line = &fault
		} else if why := p.Wrong["query"]; why != "" {
			p.Line = &filterFault{Name: "query", Why: why}
		}
	}
	if p.Dialog {
		return s.renderStatus(c, status, "partials/searchform", p)
	}
	return s.renderStatus(c, status, "searchform", p)
}

// saveSearch saves a search.
func (s *Server) saveSearch(c *fiber.Ctx) error {
	var body searchBody
	err := decodeBody(c, &body)
	var saved searches.Search
	if err == nil {
		saved, err = s.keepSearch(c, body)
	}
	var invalid store.Invalid
	var syntax *search.SyntaxError
	isSyntax := errors.As(err, &syntax)
	switch {
	case !isAPI(c) && (isSyntax || errors.As(err, &invalid)):
		return s.showSearchForm(c, body, err)
	case isSyntax:
		return fieldFault{"query", syntax}
	case err != nil:
		return err
	case isAPI(c):
		return sendJSON(c, saved)
	}
	return noticed(c, localPath(body.Return, searchesPath), "search-saved")
}

func (s *Server) keepSearch(c *fiber.Ctx, body searchBody) (searches.Search, error) {
	key, err := idempotencyKey(c, body.Key)
	if err != nil {
		return searches.Search{}, err
	}
	access, err := s.store.Searches(s.actor(c))
	if err != nil {
		return searches.Search{}, err
	}
	saved, err := access.Save(c.UserContext(),
		searches.New{Name: body.Name, Query: body.Query, Shared: body.Shared, Key: key})
	var conflict searches.Conflict
	if errors.As(err, &conflict) {
		err = &store.Conflict{Why: err.Error()}
	}
	return saved, err
}

// noticed redirects to a page that shows a notice.
func noticed(c *fiber.Ctx, path, notice string) error {
	path = withQuery(path, "notice", notice)
	if isPartial(c) {
		c.Set("X-Location", path)
		return c.SendStatus(fiber.StatusNoContent)
	}
	return c.Redirect(path, fiber.StatusSeeOther)
}

// searchDeletePage asks before a search is deleted.
type searchDeletePage struct {
	Layout
	Search savedSearch
	Return string
	Dialog bool
}

func (p searchDeletePage) api() any { return nil }

// searchDeleteBody is the query and the body of that form.
type searchDeleteBody struct {
	Return string `form:"return"`
}

// deleteSearchForm asks before a search is deleted.
func (s *Server) deleteSearchForm(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var body searchDeleteBody
	if err := decodeQuery(c, &body); err != nil {
		return err
	}
	access, err := s.store.Searches(s.actor(c))
	if err != nil {
		return err
	}
	found, err := access.ByID(c.UserContext(), id)
	if err != nil {
		return err
	}
	if err := access.MayDelete(found); err != nil {
		return err
	}
	p := searchDeletePage{Layout: s.layout(c, "Delete a saved search"), Search: viewSearch(access, found, ""),
		Return: localPath(body.Return, searchesPath), Dialog: isPartial(c)}
	p.Toast = nil
	if p.Dialog {
		return s.render(c, "partials/searchdelete", p)
	}
	return s.render(c, "searchdelete", p)
}

// deleteSearch deletes a saved search.
func (s *Server) deleteSearch(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var body searchDeleteBody
	if !isAPI(c) {
		if err := decodeBody(c, &body); err != nil {
			return err
		}
	}
	access, err := s.store.Searches(s.actor(c))
	if err != nil {
		return err
	}
	deleted, err := access.Delete(c.UserContext(), id)
	switch {
	case err != nil:
		return err
	case isAPI(c):
		return sendJSON(c, deleted)
	}
	return noticed(c, localPath(body.Return, searchesPath), "search-deleted")
}
