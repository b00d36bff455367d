package admin

import (
	"crypto/rand"
	"errors"
	"html/template"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/accounts"
)

// staffFormPage is the form of a new account, or of the changes of one.
type staffFormPage struct {
	Layout
	New      bool
	Post     string // where the form is sent
	Return   string
	Body     staffBody
	Account  staffLine
	Name     string
	Limited  bool   // whether the account has languages of its own
	Codes    string // the languages
	Known    string // the languages of trees
	Roles    []Choice
	Wrong    store.Invalid
	Conflict *store.Conflict
	Both     map[string]otherValue // of fields that another person changed too
	Refusal  string                // why the change may not be made
	Dialog   bool
	// Preview is what the change would do, nil before it was asked for.
	Preview *staffPreview
}

// staffPreview is what a change of an account would do.
type staffPreview struct {
	Role, ActsOn string // afterwards, in words
	Gains, Loses []policy.Change
	Unchanged    bool
}

func (p staffFormPage) api() any { return nil }

// Elsewhere returns the errors of fields that the form does not show.
func (p staffFormPage) Elsewhere() string {
	shown := []string{"name", "role", "languages"}
	if p.Preview != nil && !p.Preview.Unchanged {
		shown = append(shown, "reason")
	}
	return elsewhere(p.Wrong, shown...)
}

// staffForm collects the form of an account, with its fields as they are or as
// typed, or the form of a new one if id is uuid.Nil.
func (s *Server) staffForm(c *fiber.Ctx, id uuid.UUID, body staffBody) (staffFormPage, error) {
	person := s.person(c)
	p := staffFormPage{New: id == uuid.Nil, Post: staffPath, Body: body, Dialog: isPartial(c)}
	p.Body.Key = rand.Text()
	p.Return = localPath(body.Return, staffPath)
	if orEmpty(body.Role) != "" && c.Method() == fiber.MethodGet && !person.Policy.EntersConsole(*body.Role) {
		return p, store.Malformed("role: there is no such role of staff")
	}
	role := ""
	if p.New {
		p.Layout = s.layout(c, "New account")
	} else {
		account, err := s.store.StaffByID(c.UserContext(), person.Actor, id)
		if err != nil {
			return p, err
		}
		if err := person.Policy.MayActOn(person.Role, account.Role, account.UserID == person.UserID); err != nil {
			return p, &store.Forbidden{Why: err.Error()}
		}
		p.Layout = s.layout(c, "Change account")
		p.Account = s.staffLine(person, account)
		p.Post += "/" + id.String()
		p.Name, role, p.Limited = account.Username, account.Role, account.Languages != nil
		p.Codes = strings.Join(account.Languages, ", ")
		if p.Body.Version == nil {
			p.Body.Version = &account.Version
		}
		if p.Body.Was == "" {
			p.Body.Was = formBase(map[string]string{
				"name": account.Username, "role": account.Role, "languages": limitText(account.Languages)})
		}
	}
	p.Toast = nil
	if body.Name != nil {
		p.Name = *body.Name
	}
	if body.Role != nil {
		role = *body.Role
	}
	if body.Limit != "" {
		p.Limited, p.Codes = body.Limit == "some", body.Codes
	}
	p.Roles = s.staffRoles(person, role, "Choose a role")
	known, err := s.store.Languages(c.UserContext())
	p.Known = strings.Join(known, ", ")
	return p, err
}

func (s *Server) renderStaffForm(c *fiber.Ctx, status int, p staffFormPage) error {
	view := "staffform"
	if !p.New {
		view = "staffedit"
	} else if p.Dialog {
		view = "partials/staffform"
	}
	return s.renderStatus(c, status, view, p)
}

// newStaffForm shows the form of a new account.
func (s *Server) newStaffForm(c *fiber.Ctx) error {
	var body staffBody
	if err := decodeQuery(c, &body); err != nil {
		return err
	}
	p, err := s.staffForm(c, uuid.Nil, body)
	if err != nil {
		return err
	}
	return s.renderStaffForm(c, fiber.StatusOK, p)
}

// editStaffForm shows the form of the changes of an account. With a role or
// languages in the query, it shows what they would change.
func (s *Server) editStaffForm(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var body staffBody
	if err := decodeQuery(c, &body); err != nil {
		return err
	}
	if id == uuid.Nil {
		return store.ErrNotFound
	}
	if orEmpty(body.Role) == "" {
		body.Role = nil
	}
	if orEmpty(body.Name) == "" {
		body.Name = nil
	}
	p, err := s.staffForm(c, id, body)
	if err != nil {
		return err
	}
	status := fiber.StatusOK
	if body.Name != nil || body.Role != nil || body.Limit != "" {
		if status, err = s.previewStaff(c, id, &p); err != nil {
			return err
		}
	}
	return s.renderStaffForm(c, status, p)
}

// previewStaff adds what the change would do to the form, or why it may not be
// made. It returns the status of the answer.
func (s *Server) previewStaff(c *fiber.Ctx, id uuid.UUID, p *staffFormPage) (int, error) {
	change := p.Body.params(c)
	outcome, err := s.store.ChangeStaff(c.UserContext(), s.actor(c), store.Act{Target: id, Preview: true}, change)
	var forbidden *store.Forbidden
	switch {
	case errors.As(err, &p.Wrong):
		return fiber.StatusUnprocessableEntity, nil
	case errors.As(err, &forbidden):
		p.Refusal = forbidden.Why
		return fiber.StatusForbidden, nil
	case err != nil:
		return 0, err
	}
	to := p.Account.Subject()
	if change.Role != nil {
		to.Role = *change.Role
	}
	if change.SetLanguages {
		to.Languages = change.Languages
	}
	inForce := s.person(c).Policy
	p.Preview = &staffPreview{
		Role: inForce.Title(to.Role), ActsOn: policy.LimitWords(inForce.Languages(to)),
		Gains: outcome.Gains, Loses: outcome.Loses, Unchanged: outcome.Unchanged,
	}
	return fiber.StatusOK, nil
}

// staffRefused shows the form again, with what was typed and with its errors or the
// change that another person made in the meantime.
func (s *Server) staffRefused(c *fiber.Ctx, id uuid.UUID, body staffBody, err error) error {
	var invalid store.Invalid
	var conflict *store.Conflict
	wrong, late := errors.As(err, &invalid), errors.As(err, &conflict) && conflict.Version != 0
	if isAPI(c) || !wrong && !late {
		return err
	}
	status := fiber.StatusUnprocessableEntity
	stale := newStaleForm(body.Was)
	if late {
		status = fiber.StatusConflict
		account, readErr := s.store.StaffByID(c.UserContext(), s.actor(c), id)
		if readErr != nil {
			return errors.Join(err, readErr)
		}
		body.merge(stale, account)
	}
	p, pageErr := s.staffForm(c, id, body)
	if pageErr != nil {
		return errors.Join(err, pageErr)
	}
	if late {
		p.Conflict, p.Both = conflict, stale.Both
	}
	if !p.New {
		if _, err := s.previewStaff(c, id, &p); err != nil {
			return err
		}
	}
	if wrong {
		p.Wrong = invalid
	}
	return s.renderStaffForm(c, status, p)
}

// merge merges a stale form with the account as it is now. The form then carries
// the present version: if it is sent again, the person has seen the other change.
func (b *staffBody) merge(stale *staleForm, account accounts.Account) {
	b.Name = stale.text("name", b.Name, account.Username)
	b.Role = stale.text("role", b.Role, account.Role)
	if now := limitText(account.Languages); b.Limit != "" && stale.field("languages", b.limit(), now) == now {
		b.Limit, b.Codes = "all", strings.Join(account.Languages, ", ")
		if account.Languages != nil {
			b.Limit = "some"
		}
	}
	b.Version, b.Was = nil, ""
}

// staffActForm shows the form of an act on an account.
func staffActForm(kind store.Kind) func(*Server, *fiber.Ctx) error {
	return func(s *Server, c *fiber.Ctx) error {
		id, err := pathID(c)
		if err != nil {
			return err
		}
		var body actBody
		if err := decodeQuery(c, &body); err != nil {
			return err
		}
		p, err := s.staffActPage(c, kind, id, body)
		if err != nil {
			return err
		}
		return s.renderAct(c, fiber.StatusOK, p)
	}
}

// staffActPage collects the form of an act on an account.
func (s *Server) staffActPage(c *fiber.Ctx, kind store.Kind, id uuid.UUID, body actBody) (actPage, error) {
	person := s.person(c)
	p := actPage{Layout: s.layout(c, kind.Title), Kind: kind, Body: body, Dialog: isPartial(c)}
	p.Toast = nil
	account, err := s.store.StaffByID(c.UserContext(), person.Actor, id)
	if err != nil {
		return p, err
	}
	if err := person.Policy.MayActOn(person.Role, account.Role, account.UserID == person.UserID); err != nil {
		return p, &store.Forbidden{Why: err.Error()}
	}
	p.Target = named(account.DisplayName)
	p.Post, p.Return = c.Path(), localPath(body.Return, staffPath)
	p.Body.Key = rand.Text()
	effect, err := s.part("partials/staffeffect", staffEffect{kind.Name, s.staffLine(person, account)})
	if err != nil {
		return p, err
	}
	p.Fields = template.HTML(effect)
	if kind.NeedsReason {
		p.Reasons, err = s.store.RecentReasons(c.UserContext(), person.Actor, kind.Name)
	}
	return p, err
}

// staffEffect tells what an act does to an account.
type staffEffect struct {
	Kind    string
	Account staffLine
}

// staffAct handles an act on an account.
func staffAct(kind store.Kind) func(*Server, *fiber.Ctx) error {
	return func(s *Server, c *fiber.Ctx) error {
		id, err := pathID(c)
		if err != nil {
			return err
		}
		var body actBody
		var outcome store.Outcome
		var link store.Link
		if err = decodeBody(c, &body); err == nil {
			var key string
			if key, err = idempotencyKey(c, body.Key); err != nil {
				return err
			}
			outcome, link, err = s.store.ActOnStaff(c.UserContext(), s.actor(c), kind,
				store.Act{Target: id, Reason: body.Reason, IdempotencyKey: key})
		}
		var invalid store.Invalid
		switch makesLink := kind.Name == store.InviteStaff.Name || kind.Name == store.ResetStaff.Name; {
		case errors.As(err, &invalid) && !isAPI(c):
			p, pageErr := s.staffActPage(c, kind, id, body)
			if pageErr != nil {
				return errors.Join(err, pageErr)
			}
			p.Wrong = invalid
			return s.renderAct(c, fiber.StatusUnprocessableEntity, p)
		case err != nil:
			return err
		case makesLink:
			return s.answerLink(c, id, body.Return, outcome, link, false)
		case isAPI(c):
			return sendJSON(c, outcome)
		}
		return done(c, localPath(body.Return, staffPath), outcome.Action)
	}
}
