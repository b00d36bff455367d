package admin

import (
	"crypto/rand"
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/lists"
)

// choosePath is the path of the form that adds a message, or the messages that a
// filter finds, to a list that the person chooses.
const choosePath = listsPath + "/choose"

// chooseBody is the query and the body of the form: a message, or a filter.
type chooseBody struct {
	conditionQuery
	Message *uuid.UUID `form:"message"`
	To      *uuid.UUID `form:"to"`
	Note    string     `form:"note" validate:"max=500"`
	Reason  string     `form:"reason"`
	Return  string     `form:"return"`
	Key     string     `form:"key" validate:"max=100"`
	All     bool       `form:"all"` // confirms that all messages are meant, if the filter is empty
}

// Everything reports whether a filter leaves no message out but deleted ones.
func (b chooseBody) Everything() bool {
	q := b.conditionQuery
	q.Q, q.Deleted = strings.TrimSpace(q.Q), strings.TrimSuffix(strings.TrimSuffix(q.Deleted, "include"), "exclude")
	return b.Message == nil && q == (conditionQuery{})
}

// choosePage is the form, as a page of its own or in a dialog.
type choosePage struct {
	Layout
	Body      chooseBody
	Carried   []Choice // the message or the filter
	Lists     []Choice
	MoreLists bool
	Message   *found // nil for a filter, and for an id without a message
	Count     int64  // of the messages that the filter finds
	Return    string
	Key       string
	Wrong     store.Invalid
	Dialog    bool
}

func (p choosePage) api() any { return nil }

// Elsewhere returns the errors of fields that the form does not show.
func (p choosePage) Elsewhere() string {
	if p.Body.Message != nil {
		return elsewhere(p.Wrong, "to", "note")
	}
	return elsewhere(p.Wrong, "to", "reason", "all")
}

// TooMany reports whether the filter finds more messages than an action adds.
func (p choosePage) TooMany() bool { return p.Count > store.MaxListItems }

// MayAdd reports whether there is something to add, and a list to add it to.
func (p choosePage) MayAdd() bool {
	return len(p.Lists) > 0 && (p.Body.Message != nil || p.Count > 0 && !p.TooMany())
}

// filterNames lists the parameters of a filter of messages.
var filterNames = fieldNames(reflect.TypeFor[conditionQuery]())

// choosePage collects the form.
func (s *Server) choosePage(c *fiber.Ctx, body chooseBody, values url.Values) (choosePage, error) {
	p := choosePage{Layout: s.layout(c, "Add to list"), Body: body, Key: rand.Text(), Dialog: isPartial(c)}
	p.Toast = nil
	ctx, actor := c.UserContext(), s.actor(c)
	if body.Message != nil {
		p.Return = localPath(body.Return, "/messages/"+body.Message.String())
		p.Carried = carried(values, "message")
		messages, err := s.store.MessagesNamed(ctx, actor, []uuid.UUID{*body.Message})
		if err != nil {
			return p, err
		}
		if m, ok := messages[*body.Message]; ok {
			message := newPresenter(p.Person, p.Return).found(m)
			p.Message = &message
		}
	} else {
		p.Return = localPath(body.Return, "/messages")
		p.Carried = carried(values, filterNames...)
		f, err := body.filter(s.actor(c))
		if err != nil {
			return p, err
		}
		if p.Count, err = s.store.CountMessages(ctx, actor, f); err != nil {
			return p, err
		}
	}
	return p, s.chooseLists(c, &p)
}

// chooseLists collects the lists to choose from: those that the person used last,
// then the newest.
func (s *Server) chooseLists(c *fiber.Ctx, p *choosePage) error {
	ctx, actor := c.UserContext(), s.actor(c)
	all, err := s.store.Lists(ctx, actor, lists.Filter{Page: store.Page{Limit: shownLists}})
	if err != nil {
		return err
	}
	used, err := s.usedLists(c)
	if err != nil {
		return err
	}
	rank := func(l lists.List) int {
		if i := slices.Index(used, l.ListID.String()); i >= 0 {
			return i
		}
		return len(used)
	}
	slices.SortStableFunc(all.Items, func(a, b lists.List) int { return rank(a) - rank(b) })
	p.MoreLists = all.Next != nil
	for i, l := range all.Items {
		chosen := i == 0 && rank(l) == 0 && len(used) > 0
		if p.Body.To != nil {
			chosen = l.ListID == *p.Body.To
		}
		p.Lists = append(p.Lists, Choice{l.ListID.String(), listChoice(l), chosen})
	}
	return nil
}

// recentAdditions is the number of the person's last additions that order the
// lists to choose from.
const recentAdditions = 30

// usedLists returns the ids of the lists to which the person added last.
func (s *Server) usedLists(c *fiber.Ctx) (ids []string, err error) {
	person := s.person(c)
	if !person.May(policy.AuditOwn) && !person.May(policy.AuditAll) {
		return nil, nil
	}
	actions, err := s.store.Actions(c.UserContext(), person.Actor, store.ActionFilter{
		Actor: &person.UserID, Kind: "add_to_list", Page: store.Page{Limit: recentAdditions}})
	for _, action := range actions.Items {
		if !slices.Contains(ids, action.TargetID) {
			ids = append(ids, action.TargetID)
		}
	}
	return ids, err
}

func (s *Server) renderChoose(c *fiber.Ctx, status int, p choosePage) error {
	if p.Dialog {
		return s.renderStatus(c, status, "partials/listchoose", p)
	}
	return s.renderStatus(c, status, "listchoose", p)
}

// chooseForm shows the form.
func (s *Server) chooseForm(c *fiber.Ctx) error {
	var body chooseBody
	if err := decodeQuery(c, &body); err != nil {
		return err
	}
	p, err := s.choosePage(c, body, query(c))
	if err != nil {
		return err
	}
	return s.renderChoose(c, fiber.StatusOK, p)
}

// addToChosen adds a message, or the messages that a filter finds, to the chosen
// list.
func (s *Server) addToChosen(c *fiber.Ctx) error {
	values, err := formValues(c)
	if err != nil {
		return err
	}
	var body chooseBody
	wrong := store.Invalid(fillAll(values, []any{&body}))
	if len(wrong) == 0 && body.To == nil {
		wrong = store.Invalid{"to": "Choose a list."}
	}
	if len(wrong) == 0 && body.Everything() && !body.All {
		wrong = store.Invalid{"all": "Confirm that you mean all messages, or go back and set a filter."}
	}
	if len(wrong) > 0 {
		return s.chooseRefused(c, body, values, wrong)
	}
	var params store.AddParams
	back := "/messages"
	if body.Message != nil {
		back += "/" + body.Message.String()
		params.Items = []store.NewItem{{MessageID: *body.Message, Note: body.Note}}
	} else {
		f, err := body.filter(s.actor(c))
		if err != nil {
			return err
		}
		params.Filter = &f
	}
	key, err := idempotencyKey(c, body.Key)
	if err != nil {
		return err
	}
	outcome, _, err := s.store.AddToList(c.UserContext(), s.actor(c), *body.To, params, body.Reason, key)
	if errors.As(err, &wrong) {
		return s.chooseRefused(c, body, values, wrong)
	}
	if err != nil {
		return err
	}
	return done(c, localPath(body.Return, back), outcome.Action)
}

// chooseRefused shows the form again, with what was typed and its errors.
func (s *Server) chooseRefused(c *fiber.Ctx, body chooseBody, values url.Values, wrong store.Invalid) error {
	p, err := s.choosePage(c, body, values)
	if err != nil {
		return errors.Join(wrong, err)
	}
	p.Wrong = wrong
	return s.renderChoose(c, fiber.StatusUnprocessableEntity, p)
}

// joinLists names the list that the messages are limited to, and links the form
// that adds them to a list.
func (s *Server) joinLists(c *fiber.Ctx, p *messagesPage) error {
	if id := p.Filter.List; id != nil && p.Person.May(policy.ListRead) {
		list, err := s.store.ListByID(c.UserContext(), s.actor(c), *id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil {
			view := viewList(list)
			p.OnList = &view
		}
	}
	if p.Person.May(policy.ListEdit) && p.Filtered() && len(p.Lines) > 0 {
		values := url.Values{"return": {hereWithout(c, "done", "notice")}}
		for _, choice := range carried(p.Query, filterNames...) {
			values.Set(choice.Text, choice.Value)
		}
		p.AddAll = choosePath + "?" + values.Encode()
	}
	return nil
}

// shownOnLists is the number of lists that a message's page names.
const shownOnLists = 50

// listsWith returns the lists that a message is on, if the person may see lists.
func (s *Server) listsWith(c *fiber.Ctx, message uuid.UUID) ([]listView, error) {
	person := s.person(c)
	if !person.May(policy.ListRead) {
		return nil, nil
	}
	found, err := s.store.Lists(c.UserContext(), person.Actor,
		lists.Filter{Message: &message, Archived: "include", Page: store.Page{Limit: shownOnLists}})
	views := make([]listView, len(found.Items))
	for i, list := range found.Items {
		views[i] = viewList(list)
	}
	return views, err
}
