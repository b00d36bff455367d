package admin

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
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
		Body:    []any{actBody{}, store.ListParams{}}, Fields: []string{"name", "kind", "note", "reason"}, Answer: listAnswer{},
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
	Q        string `form:"q" validate:"max=200"`
	Kind     string `form:"kind" validate:"omitempty,oneof=bad good custom"`
	Archived string `form:"archived" validate:"omitempty,oneof=exclude include only"`
}

// listAnswer is the answer to an action that creates or changes a list: the list
// as it is then, and the action.
type listAnswer struct {
	lists.List
	store.Outcome
}

// lists answers with the lists of messages.
func (s *Server) lists(c *fiber.Ctx) error {
	var q listsQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	found, err := s.store.Lists(c.UserContext(), s.actor(c),
		lists.Filter{Q: q.Q, Kind: q.Kind, Archived: q.Archived, Page: q.page()})
	if err != nil {
		return err
	}
	return sendJSON(c, found)
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

// createList creates a list.
func (s *Server) createList(c *fiber.Ctx) error { return s.changeList(c, "create_list", uuid.New()) }

// updateList changes a list.
func (s *Server) updateList(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	return s.changeList(c, "update_list", id)
}

func (s *Server) changeList(c *fiber.Ctx, kind string, id uuid.UUID) error {
	var body actBody
	var params store.ListParams
	if err := decodeBody(c, &body, &params); err != nil {
		return err
	}
	key, err := idempotencyKey(c, body.Key)
	if err != nil {
		return err
	}
	outcome, err := s.store.Act(c.UserContext(), s.actor(c), store.Act{
		Kind: kind, Target: id, Reason: body.Reason, Version: body.Version, Params: params, IdempotencyKey: key,
	})
	if err != nil {
		return err
	}
	if outcome.Action.ID != 0 { // a repeated request created its list before
		if id, err = uuid.Parse(outcome.Action.TargetID); err != nil {
			return err
		}
	}
	list, err := s.store.ListByID(c.UserContext(), s.actor(c), id)
	if err != nil {
		return err
	}
	return sendJSON(c, listAnswer{list, outcome})
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

// listCompare compares a list with another one, or with what staff deleted.
func (s *Server) listCompare(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var q compareQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	q.With = strings.TrimSpace(q.With)
	with := lists.Other{Deleted: q.With == "" || q.With == "deleted"}
	if !with.Deleted {
		other, ok := parseID(q.With)
		if !ok {
			return store.Malformed("with is the id of a list, or deleted.")
		}
		with.List = other
	}
	found, err := s.store.CompareList(c.UserContext(), s.actor(c), id, with, q.page())
	if err != nil {
		return err
	}
	return sendJSON(c, found)
}
