package admin

import (
	"errors"

	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/store"
)

func init() {
	describe("PATCH /users/:id", openapi.Method{
		Summary: "Change display name, notes, place on the leaderboard or role",
		Body:    userBody{}, Answer: store.UserDetail{},
	})
}

// userBody is a change of a user. A field that is left out stays as it is.
type userBody struct {
	DisplayName       *string `json:"display_name" form:"display_name"`
	Notes             *string `json:"notes" form:"notes"`
	ShowOnLeaderboard *bool   `json:"show_on_leaderboard" form:"show_on_leaderboard"`
	Role              *string `json:"role" form:"role"`
	Reason            string  `json:"reason" form:"reason"`
	Version           *int    `json:"version" form:"version" required:"true"`

	// Only the form of the page sends these.
	Key string `json:"-" form:"key" validate:"max=100"`
	Was string `json:"-" form:"was" validate:"max=2000"`
}

// Shown reports whether the form's box is checked.
func (b userBody) Shown() bool { return b.ShowOnLeaderboard != nil && *b.ShowOnLeaderboard }

func (b userBody) patch() store.UserPatch {
	return store.UserPatch{DisplayName: b.DisplayName, Notes: b.Notes,
		ShowOnLeaderboard: b.ShowOnLeaderboard, Role: b.Role}
}

// Elsewhere returns the errors of fields that the user's form does not show.
func (p userPage) Elsewhere() string {
	beside := []string{"display_name", "notes", "reason"}
	if len(p.Roles) > 0 {
		beside = append(beside, "role")
	}
	return elsewhere(p.Wrong, beside...)
}

// updateUser changes a user's display name, notes, place on the leaderboard or
// role: by PATCH for programs, by a form for people.
func (s *Server) updateUser(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var body userBody
	var outcome store.Outcome
	if err = decodeBody(c, &body); err == nil {
		var key string
		if key, err = idempotencyKey(c, body.Key); err != nil {
			return err
		}
		patch := body.patch()
		patch.NeedVersion = isAPI(c)
		outcome, err = s.store.Act(c.UserContext(), s.actor(c),
			store.Act{Kind: "update_user", Target: id, Reason: body.Reason, Version: body.Version,
				IdempotencyKey: key, Params: patch})
	}
	switch {
	case err != nil:
		return s.updateRefused(c, body, err)
	case isAPI(c):
		p, err := s.userPage(c, userQuery{})
		p.one = true
		if err != nil {
			return err
		}
		return s.render(c, "user", p)
	case outcome.Action.ID == 0:
		return c.Redirect("/users/"+id.String()+"?notice=nothing", fiber.StatusSeeOther)
	}
	return done(c, "/users/"+id.String(), outcome.Action)
}

// updateRefused shows the form again with what was typed, and with its errors
// or the change that another person made in the meantime.
func (s *Server) updateRefused(c *fiber.Ctx, body userBody, err error) error {
	var invalid store.Invalid
	var conflict *store.Conflict
	wrong, late := errors.As(err, &invalid), errors.As(err, &conflict) && conflict.Version != 0
	if isAPI(c) || !wrong && !late {
		return err
	}
	p, pageErr := s.userPage(c, userQuery{Deleted: "include"})
	if pageErr != nil {
		return errors.Join(err, pageErr)
	}
	current := p.Form
	p.Form, p.Form.Key = body, current.Key
	status := fiber.StatusUnprocessableEntity
	if late {
		p.mergeForm(current)
		p.Conflict, status = conflict, fiber.StatusConflict
	}
	if p.Form.DisplayName == nil {
		p.Form.DisplayName = current.DisplayName
	}
	if p.Form.Notes == nil {
		p.Form.Notes = current.Notes
	}
	if p.Form.ShowOnLeaderboard == nil {
		p.Form.ShowOnLeaderboard = current.ShowOnLeaderboard
	}
	if p.Form.Role != nil {
		for i := range p.Roles {
			p.Roles[i].Chosen = p.Roles[i].Value == *p.Form.Role
		}
	}
	p.Wrong = invalid
	return s.showUser(c, status, p)
}

// mergeForm merges a stale form with the user as they are now. If the form is
// sent again, the person has seen the other change.
func (p *userPage) mergeForm(current userBody) {
	stale := newStaleForm(p.Form.Was)
	var former []string // notes
	for _, version := range p.User.History[min(len(p.User.History), 1):] {
		former = append(former, version.Notes)
	}
	p.Form.DisplayName = stale.text("display_name", p.Form.DisplayName, p.User.DisplayName)
	p.Form.Notes = stale.text("notes", p.Form.Notes, p.User.Notes, append(former, "")...)
	p.Form.ShowOnLeaderboard = stale.box("show_on_leaderboard", p.Form.ShowOnLeaderboard, p.User.ShowOnLeaderboard)
	p.Form.Role = stale.text("role", p.Form.Role, p.User.Role)
	p.Form.Version, p.Form.Was, p.Both = current.Version, current.Was, stale.Both
}
