package admin

import (
	"errors"

	"github.com/gofiber/fiber/v2"

	"treewarden/store"
)

// signInBody is the body of the sign-in form.
type signInBody struct {
	Username string `form:"username" validate:"required,max=256"`
	Password string `form:"password" validate:"required,max=1024"`
	Return   string `form:"return"`
}

type signInPage struct {
	Layout
	Username string
	Return   string
	Wrong    store.Invalid
	Refusal  string // why the form is shown again
	Notice   string
	Link     string // the token of a one-time link that the button redeems
}

func (p signInPage) api() any { return nil }

func (s *Server) signInPage(c *fiber.Ctx) error {
	back := localPath(c.Query("return"), "/")
	if s.identify(c) == nil {
		return c.Redirect(back, fiber.StatusSeeOther)
	}
	return s.render(c, "signin", signInPage{Layout: s.layout(c, "Sign in"), Return: back,
		Notice: notices[c.Query("notice")]})
}

// signIn checks name and password. Its errors do not reveal whether the name
// exists.
func (s *Server) signIn(c *fiber.Ctx) error {
	var body signInBody
	err := decodeBody(c, &body)
	var token string
	if err == nil {
		token, err = s.store.SignIn(c.UserContext(), body.Username, body.Password, clientIP(c), userAgent(c))
	}
	if err == nil {
		s.setSession(c, token)
		return c.Redirect(localPath(body.Return, "/"), fiber.StatusSeeOther)
	}
	p := signInPage{Layout: s.layout(c, "Sign in"), Username: body.Username, Return: localPath(body.Return, "/")}
	status := fiber.StatusUnauthorized
	var noAccess *store.NoAccess
	switch {
	case errors.As(err, &p.Wrong):
		status = fiber.StatusUnprocessableEntity
	case errors.Is(err, store.ErrTooMany):
		status = fiber.StatusTooManyRequests
		p.Refusal = "Too many attempts. Wait 15 minutes, then try again."
	case errors.As(err, &noAccess):
		p.Refusal = noAccess.Why
	case errors.Is(err, store.ErrSignIn):
		p.Refusal = "The name or the password is wrong. Check both. An admin can set a new password."
	default:
		return err
	}
	return s.renderStatus(c, status, "signin", p)
}

// redeemLink signs a person in by a one-time link, and redirects to the
// trollboard. A request that only looks at the link (HEAD, a browser's
// prefetch) does not redeem it.
func (s *Server) redeemLink(c *fiber.Ctx) error {
	back := localPath(c.Query("return"), "/trollboard")
	if c.Method() == fiber.MethodHead || c.Get("Sec-Purpose") != "" || c.Get("Purpose") == "prefetch" {
		return c.SendStatus(fiber.StatusNoContent)
	}
	link := c.Query("token")
	if link == "" || !printable(link) {
		return store.Malformed("this sign-in link is not whole: copy all of it")
	}
	token, err := s.store.RedeemLink(c.UserContext(), link, clientIP(c), userAgent(c))
	switch {
	case errors.Is(err, store.ErrSignIn) || errors.Is(err, store.ErrNotFound):
		if s.identify(c) == nil { // the same person opened the link again
			return c.Redirect(back, fiber.StatusSeeOther)
		}
		p := signInPage{Layout: s.layout(c, "Sign in"), Return: back,
			Refusal: "This sign-in link was used already or has expired. Sign in with your password, or ask an admin for a " +
				"new link."}
		return s.renderStatus(c, fiber.StatusUnauthorized, "signin", p)
	case err != nil:
		return err
	}
	s.setSession(c, token)
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	return c.Redirect(back, fiber.StatusSeeOther)
}

// signOut ends the session. It accepts a session that has ended already.
func (s *Server) signOut(c *fiber.Ctx) error {
	if token := c.Cookies(s.cookieName()); token != "" && printable(token) {
		if err := s.store.SignOut(c.UserContext(), token); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	s.setSession(c, "")
	return c.Redirect("/sign-in?notice=signed-out", fiber.StatusSeeOther)
}

// userAgent returns the browser's User-Agent, cut for a list of sessions.
func userAgent(c *fiber.Ctx) string { return excerpt(validText(c.Get(fiber.HeaderUserAgent)), 200) }
