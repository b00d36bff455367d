package admin

import (
	"crypto/rand"
	"encoding/json"
	"errors"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/store"
	"treewarden/store/lists"
)

// listFormPage is the form of a new list, or of the changes of a list. It is a
// page of its own, or stands in a dialog.
type listFormPage struct {
	Layout
	New      bool
	Post     string // where the form is sent
	Return   string
	Body     actBody
	Name     string
	Note     string
	Archived bool
	Kinds    []Choice
	Wrong    store.Invalid
	Conflict *store.Conflict
	Both     map[string]otherValue // of fields that another person changed too
	Dialog   bool
}

func (p listFormPage) api() any { return nil }

// Elsewhere returns the errors of fields that the form does not show.
func (p listFormPage) Elsewhere() string { return elsewhere(p.Wrong, "name", "kind", "note") }

// listForm collects the form of a list, with its fields as they are, or the form
// of a new list if id is uuid.Nil.
func (s *Server) listForm(c *fiber.Ctx, id uuid.UUID, body actBody) (listFormPage, error) {
	p := listFormPage{New: id == uuid.Nil, Post: listsPath, Body: body, Dialog: isPartial(c)}
	kind := lists.Kinds[0]
	if p.New {
		p.Layout = s.layout(c, "New list")
	} else {
		list, err := s.store.ListByID(c.UserContext(), s.actor(c), id)
		if err != nil {
			return p, err
		}
		p.Layout = s.layout(c, "Change list")
		p.Post += "/" + id.String()
		p.Name, p.Note, p.Archived, kind = list.Name, list.Note, list.Archived, list.Kind
		if p.Body.Version == nil {
			p.Body.Version = &list.Version
		}
		p.Body.Was = formBase(map[string]string{
			"name": list.Name, "note": list.Note, "kind": list.Kind, "archived": boxText(list.Archived)})
	}
	p.Toast = nil
	p.Return = localPath(body.Return, p.Post)
	p.chooseKind(kind)
	p.Body.Key = rand.Text()
	return p, nil
}

func (p *listFormPage) chooseKind(kind string) {
	p.Kinds = nil
	for _, name := range lists.Kinds {
		p.Kinds = append(p.Kinds, Choice{name, kindBadges[name].Text, name == kind})
	}
}

// fill puts what was typed into the form.
func (p *listFormPage) fill(typed store.ListParams) {
	if typed.Name != nil {
		p.Name = *typed.Name
	}
	if typed.Note != nil {
		p.Note = *typed.Note
	}
	if typed.Archived != nil {
		p.Archived = *typed.Archived
	}
	if typed.Kind != nil {
		p.chooseKind(*typed.Kind)
	}
}

// merge puts what was typed into a stale form, which holds the list as it is now.
func (p *listFormPage) merge(stale *staleForm, typed store.ListParams) {
	now := ""
	for _, kind := range p.Kinds {
		if kind.Chosen {
			now = kind.Value
		}
	}
	p.fill(store.ListParams{
		Name: stale.text("name", typed.Name, p.Name), Note: stale.text("note", typed.Note, p.Note),
		Kind: stale.text("kind", typed.Kind, now), Archived: stale.box("archived", typed.Archived, p.Archived),
	})
	p.Both = stale.Both
}

func (s *Server) renderListForm(c *fiber.Ctx, status int, p listFormPage) error {
	if p.Dialog {
		return s.renderStatus(c, status, "partials/listform", p)
	}
	return s.renderStatus(c, status, "listform", p)
}

// newListForm shows the form of a new list.
func (s *Server) newListForm(c *fiber.Ctx) error { return s.showListForm(c, uuid.Nil) }

// editListForm shows the form of the changes of a list.
func (s *Server) editListForm(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	if id == uuid.Nil {
		return store.ErrNotFound
	}
	return s.showListForm(c, id)
}

func (s *Server) showListForm(c *fiber.Ctx, id uuid.UUID) error {
	var body actBody
	if err := decodeQuery(c, &body); err != nil {
		return err
	}
	p, err := s.listForm(c, id, body)
	if err != nil {
		return err
	}
	return s.renderListForm(c, fiber.StatusOK, p)
}

// createList creates a list.
func (s *Server) createList(c *fiber.Ctx) error { return s.changeList(c, "create_list", uuid.Nil) }

// updateList changes a list: by PATCH for programs, by a form for people.
func (s *Server) updateList(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	return s.changeList(c, "update_list", id)
}

// newListID returns the id of a new list. A repeated request, which has the same
// idempotency key, gets the same id.
func newListID(actor store.Actor, key string) uuid.UUID {
	if key == "" {
		return uuid.New()
	}
	return uuid.NewSHA1(actor.UserID, []byte("list "+key))
}

// changeList creates a list, or changes the list with an id.
func (s *Server) changeList(c *fiber.Ctx, kind string, id uuid.UUID) error {
	var body actBody
	var params store.ListParams
	var outcome store.Outcome
	target := id
	err := decodeBody(c, &body, &params)
	if err == nil {
		var key string
		if key, err = idempotencyKey(c, body.Key); err != nil {
			return err
		}
		if kind == "create_list" {
			target = newListID(s.actor(c), key)
		}
		outcome, err = s.store.Act(c.UserContext(), s.actor(c), store.Act{
			Kind: kind, Target: target, Reason: body.Reason, Version: body.Version, Params: params, IdempotencyKey: key,
		})
	}
	if err != nil && isAPI(c) && kind == "update_list" && params == (store.ListParams{}) {
		err = nameNull(c.Body(), err)
	}
	if err != nil {
		return s.listRefused(c, kind, id, body, params, err)
	}
	if !isAPI(c) {
		path := listsPath + "/" + target.String()
		if kind == "update_list" {
			path = localPath(body.Return, path)
		}
		return done(c, path, outcome.Action)
	}
	list, err := s.store.ListByID(c.UserContext(), s.actor(c), target)
	if err != nil {
		return err
	}
	return sendJSON(c, listAnswer{list, outcome})
}

// nameNull returns the error of a change that gives nothing but null, by its field.
func nameNull(body []byte, err error) error {
	var invalid store.Invalid
	var members map[string]json.RawMessage
	if !errors.As(err, &invalid) || json.Unmarshal(body, &members) != nil {
		return err
	}
	wrong := store.Invalid{}
	for _, field := range []string{"name", "kind", "note", "archived"} {
		if string(members[field]) == "null" {
			wrong[field] = "null changes nothing. Send the new value, or leave the field out."
		}
	}
	if len(wrong) == 0 {
		return err
	}
	return wrong
}

// listRefused shows the form again, with what was typed and with its errors or
// the change that another person made in the meantime.
func (s *Server) listRefused(
	c *fiber.Ctx, kind string, id uuid.UUID, body actBody, typed store.ListParams, err error,
) error {
	var invalid store.Invalid
	var conflict *store.Conflict
	wrong, late := errors.As(err, &invalid), errors.As(err, &conflict) && conflict.Version != 0
	if isAPI(c) || !wrong && !late || kind == "update_list" && id == uuid.Nil {
		return err
	}
	was := body.Was
	if late {
		// If the form is sent again, the person has seen the other change.
		body.Version = nil
	}
	p, pageErr := s.listForm(c, id, body)
	if pageErr != nil {
		return errors.Join(err, pageErr)
	}
	if late && kind == "update_list" {
		p.merge(newStaleForm(was), typed)
		p.Conflict = conflict
		return s.renderListForm(c, fiber.StatusConflict, p)
	}
	p.fill(typed)
	p.Wrong, p.Body.Was = invalid, was
	return s.renderListForm(c, fiber.StatusUnprocessableEntity, p)
}
