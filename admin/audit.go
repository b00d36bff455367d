package admin

import (
	"context"
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

// actionAsked returns the number of the action of a route, and the target that the
// person looks at.
func actionAsked(c *fiber.Ctx) (id int64, target uuid.UUID, err error) {
	id, ok := actionID(c.Params("id"))
	if !ok {
		return 0, target, store.Malformed("an action has a number, such as 42")
	}
	var q actionQuery
	if err := decodeQuery(c, &q); err != nil {
		return 0, target, err
	}
	if q.Target != "" {
		if target, ok = parseID(q.Target); !ok {
			return 0, target, store.Malformed("target is the id of a user, message, tree or list")
		}
	}
	return id, target, nil
}

// readAction reads the action of a route, as far as the person may see it.
func (s *Server) readAction(c *fiber.Ctx) (store.Action, error) {
	id, target, err := actionAsked(c)
	if err != nil {
		return store.Action{}, err
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
	Staff   []Choice     // whom the list can be filtered by
	Called  []store.User // several users whose name was asked for
	Wrong   string       // what is wrong about the name
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

// OfOthers reports whether a person who sees their own actions asked for those of
// somebody else.
func (p auditPage) OfOthers() bool { return p.OwnOnly && p.Asked.Actor != "" && p.Asked.Actor != "me" }

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
	f, err := s.auditFilter(c, &p)
	if err != nil {
		return err
	}
	status := fiber.StatusOK
	switch {
	case p.Wrong != "" && (isAPI(c) || wantsCSV(c)):
		return store.Malformed(p.Wrong)
	case wantsCSV(c):
		return s.sendCSV(c, "audit", func(ctx context.Context, page store.Page) (listPage, *string, error) {
			f.Page = page
			found, err := s.store.Actions(ctx, person.Actor, f)
			return auditPage{Actions: found}, found.Next, err
		})
	case p.Wrong != "" && len(p.Called) == 0:
		status = fiber.StatusBadRequest
	case p.Wrong != "":
	default:
		if p.Actions, err = s.store.Actions(c.UserContext(), person.Actor, f); err != nil {
			return err
		}
	}
	if err := s.quoteAll(c, p.Actions.Items); err != nil {
		return err
	}
	if !isAPI(c) {
		p.Chain = s.chain(c.UserContext())
		if p.Staff, err = s.staffChoices(c, q.Actor, p.Actor); err != nil {
			return err
		}
	}
	p.Pager = p.pager(p.Actions.Prev, p.Actions.Next, "")
	return s.renderStatus(c, status, "audit", p)
}

// auditFilter returns the filter that a person asked for. It sets what the page
// says about it.
func (s *Server) auditFilter(c *fiber.Ctx, p *auditPage) (store.ActionFilter, error) {
	q, person := p.Asked, s.person(c)
	f := store.ActionFilter{Kind: q.Kind, Target: strings.TrimSpace(q.Target), Since: q.Since,
		Until: dayEnd(c.Query("until"), q.Until), Page: q.page()}
	p.OwnOnly = !person.May(policy.AuditAll) && f.Target == ""
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
	if _, isID := parseID(f.Target); f.Target == "" || isID {
		return f, nil
	}
	called, err := s.store.Users(c.UserContext(), person.Actor,
		store.UserFilter{Named: f.Target, Page: store.Page{Limit: maxCalled}})
	switch n := len(called.Items); {
	case err != nil:
	case n == 1:
		f.Target = called.Items[0].UserID.String()
	case n == 0:
		p.Wrong = "There is no user with this name. Type the whole name, or the id of a user, message, tree or list."
	default:
		p.Called = called.Items
		p.Wrong = "Several users have this name. Choose one by its id."
	}
	return f, err
}

// maxCalled is the number of users of one name that the page offers.
const maxCalled = 20

// staffChoices returns the people and keys whose actions the list can be filtered
// by.
func (s *Server) staffChoices(c *fiber.Ctx, asked string, chosen *uuid.UUID) ([]Choice, error) {
	person := s.person(c)
	if !person.May(policy.AuditAll) {
		return nil, nil
	}
	all, err := s.store.ActionActors(c.UserContext(), person.Actor)
	choices := make([]Choice, 0, len(all)+1)
	found := asked == "" || asked == "me"
	for _, a := range all {
		choice := Choice{a.UserID.String(), named(a.DisplayName, a.UserID), false}
		if a.IsKey {
			choice.Text += " (API key)"
		}
		if !found && (chosen != nil && *chosen == a.UserID ||
			chosen == nil && strings.EqualFold(a.DisplayName, strings.TrimSpace(asked))) {
			choice.Chosen, found = true, true
		}
		choices = append(choices, choice)
	}
	return choices, err
}

// Unlisted reports whether the actor that was asked for is not among the choices.
func (p auditPage) Unlisted() bool {
	return p.Asked.Actor != "" && p.Asked.Actor != "me" &&
		!slices.ContainsFunc(p.Staff, func(c Choice) bool { return c.Chosen })
}
