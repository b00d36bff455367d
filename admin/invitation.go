package admin

import (
	"errors"
	"time"

	"github.com/gofiber/fiber/v2"

	"treewarden/store"
)

// invitationPath is the page that an invitation opens. Reading it does not use the
// link up, so that a program that looks at links in messages does no harm.
const invitationPath = "/sign-in/invitation"

// invitationBody is the form of an invitation.
type invitationBody struct {
	Token    string `form:"token" validate:"required,max=200"`
	Password string `form:"password" validate:"max=1024"`
	Again    string `form:"again" validate:"max=1024"`
	// Without says that the person goes on without a password.
	Without bool `form:"without"`
}

type invitationPage struct {
	Layout
	Token   string
	Name    string
	Expires time.Time
	Wrong   store.Invalid
	Refusal string // why the link opens nothing
}

func (p invitationPage) api() any { return nil }

// usedLink is the answer to a link that opens nothing.
const usedLink = "This link was used already, was replaced by a new one, or has expired. Sign in with your " +
	"password, or ask an admin for a new link."

// showInvitation shows the form in which a person sets their password.
func (s *Server) showInvitation(c *fiber.Ctx) error {
	return s.renderInvitation(c, fiber.StatusOK, c.Query("token"), nil)
}

func (s *Server) renderInvitation(c *fiber.Ctx, status int, token string, wrong store.Invalid) error {
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	if token == "" || !printable(token) {
		return store.Malformed("this link is not whole: copy all of it")
	}
	p := invitationPage{Layout: s.layout(c, "Welcome"), Token: token, Wrong: wrong}
	p.SignedIn = false
	owner, err := s.store.ReadLink(c.UserContext(), token)
	switch {
	case errors.Is(err, store.ErrSignIn):
		p.Refusal, status = usedLink, fiber.StatusUnauthorized
	case err != nil:
		return err
	}
	p.Name, p.Expires = owner.Name, owner.Expires
	return s.renderStatus(c, status, "invitation", p)
}

// acceptInvitation signs a person in by their link, and sets their password unless
// they go on without one.
func (s *Server) acceptInvitation(c *fiber.Ctx) error {
	var body invitationBody
	err := decodeBody(c, &body)
	if err == nil && !printable(body.Token) {
		return store.Malformed("this link is not whole: copy all of it")
	}
	if err == nil && !body.Without && body.Password != body.Again {
		err = store.Invalid{"again": "This is not the same as the password above."}
	}
	var session string
	if err == nil && body.Without {
		session, err = s.store.RedeemLink(c.UserContext(), body.Token, clientIP(c), userAgent(c))
	} else if err == nil {
		session, err = s.store.AcceptInvitation(c.UserContext(), body.Token, body.Password, clientIP(c), userAgent(c))
	}
	var wrong store.Invalid
	switch {
	case errors.As(err, &wrong) && wrong["token"] == "":
		return s.renderInvitation(c, fiber.StatusUnprocessableEntity, body.Token, wrong)
	case errors.Is(err, store.ErrSignIn):
		return s.renderInvitation(c, fiber.StatusUnauthorized, body.Token, nil)
	case err != nil:
		return err
	}
	s.setSession(c, session)
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	return c.Redirect("/", fiber.StatusSeeOther)
}
