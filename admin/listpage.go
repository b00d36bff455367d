package admin

import (
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/markup"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/jobs"
	"treewarden/store/lists"
)

// itemsPage is the page of a list, with its items.
type itemsPage struct {
	Layout
	List      listView
	Items     store.List[lists.Item]
	Filter    itemsQuery
	Lines     []itemLine
	States    []stateTab
	Languages []Choice
	MayEdit   bool
	MayApply  bool
	Jobs      []jobs.Job // the work on the list that has not ended
	Here      string
	Pager     Pager
	Exports   []Choice // links, by format
}

func (p itemsPage) api() any { return p.List.List }

// Filtered reports whether the page leaves out items of the list.
func (p itemsPage) Filtered() bool {
	return p.Filter.State != "" || p.Filter.Lang != "" || p.Filter.Q != ""
}

// Carry returns the parameters that the filters' form sends along.
func (p itemsPage) Carry() []Choice { return carried(p.Query, "state") }

// Stale reports whether items were added or removed since the last audit.
func (p itemsPage) Stale() bool {
	total := int64(0)
	for _, n := range p.List.LastCounts {
		total += n
	}
	return p.List.LastAudit != nil && total != p.List.Items
}

// stateBadges holds the badges of the states of items.
var stateBadges = map[string]badge{
	lists.Present:      {"Present", "ok", "None of the other states applies"},
	lists.Deleted:      {"Deleted", "bad", "The message is deleted"},
	lists.EditedSince:  {"Edited since", "warn", "The text has changed since the message was put on the list"},
	lists.Halted:       {"Tree stopped", "info", "The tree of the message is stopped"},
	lists.AuthorBanned: {"Author banned", "info", "The author of the message is banned"},
	lists.Missing:      {"Missing", "warn", "No message here has this id"},
}

// tabStates lists the states in the order of the tabs.
var tabStates = []string{lists.Present, lists.Deleted, lists.EditedSince, lists.Halted, lists.AuthorBanned,
	lists.Missing}

// stateTab links the items of one state, with their number at the last audit.
type stateTab struct {
	Link, Title, Hint string
	Count             int64
	Counted           bool // not before the first audit
	Current           bool
}

func (p itemsPage) stateTabs() []stateTab {
	all := []stateTab{{Link: mustQuery(p.Query, "state", ""), Title: "All", Hint: "All items of the list",
		Count: p.List.Items, Counted: true, Current: p.Filter.State == ""}}
	for _, state := range tabStates {
		b := stateBadges[state]
		all = append(all, stateTab{Link: mustQuery(p.Query, "state", state), Title: b.Text, Hint: b.Hint,
			Count: p.List.LastCounts[state], Counted: p.List.LastAudit != nil, Current: p.Filter.State == state})
	}
	return all
}

// itemLine is an item as a row of the page.
type itemLine struct {
	lists.Item
	Message *found // nil if no message has this id
	Badge   badge
	Why     string         // what led to the state, where no action did
	Diff    []markup.Piece // from the text when it was added to the text now
	Partly  bool           // Diff compares only the beginnings of the texts
	Lost    bool           // the text was edited, and the former one is not kept
	By      string         // the author
}

// itemLines joins items with their messages.
func (t messagePresenter) itemLines(items []lists.Item, messages map[uuid.UUID]store.Message) []itemLine {
	lines := make([]itemLine, len(items))
	for i, item := range items {
		line := itemLine{Item: item, Badge: stateBadges[item.State]}
		if m, ok := messages[item.MessageID]; ok {
			m.Marks = item.Marks
			message := t.found(m)
			line.Message, line.By = &message, message.Author
		}
		switch {
		case (item.State == lists.Deleted || item.State == lists.Halted) && item.Action == nil:
			line.Why = "before its import"
		case item.State == lists.EditedSince && item.TextBefore != nil && item.Text != nil:
			before, cutBefore := beginning(*item.TextBefore)
			now, cutNow := beginning(*item.Text)
			line.Diff, line.Partly = markup.Diff(before, now), cutBefore || cutNow
		case item.State == lists.EditedSince:
			line.Lost = true
		}
		lines[i] = line
	}
	return lines
}

// listItems answers the API with the items of a list. It shows the list with its
// items on a page, or sends the items as a file.
func (s *Server) listItems(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var q itemsQuery
	var export exportQuery
	into := []any{&q, &export}
	if isAPI(c) {
		into = into[:1] // a page's parameter
	}
	if err := decodeQuery(c, into...); err != nil {
		return err
	}

	ctx, actor := c.UserContext(), s.actor(c)
	if isAPI(c) {
		found, err := s.store.ListItems(ctx, actor, id, q.filter())
		if err != nil {
			return err
		}
		return sendJSON(c, found)
	}
	list, err := s.store.ListByID(ctx, actor, id)
	if err != nil {
		return err
	}
	if export.Format != "" {
		return s.exportItems(c, list, q.filter(), export.Format)
	}
	p := itemsPage{List: viewList(list), Filter: q}
	beginnings := q.filter()
	beginnings.TextLimit = shownText + 1
	if p.Items, err = s.store.ListItems(ctx, actor, id, beginnings); err != nil {
		return err
	}
	messages, err := s.store.MessagesNamed(ctx, actor, itemIDs(p.Items.Items))
	if err != nil {
		return err
	}
	if p.Jobs, err = s.store.ListJobs(ctx, actor, id); err != nil {
		return err
	}
	languages, err := s.store.Languages(ctx)
	if err != nil {
		return err
	}
	p.Layout = s.layout(c, "List "+excerpt(list.Name, 60))
	p.Here = hereWithout(c, "done", "notice")
	p.MayEdit = p.Person.May(policy.ListEdit) && !list.Archived
	p.MayApply = p.Person.May(policy.ListApply) && !list.Archived && list.Items > 0 && mayApply(list) == nil
	p.Lines = newPresenter(p.Person, p.Here).itemLines(p.Items.Items, messages)
	p.States, p.Languages = p.stateTabs(), languageChoices(languages, q.Lang)
	p.Exports = p.exportLinks()
	p.Pager = p.pager(p.Items.Prev, p.Items.Next, "")
	return s.render(c, "list", p)
}

// auditListBody is the form that audits a list.
type auditListBody struct {
	Return string `form:"return"`
}

// auditListNow audits a list for its page.
func (s *Server) auditListNow(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var body auditListBody
	if err := decodeBody(c, &body); err != nil {
		return err
	}
	if _, err := s.store.AuditList(c.UserContext(), s.actor(c), id); err != nil {
		return err
	}
	back := localPath(body.Return, listsPath+"/"+id.String())
	return c.Redirect(withQuery(back, "notice", "audited"), fiber.StatusSeeOther)
}

// removeItemsBody is the form that removes items of a list.
type removeItemsBody struct {
	Items  []uuid.UUID `form:"item"`
	Return string      `form:"return"`
}

// removeItemsNow removes the item of a row, or those that are selected.
func (s *Server) removeItemsNow(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var body removeItemsBody
	if err := decodeBody(c, &body); err != nil {
		return err
	}
	if _, err := s.store.ListByID(c.UserContext(), s.actor(c), id); err != nil {
		return err
	}
	if len(body.Items) == 0 {
		return store.Invalid{"item": "Select at least one message."}
	}
	outcome, err := s.store.Act(c.UserContext(), s.actor(c),
		store.Act{Kind: "remove_from_list", Target: id, Params: store.RemoveParams{Items: body.Items}})
	if err != nil {
		return err
	}
	return done(c, localPath(body.Return, listsPath+"/"+id.String()), outcome.Action)
}
