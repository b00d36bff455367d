package admin

import (
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"strings"

	"github.com/gofiber/fiber/v2"

	"treewarden/policy"
	"treewarden/store"
)

// roleBody is the form of a change of a user's role.
type roleBody struct {
	actBody
	Role string `json:"role" form:"role" validate:"max=100"`
}

// rolePart is the part of the form with the roles to choose from.
type rolePart struct {
	Now     string
	Choices []roleOption
	Wrong   string
}

// roleOption is a role that the person may grant, with what it adds and takes away.
type roleOption struct {
	Choice
	Gains, Loses string
}

// roleKind is the change of a role as its form shows it. The log has it as
// update_user.
func roleKind() store.Kind {
	kind, _ := store.KindNamed("update_user")
	kind.Title, kind.Button, kind.NeedsReason = "Change role", "Change role", true
	return kind
}

// roleForm shows the form of a change of a user's role.
func (s *Server) roleForm(c *fiber.Ctx) error {
	var body roleBody
	if err := decodeQuery(c, &body); err != nil {
		return err
	}
	return s.showRoleForm(c, fiber.StatusOK, body, nil)
}

// showRoleForm answers with the form. A refused one has errors beside its fields.
func (s *Server) showRoleForm(c *fiber.Ctx, status int, body roleBody, wrong store.Invalid) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	user, err := s.userInForce(c, id)
	if err != nil {
		return err
	}
	kind := roleKind()
	p := actPage{Layout: s.layout(c, kind.Title), Kind: kind, Body: body.actBody, Dialog: isPartial(c), Wrong: wrong}
	p.Toast = nil
	if err := p.Person.MayActOn(user.User); err != nil {
		return &store.Forbidden{Why: err.Error()}
	}
	p.User, p.Target = &user, user.DisplayName
	p.Post, p.Return = c.Path(), localPath(body.Return, "/users/"+id.String())
	p.Body.Key = rand.Text()
	if p.Body.Version == nil {
		p.Body.Version = &user.Version
	}
	part := rolePart{Now: capital(s.roleTitle(user.Role)), Wrong: wrong["role"]}
	part.Choices = roleOptions(p.Person.Policy, s.grantable(p.Person, user.Role), user.Role, body.Role)
	fields, err := s.part("partials/userrole", part)
	if err != nil {
		return err
	}
	p.Fields = template.HTML(fields)
	if p.Reasons, err = s.store.RecentReasons(c.UserContext(), s.actor(c), kind.Name); err != nil {
		return fmt.Errorf("read the last used reasons: %w", err)
	}
	return s.renderAct(c, status, p)
}

// roleOptions returns the roles other than the present one.
func roleOptions(roles *policy.Policy, granted []Choice, now, chosen string) []roleOption {
	was, _ := roles.Role(now)
	var options []roleOption
	for _, choice := range granted {
		if choice.Value == now {
			continue
		}
		is, _ := roles.Role(choice.Value)
		choice.Chosen = choice.Value == chosen
		options = append(options, roleOption{choice,
			strings.Join(wordsOf(is.Permissions, was.Permissions), ", "),
			strings.Join(wordsOf(was.Permissions, is.Permissions), ", ")})
	}
	return options
}

// changeRole changes a user's role. It needs a reason, as an act of its own.
func (s *Server) changeRole(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var body roleBody
	if err := decodeBody(c, &body); err != nil {
		return s.roleRefused(c, body, err)
	}
	wrong := store.Invalid{}
	if body.Role == "" {
		wrong["role"] = "Choose a role."
	}
	if strings.TrimSpace(body.Reason) == "" {
		wrong["reason"] = "Give a reason of 3 to 500 characters. The audit log records it."
	}
	if len(wrong) > 0 {
		return s.roleRefused(c, body, wrong)
	}
	key, err := idempotencyKey(c, body.Key)
	if err != nil {
		return err
	}
	outcome, err := s.store.Act(c.UserContext(), s.actor(c),
		store.Act{Kind: "update_user", Target: id, Reason: body.Reason, Version: body.Version, IdempotencyKey: key,
			Params: store.UserPatch{Role: &body.Role}})
	if err != nil {
		return s.roleRefused(c, body, err)
	}
	return done(c, localPath(body.Return, "/users/"+id.String()), outcome.Action)
}

// roleRefused shows the form again if a field is wrong.
func (s *Server) roleRefused(c *fiber.Ctx, body roleBody, err error) error {
	var invalid store.Invalid
	if !errors.As(err, &invalid) {
		return err
	}
	return s.showRoleForm(c, fiber.StatusUnprocessableEntity, body, invalid)
}
