package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/policy"
	"treewarden/store"
)

func init() {
	describe("GET /audit", openapi.Method{
		Summary: "Actions, newest first",
		Query:   auditQuery{}, Answer: store.List[store.Action]{},
	})
	describe("GET /actions/:id", openapi.Method{
		Summary: "An action: one's own, or one on the user, message, tree or list named as target; with audit.all, any",
		ID:      int64(0), Query: actionQuery{}, Answer: store.Action{},
	})
}

// actionQuery is the query of an action's page.
type actionQuery struct {
	Target string `form:"target" validate:"max=100"` // the user, message, tree or list that the person looks at
}

// readAction reads the action of a route, as far as the person may see it.
func (s *Server) readAction(c *fiber.Ctx) (store.Action, error) {
	id, ok := actionID(c.Params("id"))
	if !ok {
		return store.Action{}, store.Malformed("an action has a number, such as 42")
	}
	var q actionQuery
	if err := decodeQuery(c, &q); err != nil {
		return store.Action{}, err
	}
	target := uuid.Nil
	if q.Target != "" {
		if target, ok = parseID(q.Target); !ok {
			return store.Action{}, store.Malformed("target is the id of a user, message, tree or list")
		}
	}
	return s.store.Action(c.UserContext(), s.actor(c), id, target)
}

// auditQuery is the query of the log's page.
type auditQuery struct {
	pageQuery
	Actor  string     `form:"actor" validate:"max=100"` // an id or a name, or "me"
	Kind   string     `form:"kind" validate:"max=40"`
	Target string     `form:"target" validate:"max=100"`
	Since  *time.Time `form:"since"`
	Until  *time.Time `form:"until"`
}

type auditPage struct {
	Layout
	Actions store.List[store.Action]
	Asked   auditQuery
	Actor   *uuid.UUID
	// OwnOnly reports whether the list holds the person's own actions only.
	OwnOnly bool
	Kinds   []store.Kind
	Chain   chainState
	Pager   Pager
}

func (p auditPage) api() any { return p.Actions }

// Filtered reports whether a filter is set.
func (p auditPage) Filtered() bool {
	q := p.Asked
	return q.Actor != "" || q.Kind != "" || q.Target != "" || q.Since != nil || q.Until != nil
}

// MayUndo reports whether an action's row has an undo button.
func (p auditPage) MayUndo(a store.Action) bool {
	return a.Undoable && a.UndoneBy == nil && mayUndo(p.Person, a)
}

// ActorName returns the name of the actor that the list is filtered by, if the
// list shows it.
func (p auditPage) ActorName() string {
	for _, a := range p.Actions.Items {
		if p.Actor != nil && a.ActorID != nil && *a.ActorID == *p.Actor {
			return a.ActorName
		}
	}
	return p.Asked.Actor
}

// Here returns the address that an undo returns to.
func (p auditPage) Here() string {
	return p.Path + mustQuery(p.Query)
}

func (p auditPage) csv() (header []string, rows [][]string) {
	header = []string{"id", "at", "actor", "role", "via", "kind", "target_type", "target_id", "target", "reason",
		"messages", "others_messages", "trees", "users", "undoes", "undone_by", "hash"}
	for _, a := range p.Actions.Items {
		rows = append(rows, []string{
			strconv.FormatInt(a.ID, 10), a.At.UTC().Format(time.RFC3339Nano), a.ActorName, a.ActorRole, a.Via, a.Kind,
			a.TargetType, a.TargetID, a.TargetLabel, a.Reason,
			strconv.FormatInt(a.Affected.Messages, 10), strconv.FormatInt(a.Affected.OthersMessages, 10),
			strconv.FormatInt(a.Affected.Trees, 10),
			strconv.FormatInt(a.Affected.Users, 10), optional(a.Undoes), optional(a.UndoneBy), a.Hash,
		})
	}
	return header, rows
}

func optional(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

// dayEnd returns the end of a day, so that a filter that ends with the day
// includes it.
func dayEnd(asked string, t *time.Time) *time.Time {
	if t == nil || len(asked) != len("2006-01-02") {
		return t
	}
	end := t.AddDate(0, 0, 1)
	return &end
}

func (s *Server) audit(c *fiber.Ctx) error {
	var q auditQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	p := auditPage{Layout: s.layout(c, "Audit log"), Asked: q, Kinds: append(slices.Clone(store.Kinds), store.UndoKind)}
	person := s.person(c)
	p.OwnOnly = !person.May(policy.AuditAll) && q.Target == ""
	f := store.ActionFilter{Kind: q.Kind, Target: strings.TrimSpace(q.Target), Since: q.Since,
		Until: dayEnd(c.Query("until"), q.Until), Page: q.page()}
	switch q.Actor {
	case "":
	case "me":
		p.Actor = &person.UserID
	default:
		if id, ok := parseID(q.Actor); ok {
			p.Actor = &id
		} else {
			f.ActorName = strings.TrimSpace(q.Actor)
		}
	}
	f.Actor = p.Actor
	var err error
	if p.Actions, err = s.store.Actions(c.UserContext(), person.Actor, f); err != nil {
		return err
	}
	if !isAPI(c) {
		p.Chain = s.chain(c.UserContext())
	}
	p.Pager = p.pager(p.Actions.Prev, p.Actions.Next, "")
	return s.render(c, "audit", p)
}

// actionPage is one action with what it changed, before and after.
type actionPage struct {
	Layout
	Action  store.Action
	Kind    store.Kind
	Changes []change
	MayUndo bool
}

func (p actionPage) api() any { return p.Action }

// change is one value that an action changed.
type change struct {
	Name          string
	Before, After string
	Same          bool
}

func (s *Server) action(c *fiber.Ctx) error {
	action, err := s.readAction(c)
	if err != nil {
		return err
	}
	p := actionPage{Layout: s.layout(c, fmt.Sprintf("Action %d", action.ID)), Action: action}
	p.Kind, _ = store.KindNamed(action.Kind)
	p.MayUndo = action.Undoable && action.UndoneBy == nil && mayUndo(p.Person, action)
	p.Changes = changes(action.Before, action.After)
	for i, item := range p.Nav {
		p.Nav[i].Current = item.Path == "/audit"
	}
	return s.render(c, "action", p)
}

// maxChanges is the number of values that an action's page shows. The raw JSON
// below them has all of them.
const maxChanges = 200

// changes pairs the values before and after.
func changes(before, after json.RawMessage) []change {
	was, is := map[string]string{}, map[string]string{}
	flatten(before, was)
	flatten(after, is)
	var names []string
	for name := range was {
		names = append(names, name)
	}
	for name := range is {
		if _, ok := was[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	all := make([]change, 0, min(len(names), maxChanges))
	for _, name := range names {
		if len(all) == maxChanges {
			break
		}
		all = append(all, change{name, was[name], is[name], was[name] == is[name]})
	}
	return all
}

// flatten collects the values of a JSON document by their paths.
func flatten(document json.RawMessage, into map[string]string) {
	if len(document) == 0 {
		return
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return
	}
	flattenValue("", value, into)
}

func flattenValue(path string, value any, into map[string]string) {
	join := func(name string) string { return strings.TrimPrefix(path+"."+name, ".") }
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			flattenValue(join(name), inner, into)
		}
	case []any:
		for i, inner := range v {
			flattenValue(join(strconv.Itoa(i)), inner, into)
		}
	case nil:
	case string:
		into[strings.TrimPrefix(path, ".")] = v
	default:
		into[strings.TrimPrefix(path, ".")] = fmt.Sprint(v)
	}
}
