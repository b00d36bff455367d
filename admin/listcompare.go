package admin

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/store"
	"treewarden/store/lists"
)

// comparePage compares a list with another one, or with what staff deleted.
type comparePage struct {
	Layout
	List       listView
	With       []Choice
	OtherList  *listView // nil for what staff deleted
	Comparison lists.Comparison
	Parts      []comparePart
	More       bool // there are more lists than the form shows
}

func (p comparePage) api() any { return p.Comparison }

// comparePart is one part of a comparison, with the first of its messages.
type comparePart struct {
	ID, Title, Empty string
	Count            int64
	Lines            []compareLine
	Pager            Pager
	Exports          []Choice // links, by format
}

// compareLine is an id, with its message if it is here.
type compareLine struct {
	MessageID uuid.UUID
	Message   *found
}

// shownCompared is the number of ids that the page shows of each part.
const shownCompared = 10

// other reads the parameter with: the id of a list, or deleted.
func (q compareQuery) other() (lists.Other, error) {
	with := strings.TrimSpace(q.With)
	if with == "" || with == "deleted" {
		return lists.Other{Deleted: true}, nil
	}
	id, ok := parseID(with)
	if !ok {
		return lists.Other{}, store.Malformed("with is the id of a list, or deleted.")
	}
	return lists.Other{List: id}, nil
}

// listCompare compares a list with another one, or with what staff deleted.
func (s *Server) listCompare(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var q compareQuery
	var export compareExport
	into := []any{&q, &export}
	if isAPI(c) {
		into = into[:1] // a page's parameters
	}
	if err := decodeQuery(c, into...); err != nil {
		return err
	}
	with, err := q.other()
	if err != nil {
		return err
	}
	if export.Format != "" {
		return s.exportComparison(c, id, with, export)
	}
	page := q.page()
	if page.Limit == 0 && !isAPI(c) {
		page.Limit = shownCompared
	}
	var p comparePage
	if p.Comparison, err = s.store.CompareList(c.UserContext(), s.actor(c), id, with, page); err != nil {
		return err
	}
	if !isAPI(c) {
		if err := s.showComparison(c, &p, id, with); err != nil {
			return err
		}
	}
	return s.render(c, "listcompare", p)
}

// showComparison collects what only the page of a comparison shows.
func (s *Server) showComparison(c *fiber.Ctx, p *comparePage, id uuid.UUID, with lists.Other) error {
	ctx, actor := c.UserContext(), s.actor(c)
	list, err := s.store.ListByID(ctx, actor, id)
	if err != nil {
		return err
	}
	p.List = viewList(list)
	p.Layout = s.layout(c, "Compare "+excerpt(list.Name, 60))
	other := "deleted by staff"
	if !with.Deleted {
		second, err := s.store.ListByID(ctx, actor, with.List)
		if err != nil {
			return err
		}
		view := viewList(second)
		p.OtherList, other = &view, "on the other list"
	}
	all, err := s.store.Lists(ctx, actor, lists.Filter{Page: store.Page{Limit: shownLists}})
	if err != nil {
		return err
	}
	p.More = all.Next != nil
	p.With = []Choice{{"deleted", "All messages that staff deleted", with.Deleted}}
	found := with.Deleted
	for _, l := range all.Items {
		if l.ListID != id {
			p.With = append(p.With, Choice{l.ListID.String(), listChoice(l), l.ListID == with.List})
			found = found || l.ListID == with.List
		}
	}
	if !found {
		p.With = append(p.With, Choice{with.List.String(), listChoice(p.OtherList.List), true})
	}
	p.Parts = []comparePart{
		p.part(lists.Both, "On this list and "+other, p.Comparison.Both),
		p.part(lists.OnlyThis, "Only on this list", p.Comparison.OnlyThis),
		p.part(lists.OnlyOther, "Only "+other, p.Comparison.OnlyOther),
	}
	return s.nameCompared(c, p)
}

func (p *comparePage) part(id, title string, ids lists.IDs) comparePart {
	part := comparePart{ID: id, Title: title, Count: ids.Count, Pager: p.pager(ids.IDs.Prev, ids.IDs.Next, "")}
	for _, id := range ids.IDs.Items {
		part.Lines = append(part.Lines, compareLine{MessageID: id})
	}
	for _, f := range idFormats {
		link := mustQuery(p.Query, "format", f.name, "part", id, "cursor", "", "limit", "")
		part.Exports = append(part.Exports, Choice{Text: f.title, Value: link})
	}
	return part
}

// nameCompared reads the messages of a comparison that are here.
func (s *Server) nameCompared(c *fiber.Ctx, p *comparePage) error {
	var ids []uuid.UUID
	for _, part := range p.Parts {
		for _, line := range part.Lines {
			ids = append(ids, line.MessageID)
		}
	}
	messages, err := s.store.MessagesNamed(c.UserContext(), s.actor(c), ids)
	t := newPresenter(p.Person, hereWithout(c, "done", "notice"))
	for _, part := range p.Parts {
		for i, line := range part.Lines {
			if m, ok := messages[line.MessageID]; ok {
				message := t.found(m)
				part.Lines[i].Message = &message
			}
		}
	}
	return err
}

// shownLists is the number of lists that a field of choices shows.
const shownLists = 200

// listChoice is a list as a field of choices shows it.
func listChoice(l lists.List) string {
	return excerpt(named(l.Name), 80) + " (" + strings.ToLower(kindBadges[l.Kind].Text) + ", " +
		counted(l.Items, "item") + ")"
}
