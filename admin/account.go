package admin

import (
	"errors"
	"strings"

	"github.com/gofiber/fiber/v2"

	"treewarden/policy"
	"treewarden/store"
)

// accountPage is a person's own account: password, display, sessions.
type accountPage struct {
	Layout
	Sessions []store.Session
	Wrong    store.Invalid
	Mine     []string // what the person's role may do
}

func (p accountPage) api() any { return nil }

func (s *Server) account(c *fiber.Ctx) error { return s.showAccount(c, fiber.StatusOK, nil) }

func (s *Server) showAccount(c *fiber.Ctx, status int, wrong store.Invalid) error {
	p := accountPage{Layout: s.layout(c, "Account"), Wrong: wrong, Mine: s.mayDo(s.person(c))}
	if p.Person.Session != nil {
		sessions, err := s.store.Sessions(c.UserContext(), p.Person)
		if err != nil {
			return err
		}
		p.Sessions = sessions
	}
	return s.renderStatus(c, status, "account", p)
}

type passwordBody struct {
	Old   string `form:"old" validate:"max=1024"`
	New   string `form:"new" validate:"required,max=1024"`
	Again string `form:"again" validate:"required,max=1024"`
}

func (s *Server) changePassword(c *fiber.Ctx) error {
	var body passwordBody
	err := decodeBody(c, &body)
	if err == nil && body.New != body.Again {
		err = store.Invalid{"again": "This is not the same as the new password above."}
	}
	if err == nil {
		err = s.store.ChangePassword(c.UserContext(), s.person(c), body.Old, body.New)
	}
	var wrong store.Invalid
	switch {
	case errors.As(err, &wrong):
		return s.showAccount(c, fiber.StatusUnprocessableEntity, wrong)
	case errors.Is(err, store.ErrTooMany):
		return s.showAccount(c, fiber.StatusTooManyRequests, store.Invalid{
			"old": "Too many wrong passwords. Wait a quarter of an hour, then try again."})
	case err != nil:
		return err
	}
	return c.Redirect("/account?notice=password", fiber.StatusSeeOther)
}

type displayBody struct {
	Theme string `form:"theme" validate:"omitempty,oneof=system light dark"`
	// Blur comes only with the form on the account page: a browser sends
	// nothing for a box that is not checked.
	Blur   *bool  `form:"blur"`
	Return string `form:"return"`
}

// changeDisplay saves the theme and whether toxic text is hidden at first.
func (s *Server) changeDisplay(c *fiber.Ctx) error {
	var body displayBody
	if err := decodeBody(c, &body); err != nil {
		return err
	}
	person := s.person(c)
	theme, blur := person.Theme, person.BlurToxic
	if body.Theme != "" {
		theme = body.Theme
	}
	if body.Blur != nil {
		blur = *body.Blur
	}
	if err := s.store.SetDisplay(c.UserContext(), person, blur, theme); err != nil {
		return err
	}
	if isPartial(c) {
		return c.SendStatus(fiber.StatusNoContent)
	}
	back := localPath(body.Return, "")
	if back == "" {
		back = "/account?notice=display"
	}
	return c.Redirect(back, fiber.StatusSeeOther)
}

func (s *Server) endSession(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	if err := s.store.EndSession(c.UserContext(), s.person(c), id); err != nil {
		return err
	}
	return c.Redirect("/account?notice=session", fiber.StatusSeeOther)
}

// mayDo lists what a person's role may do.
func (s *Server) mayDo(person store.Person) []string {
	var all []string
	for _, info := range policy.All {
		if person.May(info.Permission) {
			all = append(all, info.Does)
		}
	}
	return all
}

// validText returns a header's text as one that the database accepts.
func validText(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "�"), "\x00", "")
}
