package admin

import (
	"context"
	"errors"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/markup"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/messages"
)

func init() {
	describe("GET /messages", openapi.Method{
		Summary: "Messages. With sort=best those are first that match the words of q best, of the newest 2,000 that match",
		Query:   messagesQuery{}, Answer: store.List[store.Message]{},
	})
	describe("GET /messages/:id/history", openapi.Method{
		Summary: "Every text that a message had",
		Answer:  store.List[store.Revision]{},
	})
	describe("GET /messages/:id/thread", openapi.Method{
		Summary: "The path from the prompt down to a message, then its replies",
		Answer:  threadAnswer{},
	})
}

// messagesQuery is the query of the list of messages.
type messagesQuery struct {
	pageQuery
	conditionQuery
	Sort   string     `form:"sort" validate:"omitempty,oneof=new old best" description:"best needs a word in q"`
	Search *uuid.UUID `form:"search"` // a saved search, in place of q
}

// conditionQuery holds the conditions of a query of messages.
type conditionQuery struct {
	Q          string     `form:"q" validate:"max=2000"`
	Lang       string     `form:"lang" validate:"max=40"`
	Role       string     `form:"role" validate:"omitempty,oneof=prompter assistant"`
	User       *uuid.UUID `form:"user"`
	Tree       *uuid.UUID `form:"tree"`
	TreeState  string     `form:"tree_state" validate:"max=40"`
	Deleted    string     `form:"deleted" validate:"omitempty,oneof=exclude include only"`
	Review     string     `form:"review" validate:"omitempty,oneof=pending accepted rejected"`
	Label      string     `form:"label" validate:"max=100" description:"its mean, spam>0.5, or its votes, spam.votes>=2"`
	Toxicity   string     `form:"toxicity" validate:"max=100" description:"the toxicity that counts by the formula: >0.5"`
	Classifier string     `form:"classifier" validate:"max=200"`
	Since      *time.Time `form:"since"`
	Until      *time.Time `form:"until"`
	Has        string     `form:"has" validate:"omitempty,oneof=report red_flag edit"`
	List       *uuid.UUID `form:"list"`

	AuthorMessages string `form:"author_messages" validate:"max=40" description:"of that role and time: <=5"`
}

func (q messagesQuery) filter(actor store.Actor) (store.MessageFilter, error) {
	f, err := q.conditionQuery.filter(actor)
	f.Sort, f.Page = q.Sort, q.page()
	return f, err
}

func (q conditionQuery) filter(actor store.Actor) (store.MessageFilter, error) {
	f := store.MessageFilter{Q: q.Q, Role: q.Role, User: q.User, Tree: q.Tree,
		TreeState: q.TreeState, Deleted: q.Deleted,
		Review: q.Review, Label: q.Label, Toxicity: q.Toxicity, Classifier: q.Classifier,
		AuthorMessages: q.AuthorMessages, Since: q.Since, Until: q.Until,
		Has: q.Has, List: q.List}
	f.Lang, f.Within = languageFilter(actor, q.Lang)
	return f, knownState("tree_state", q.TreeState)
}

// knownState returns an error if a value is not a tree's state.
func knownState(parameter, state string) error {
	if state == "" || slices.Contains(store.TreeStates, state) {
		return nil
	}
	return store.BadParameter{Name: parameter,
		Malformed: store.Malformed(parameter + " is one of " + strings.Join(store.TreeStates, ", "))}
}

// found is a row of a list of messages.
type found struct {
	messageView
	Excerpt string
	Marked  template.HTML // the part of the text around what a search found
	Opens   bool          // the text is longer than the excerpt
	ByOne   bool          // all rows are by one user, whom no column names
	Selects bool          // the row has a box that selects it for a bulk act
	// Likeness is shown in a column of its own on the page of a wave; nil elsewhere.
	Likeness *float64
	More     int  // rows of the same wave that are folded below this one
	Folded   bool // the row is one of these
	// The acts in the row itself. The menu has all acts.
	Delete, Edit string
}

type messagesPage struct {
	Layout
	List      store.List[store.Message]
	Filter    messagesQuery
	Lines     []found
	Languages []Choice
	Limited   *Limited
	Roles     []Choice
	Deleteds  []Choice
	Reviews   []Choice
	Has       []Choice
	States    []Choice
	Sorts     []Choice
	Of        string // the author or the tree that the list is limited to
	OnList    *listView
	AddAll    string // the form that adds all that the filter finds to a list
	Save      string // the form that saves the search; empty if there is nothing to save
	Saved     []savedSearch
	Sorted    column
	Pager     Pager
	CSV       string
	Bulk      *bulkMenu // acts on many of them; nil for none
}

func (p messagesPage) api() any { return p.List }

func (p messagesPage) csv() (header []string, rows [][]string) { return messageCSV(p.List.Items) }

// Groups returns the rows, those of one wave together.
func (p messagesPage) Groups() []waveRows { return waveGroups(p.Lines) }

// Filtered reports whether the list leaves out more than the deleted messages.
func (p messagesPage) Filtered() bool {
	f := p.Filter
	return f.Q != "" || f.Lang != "" && f.Lang != ownLanguages || f.Role != "" || f.User != nil || f.Tree != nil ||
		f.Review != "" || f.List != nil || f.Deleted == "only" || p.MoreFiltered()
}

// MoreFiltered reports whether one of the folded filters is set.
func (p messagesPage) MoreFiltered() bool {
	f := p.Filter
	return f.TreeState != "" || f.Label != "" || f.Toxicity != "" || f.Classifier != "" || f.AuthorMessages != "" ||
		f.Since != nil || f.Until != nil || f.Has != ""
}

// Carry returns the parameters that the filters' form sends along.
func (p messagesPage) Carry() []Choice { return carried(p.Query, "user", "tree", "list") }

// SinceValue returns the value of the form's field of the same name.
func (p messagesPage) SinceValue() string { return fieldTime(p.Filter.Since) }

// UntilValue returns the value of the form's field of the same name.
func (p messagesPage) UntilValue() string { return fieldTime(p.Filter.Until) }

func fieldTime(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.UTC().Format("2006-01-02T15:04")
}

// messages searches all messages.
func (s *Server) messages(c *fiber.Ctx) error {
	var q messagesQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	q.Lang = defaultLanguage(c, q.Lang)
	asked := q.Sort
	if sent, err := s.openSearch(c, &q); sent || err != nil {
		return err
	}
	if q.Sort == messages.Best && !messages.Ranks(q.Q) && !isAPI(c) && !wantsCSV(c) {
		q.Sort, q.Cursor = "", "" // somebody cleared the words
	}
	f, err := q.filter(s.actor(c))
	if err != nil {
		return err
	}
	actor := s.actor(c)
	if wantsCSV(c) {
		if q.Sort == messages.Best {
			return errRankedFile
		}
		return s.sendCSV(c, "messages", func(ctx context.Context, page store.Page) (listPage, *string, error) {
			f.Page = page
			list, err := s.store.Messages(ctx, actor, f)
			return messagesPage{List: list}, list.Next, err
		})
	}
	if !isAPI(c) {
		f.TextLimit = shownText + 1
	}
	list, err := s.store.Messages(c.UserContext(), actor, f)
	if err != nil {
		return err
	}
	if err := s.setWaves(c.UserContext(), actor, list.Items); err != nil {
		return err
	}
	p := messagesPage{List: list, Filter: q}
	if isAPI(c) {
		return s.render(c, "messages", p)
	}
	p.Layout = s.layout(c, "Messages")
	p.Limited = p.limited(q.Lang)
	languages, err := s.store.Languages(c.UserContext())
	if err != nil {
		return err
	}
	p.Languages = p.languages(languages, q.Lang)
	p.Roles = choices(q.Role, "", "Any role", "prompter", "Prompter", "assistant", "Assistant")
	p.Deleteds = choices(q.Deleted, "", "Not deleted", "include", "Include deleted", "only", "Only deleted")
	p.Reviews = choices(q.Review, "", "Any review", "pending", "Under review", "accepted", "Accepted", "rejected", "Spam")
	p.Has = choices(q.Has, "", "Anything", "report", "A report", "red_flag", "A red flag", "edit", "An edit")
	p.States = stateChoices(q.TreeState)
	p.setSort(asked)
	p.Pager = p.pager(list.Prev, list.Next, "")
	t := newPresenter(p.Person, hereWithout(c, "done", "notice"))
	for _, m := range list.Items {
		p.Lines = append(p.Lines, t.found(m))
	}
	if q.User != nil {
		if p.Of, err = s.nameOf(c, *q.User); err != nil {
			return err
		}
	}
	if err := s.joinLists(c, &p); err != nil {
		return err
	}
	p.selectable(hereWithout(c, "done", "notice"))
	if err := s.joinSearches(c, &p); err != nil {
		return err
	}
	return s.render(c, "messages", p)
}

// errRankedFile refuses a file of the best: it would lack rows, and could not say so.
var errRankedFile = store.Invalid{"sort": "A file has all rows that the filter finds, and sort=best ranks only the " +
	"newest of them: choose new or old."}

// setSort shows how the list is sorted, and what else there is. The sort that was asked for
// may be another one: without a word in the line there is nothing to rank by.
func (p *messagesPage) setSort(asked string) {
	sort := p.Filter.Sort
	if sort == "" {
		p.Query.Del("sort")
	}
	chosen, options := sort, []string{"", "Newest first", "old", "Oldest first"}
	if chosen == "new" {
		chosen = ""
	}
	wrong := p.Fault("q") != nil // it is corrected next, and keeps its sort
	if wrong && asked == messages.Best {
		chosen = asked
	}
	if wrong || messages.Ranks(p.Filter.Q) {
		options = append(options, messages.Best, "Best match")
	}
	p.Sorts = choices(chosen, options...)
	p.CSV = mustQuery(p.Query, "format", "csv", "cursor", "")
	p.Sorted = column{Title: "Date", Sort: "descending", Link: mustQuery(p.Query, "sort", "old")}
	switch sort {
	case "old":
		p.Sorted.Sort, p.Sorted.Link = "ascending", mustQuery(p.Query, "sort", "")
	case messages.Best:
		p.Sorted.Sort, p.Sorted.Link = "none", mustQuery(p.Query, "sort", "")
		p.CSV = mustQuery(p.Query, "format", "csv", "cursor", "", "sort", "")
	}
}

// nameOf returns the name of the user that a filter names, or "" if there is no
// such user. The list is empty then.
func (s *Server) nameOf(c *fiber.Ctx, id uuid.UUID) (string, error) {
	user, err := s.userInForce(c, id)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return named(user.DisplayName, user.UserID), err
}

// tableExcerpt is the length of a text in a table of messages, in characters.
const tableExcerpt = 140

func (t messagePresenter) found(m store.Message) found {
	line := found{messageView: t.view(m), Excerpt: markup.Excerpt(m.Text, tableExcerpt)}
	line.Opens = line.Excerpt != strings.TrimSpace(m.Text) || strings.ContainsAny(m.Text, "*_`#[<|")
	if len(m.Marks) > 0 {
		var spans []markup.Span
		for _, s := range m.Marks {
			spans = append(spans, markup.Span{Start: s.Start, End: s.End})
		}
		line.Marked, _ = markup.Around(m.Text, spans, tableExcerpt)
		line.Opens = true // the part may be in the middle
	}
	if t.may[policy.MessageDelete] {
		line.Delete = ActPath("message", m.MessageID, "delete", t.placeOf(m.MessageID))
		if m.Deleted {
			line.Delete = ActPath("message", m.MessageID, "undelete", t.placeOf(m.MessageID))
		}
	}
	if t.may[policy.MessageEdit] {
		line.Edit = ActPath("message", m.MessageID, "edit", t.placeOf(m.MessageID))
	}
	return line
}

type historyPage struct {
	Layout
	Message   store.MessageDetail
	Revisions []revisionView
}

// revisionView is a text that a message had, with its changes.
type revisionView struct {
	store.Revision
	Number int
	Body   template.HTML
	Diff   []markup.Piece // from the text before; nil for the first
	Latest bool
}

// Tag returns the message's language for a lang attribute.
func (p historyPage) Tag() string { return langTag(p.Message.Lang) }

// Hidden returns the scores for which the texts are hidden from this person.
func (p historyPage) Hidden() []contentWarning { return hiddenFrom(p.Person, p.Message.Message) }

func (p historyPage) api() any {
	return store.List[store.Revision]{Items: orNone(p.Message.Revisions)}
}

// history shows every text that a message had, the newest first.
func (s *Server) history(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var p historyPage
	if p.Message, err = s.store.Message(c.UserContext(), s.actor(c), id); err != nil {
		return err
	}
	if isAPI(c) {
		return s.render(c, "history", p)
	}
	p.Layout = s.layout(c, "History of a message")
	for i, r := range p.Message.Revisions {
		view := revisionView{Revision: r, Number: i + 1, Body: markup.HTML(r.Text), Latest: i == len(p.Message.Revisions)-1}
		if i > 0 {
			view.Diff = markup.Diff(p.Message.Revisions[i-1].Text, r.Text)
		}
		p.Revisions = append(p.Revisions, view)
	}
	slices.Reverse(p.Revisions)
	return s.render(c, "history", p)
}

// orNone replaces a nil list by an empty one, which JSON writes as [].
func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// threadAnswer is the path from the prompt to a message, and the message's
// replies: each as a list of its own, and both as one list in that order.
type threadAnswer struct {
	store.List[store.Message]
	Path    []store.Message `json:"path"`
	Replies []store.Message `json:"replies"`
}

// thread answers the API with a message's thread. Its page is the message's.
func (s *Server) thread(c *fiber.Ctx) error {
	if !isAPI(c) {
		return s.message(c)
	}
	id, err := pathID(c)
	if err != nil {
		return err
	}
	path, replies, err := s.store.Thread(c.UserContext(), s.actor(c), id)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(threadAnswer{store.List[store.Message]{Items: slices.Concat(path, replies)}, path, orNone(replies)})
}
