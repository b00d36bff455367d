package admin

import (
	"errors"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/accounts"
)

// accountPage is a person's own account: password, display, sessions.
type accountPage struct {
	Layout
	Sessions []store.Session
	Display  displayForm
	Wrong    store.Invalid
	Mine     []string // what the person's role may do
}

// displayForm holds the person's settings, or what they typed.
type displayForm struct {
	Theme                    string
	Blur                     bool
	BreakAfter, ToxicPerHour string // empty is off
}

func (p accountPage) api() any { return nil }

func (s *Server) account(c *fiber.Ctx) error {
	return s.showAccount(c, fiber.StatusOK, displayBody{}, nil)
}

// showAccount shows the account with what the person sent for their settings.
func (s *Server) showAccount(c *fiber.Ctx, status int, sent displayBody, wrong store.Invalid) error {
	p := accountPage{Layout: s.layout(c, "Account"), Display: sent.form(s.person(c)), Wrong: wrong,
		Mine: s.mayDo(s.person(c))}
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
		return s.showAccount(c, fiber.StatusUnprocessableEntity, displayBody{}, wrong)
	case errors.Is(err, store.ErrTooMany):
		return s.showAccount(c, fiber.StatusTooManyRequests, displayBody{}, store.Invalid{
			"old": "Too many wrong passwords. Wait 15 minutes, then try again."})
	case err != nil:
		return err
	}
	return c.Redirect("/account?notice=password", fiber.StatusSeeOther)
}

type displayBody struct {
	Theme string `form:"theme" validate:"omitempty,oneof=system light dark"`
	// Blur comes only with the form on the account page: a browser sends
	// nothing for a box that is not checked.
	Blur *bool `form:"blur"`
	// Minutes, and cases. They come only with their form too; empty is off.
	BreakAfter   *string `form:"break_after"`
	ToxicPerHour *string `form:"toxic_per_hour"`
	Return       string  `form:"return"`
}

// form returns the person's settings, with what they sent in their place.
func (b displayBody) form(person store.Person) displayForm {
	f := displayForm{Theme: person.Theme, Blur: person.BlurToxic,
		BreakAfter: settingText(person.Wellbeing.BreakAfter), ToxicPerHour: settingText(person.Wellbeing.ToxicPerHour)}
	if b.Theme != "" {
		f.Theme = b.Theme
	}
	if b.Blur != nil {
		f.Blur = *b.Blur
	}
	if b.BreakAfter != nil {
		f.BreakAfter = *b.BreakAfter
	}
	if b.ToxicPerHour != nil {
		f.ToxicPerHour = *b.ToxicPerHour
	}
	return f
}

// changeDisplay saves the theme, whether toxic text is hidden at first, and what the
// person set for their wellbeing.
func (s *Server) changeDisplay(c *fiber.Ctx) error {
	var body displayBody
	err := decodeBody(c, &body)
	if err == nil {
		err = s.setDisplay(c, body)
	}
	var wrong store.Invalid
	switch {
	case errors.As(err, &wrong) && s.person(c).Session != nil && !isPartial(c):
		return s.showAccount(c, fiber.StatusUnprocessableEntity, body, wrong)
	case err != nil:
		return err
	case isPartial(c):
		return c.SendStatus(fiber.StatusNoContent)
	}
	back := localPath(body.Return, "")
	if back == "" {
		back = "/account?notice=display"
	}
	return c.Redirect(back, fiber.StatusSeeOther)
}

func (s *Server) setDisplay(c *fiber.Ctx, body displayBody) error {
	person := s.person(c)
	form, wrong := body.form(person), store.Invalid{}
	display := store.Display{Theme: form.Theme, BlurToxic: form.Blur}
	var ok bool
	if display.BreakAfter, ok = settingOf(form.BreakAfter); !ok {
		wrong["break_after"] = accounts.WrongBreakAfter
	}
	if display.ToxicPerHour, ok = settingOf(form.ToxicPerHour); !ok {
		wrong["toxic_per_hour"] = accounts.WrongToxicPerHour
	}
	if len(wrong) > 0 {
		return wrong
	}
	return s.store.SetDisplay(c.UserContext(), person, display)
}

// settingText is the text of a number that a person set; 0 is off, and empty.
func settingText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// settingOf reads a number that a person sent. It reports whether it is one.
func settingOf(text string) (n int, ok bool) {
	if text = strings.TrimSpace(text); text == "" {
		return 0, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n > 0
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
