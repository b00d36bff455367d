package admin

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"treewarden/policy"
	"treewarden/store"
)

// Layout holds what every page has around it. A page's struct embeds one.
type Layout struct {
	Title    string
	Person   store.Person
	SignedIn bool
	Path     string     // without the query
	Query    url.Values // as asked
	Faults   []filterFault
	Nav      []NavItem
	Toast    *Toast
	Now      time.Time
	Version  string
	Refresh  int // seconds after which a browser without scripts reads the page again; 0: never
}

// page is what a handler passes to render. It embeds a Layout. Its method api
// returns the answer of the API in place of the page.
type page interface {
	api() any
}

// listPage is a page with rows that can be exported as CSV.
type listPage interface {
	page
	csv() (header []string, rows [][]string)
}

// NavItem is one entry of the navigation.
type NavItem struct {
	Title   string
	Path    string
	Icon    string
	Key     string // the key that opens it after "g"
	Group   string // the heading above it
	Current bool
}

// Toast is a notice of what the person just did, with a button for its undo.
type Toast struct {
	Text   string
	Undo   int64  // the action that a button undoes; 0: none
	Action int64  // the action to look at; 0: none
	Return string // where the button returns to
}

// pages lists the entries of the navigation with their permissions.
var pages = []struct {
	title, path, icon, key string
	permission             policy.Permission
	group                  string
}{
	{"Home", "/", "home", "h", policy.Read, ""},
	{"Queue", queuePath, "flag", "q", policy.Read, ""},
	{"Trollboard", "/trollboard", "board", "t", policy.Read, ""},
	{"Users", "/users", "users", "u", policy.Read, ""},
	{"Messages", "/messages", "message", "m", policy.Read, ""},
	{"Trees", "/trees", "tree", "r", policy.Read, ""},
	{"Lists", listsPath, "list", "l", policy.ListRead, ""},
	{"Insights", insightsPath, "chart", "i", policy.Read, ""},
	{"Exports", exportsPath, "download", "e", policy.Export, ""},
	{"Audit log", "/audit", "audit", "a", policy.AuditOwn, ""},
	{"Scoring", scoringPath, "weights", "s", policy.ScoringRead, "Settings"},
	{"Classifiers", classifiersPath, "label", "c", policy.ScoringRead, "Settings"},
	{"Queue order", priorityPath, "list", "o", policy.ScoringRead, "Settings"},
	{"Roles", rolesPath, "shield", "p", policy.PolicyManage, "Settings"},
	{"Staff", staffPath, "staff", "f", policy.StaffManage, "Settings"},
	{"API keys", keysPath, "key", "k", policy.KeyManage, "Settings"},
}

// layout makes the layout of a page.
func (s *Server) layout(c *fiber.Ctx, title string) Layout {
	request := current(c)
	layout := Layout{
		Title: title, Person: request.Person, SignedIn: request.SignedIn, Path: c.Path(),
		Query: query(c), Faults: request.Faults, Now: time.Now(), Version: s.Version,
	}
	if !layout.SignedIn {
		return layout
	}
	group := ""
	for _, p := range pages {
		if !layout.Person.May(p.permission) {
			continue
		}
		inside := c.Path() == p.path || p.path != "/" && strings.HasPrefix(c.Path(), p.path+"/") ||
			p.path == listsPath && strings.HasPrefix(c.Path(), samplesPath) ||
			p.path == "/messages" && (strings.HasPrefix(c.Path(), wavesPath) || strings.HasPrefix(c.Path(), searchesPath))
		item := NavItem{Title: p.title, Path: p.path, Icon: p.icon, Key: p.key, Current: inside}
		if p.group != group {
			item.Group = p.group
		}
		group = p.group
		layout.Nav = append(layout.Nav, item)
	}
	layout.Toast = s.toast(c, layout.Person)
	return layout
}

// notices holds the texts that a page may show after a redirect, by the name in
// the query. The text never comes from the request.
var notices = map[string]string{
	"password":   "Your password was changed. Your other sessions were ended.",
	"display":    "Your settings were saved.",
	"session":    "The session was ended.",
	"signed-out": "You are signed out.",
	"nothing":    "Nothing had to be changed.",
	"audited":    "The list was audited.",
	"retried":    "The messages are queued again.",

	"search-saved":   "The search was saved.",
	"search-deleted": "The search was deleted.",
}

// toast returns the notice that the redirect to this page named.
func (s *Server) toast(c *fiber.Ctx, person store.Person) *Toast {
	if text, ok := notices[c.Query("notice")]; ok {
		return &Toast{Text: text}
	}
	id, ok := actionID(c.Query("done"))
	if !ok {
		return nil
	}
	action, err := s.store.Action(c.UserContext(), person.Actor, id, person.UserID)
	// Show it only to the person who acted, and only for a short time.
	if err != nil || action.ActorName != person.Name || time.Since(action.At) > 15*time.Minute {
		return nil
	}
	return s.toastOf(c, action, localPath(hereWithout(c, "done"), "/"))
}

// toastOf returns the notice of an action that the person just took. Its buttons
// return to a path.
func (s *Server) toastOf(c *fiber.Ctx, action store.Action, back string) *Toast {
	person := s.person(c)
	if err := s.quote(c, &action); err != nil {
		s.Log.Warn("the message of a notice could not be read", "error", err) // the sentence has no quotation then
	}
	toast := &Toast{Text: s.sentence(action) + touched(action.Affected), Action: action.ID, Return: back}
	if action.Undoable && action.UndoneBy == nil && mayUndo(person, action) {
		toast.Undo = action.ID
		if action.Kind == "create_list" { // its undo removes the page
			toast.Return = listsPath
		}
	}
	return toast
}

// render answers with a page: as JSON below /api/v1, else as HTML.
func (s *Server) render(c *fiber.Ctx, name string, p page) error {
	return s.renderStatus(c, fiber.StatusOK, name, p)
}

func (s *Server) renderStatus(c *fiber.Ctx, status int, name string, p page) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Vary(fiber.HeaderCookie, fiber.HeaderAuthorization)
	c.Status(status)
	if isAPI(c) {
		return c.JSON(p.api())
	}
	if err := c.Render(name, p); err != nil {
		c.Response().ResetBody()
		return fmt.Errorf("render %s: %w", name, err)
	}
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return nil
}

// isAPI reports whether a request is for the API.
func isAPI(c *fiber.Ctx) bool { return strings.HasPrefix(c.Path(), apiPrefix+"/") }

// isPartial reports whether a script on a page sent the request. The script
// shows the answer in place.
func isPartial(c *fiber.Ctx) bool { return c.Get("X-Partial") == "dialog" }

// Pager is the argument of partials/pager. The links lead to the neighbouring
// pages of the same list.
type Pager struct {
	Prev, Next string // empty at the ends
	Note       string // the text at the left, such as "as of"
}

// pager makes the links of a list from its cursors.
func (f Layout) pager(prev, next *string, note string) Pager {
	p := Pager{Note: note}
	link := func(cursor *string) string {
		if cursor == nil {
			return ""
		}
		address, err := changeQuery(f.Query, "cursor", *cursor)
		if err != nil {
			return ""
		}
		return address
	}
	p.Prev, p.Next = link(prev), link(next)
	return p
}
