package admin

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/corpus"
	"treewarden/store"
	"treewarden/store/lists"
)

func init() {
	text := object{"schema": object{"type": "string",
		"description": "message ids as people paste them, or as Excel saves them"}}
	describe("POST /lists/:id/items", openapi.Method{
		Summary: "Add messages to a list, by their ids, as text or CSV, or by a filter",
		Body:    itemsBody{}, Lines: object{"text/plain": text, "text/csv": text}, Answer: itemsAnswer{},
	})
	describe("DELETE /lists/:id/items", openapi.Method{
		Summary: "Remove messages from a list",
		Body:    removeBody{}, Answer: removeAnswer{},
	})
}

// itemsQuery is the query of the items of a list.
type itemsQuery struct {
	pageQuery
	State string `form:"state" validate:"omitempty,oneof=present deleted edited_since halted author_banned missing"`
	Lang  string `form:"lang" validate:"max=40"`
	Q     string `form:"q" validate:"max=2000"`
}

func (q itemsQuery) filter() lists.ItemFilter {
	return lists.ItemFilter{State: q.State, Lang: q.Lang, Q: q.Q, CutAfter: lists.PageTime, Page: q.page()}
}

// itemsBody holds messages to add to a list: ids with notes, or a filter with
// the names and values of the query of the list of messages.
type itemsBody struct {
	Items  []itemBody     `json:"items"`
	Filter map[string]any `json:"filter"`
	Reason string         `json:"reason"`
}

// itemBody is a message to add to a list. Its id is read as people write it.
type itemBody struct {
	MessageID string `json:"message_id"`
	Note      string `json:"note"`
}

// itemsAnswer tells what became of each line or item.
type itemsAnswer struct {
	store.Added
	Malformed []corpus.IDFault `json:"malformed"`
	store.Outcome
}

// addItems adds messages to a list.
func (s *Server) addItems(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	given, reason, err := readItems(c)
	if err != nil {
		return err
	}
	key, err := idempotencyKey(c, "")
	if err != nil {
		return err
	}
	answer := itemsAnswer{Malformed: orNone(given.faults)}
	if given.filter == nil && len(given.items) == 0 && len(given.faults) > 0 {
		answer.Missing, answer.Unchanged = []uuid.UUID{}, true // nothing to add, and each line is named
		if _, err := s.store.ListByID(c.UserContext(), s.actor(c), id); err != nil {
			return err
		}
		return sendJSON(c, answer)
	}
	answer.Outcome, answer.Added, err = s.store.AddToList(c.UserContext(), s.actor(c), id,
		store.AddParams{Items: given.items, Filter: given.filter}, reason, key)
	if err != nil {
		return err
	}
	return sendJSON(c, answer)
}

// givenItems are the messages of a request to add to a list.
type givenItems struct {
	items  []store.NewItem
	faults []corpus.IDFault
	filter *store.MessageFilter
}

// readItems reads the body of an API call: JSON, or text as people paste it.
func readItems(c *fiber.Ctx) (given givenItems, reason string, err error) {
	switch kind, _, _ := mime.ParseMediaType(c.Get(fiber.HeaderContentType)); kind {
	case "text/plain", "text/csv":
		err = given.readText(c.Body())
		return given, "", err
	}
	var body itemsBody
	if err := decodeBody(c, &body); err != nil {
		return given, "", err
	}
	if body.Filter != nil {
		if body.Items != nil {
			return given, "", store.Invalid{"filter": "Send items or a filter, not both."}
		}
		given.filter, err = messageFilter(current(c).Person.Actor, body.Filter)
		return given, body.Reason, err
	}
	if len(body.Items) > store.MaxListItems {
		return given, "", tooManyItems
	}
	for i, item := range body.Items {
		switch id, ok := corpus.ParseID(strings.TrimSpace(item.MessageID)); {
		case !ok || id == uuid.Nil:
			given.faults = append(given.faults, corpus.IDFault{Line: i + 1, Text: item.MessageID,
				Why: "This is not a message id."})
		case len([]rune(item.Note)) > 500:
			given.faults = append(given.faults, corpus.IDFault{Line: i + 1, Text: item.MessageID,
				Why: "The note is longer than 500 characters."})
		default:
			given.items = append(given.items, store.NewItem{MessageID: id, Note: item.Note})
		}
	}
	return given, body.Reason, nil
}

// tooManyItems refuses more than store.MaxListItems ids.
var tooManyItems = store.Invalid{"items": fmt.Sprintf("Send at most %d ids at once; nothing was added.",
	store.MaxListItems)}

func (g *givenItems) readText(text []byte) error {
	if err := g.readIDs(text); err != nil {
		return err
	}
	if len(g.items)+len(g.faults) == 0 {
		return store.Invalid{"items": "Give at least one message id."}
	}
	return nil
}

// readIDs adds the items of a text, and sets the faults to those of the text.
func (g *givenItems) readIDs(text []byte) error {
	items, faults, err := corpus.ReadIDs(bytes.NewReader(text), store.MaxListItems)
	var many *corpus.TooManyIDsError
	if errors.As(err, &many) {
		return tooManyItems
	}
	if err != nil {
		return err // the text is in memory: nothing else can fail
	}
	g.faults = faults
	for _, item := range items {
		g.items = append(g.items, store.NewItem{MessageID: item.ID, Note: item.Note})
	}
	return nil
}

// messageFilter reads a filter with the names and values of the query of the
// list of messages.
func messageFilter(actor store.Actor, members map[string]any) (*store.MessageFilter, error) {
	values := url.Values{}
	for name, value := range members {
		switch value := value.(type) {
		case string:
			values.Set(name, value)
		case nil:
		case bool, float64:
			values.Set(name, fmt.Sprint(value))
		default:
			return nil, store.Invalid{"filter": name + " must be a string, as in the query of the list of messages."}
		}
	}
	var q messagesQuery
	known := fieldNames(reflect.TypeOf(q))
	for name := range values {
		if !slices.Contains(known, name) || name == "limit" || name == "cursor" || name == "sort" {
			return nil, store.Invalid{"filter": "There is no filter named " + name + "."}
		}
	}
	if wrong := fillAll(values, []any{&q}); len(wrong) > 0 {
		return nil, store.Invalid{"filter": strings.Join(parameters(wrong), "; ")}
	}
	f, err := q.filter(actor)
	if err != nil {
		return nil, store.Invalid{"filter": err.Error()}
	}
	return &f, nil
}

// removeBody holds messages to remove from a list.
type removeBody struct {
	Items  []string `json:"items"`
	Reason string   `json:"reason"`
}

// removeAnswer tells how many messages were removed.
type removeAnswer struct {
	Removed int64 `json:"removed"`
	store.Outcome
}

// removeItems removes messages from a list.
func (s *Server) removeItems(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var body removeBody
	if err := decodeBody(c, &body); err != nil {
		return err
	}
	key, err := idempotencyKey(c, "")
	if err != nil {
		return err
	}
	var params store.RemoveParams
	for _, text := range body.Items {
		message, ok := corpus.ParseID(strings.TrimSpace(text))
		if !ok {
			return store.Invalid{"items": fmt.Sprintf("%.50q is no message id; nothing was removed.", text)}
		}
		params.Items = append(params.Items, message)
	}
	outcome, err := s.store.Act(c.UserContext(), s.actor(c), store.Act{
		Kind: "remove_from_list", Target: id, Reason: body.Reason, Params: params, IdempotencyKey: key,
	})
	if err != nil {
		return err
	}
	return sendJSON(c, removeAnswer{outcome.Affected.Messages, outcome})
}
