package admin

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"treewarden/policy"
	"treewarden/store"
)

// request is what the middleware knows of a request.
type request struct {
	ID       string
	Person   store.Person
	SignedIn bool
	// Present ends when the client has left, and leave ends it.
	Present context.Context
	leave   context.CancelFunc
	// Permission is that of the route, if it is guarded.
	Permission policy.Permission
	// Faults holds the wrong values of the query.
	Faults []filterFault
}

type requestKey struct{}

// current returns the value of the request. The web server's own errors, from
// before any middleware ran, have none.
func current(c *fiber.Ctx) *request {
	if r, ok := c.Locals(requestKey{}).(*request); ok {
		return r
	}
	r := &request{ID: newRequestID()}
	c.Locals(requestKey{}, r)
	return r
}

func newRequestID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// person returns the signed-in person. Only a guarded route has one.
func (s *Server) person(c *fiber.Ctx) store.Person { return current(c).Person }

// actor returns the signed-in person as the store's actor.
func (s *Server) actor(c *fiber.Ctx) store.Actor { return current(c).Person.Actor }

// guard lets a request pass if the person has the route's permission. It reads
// the person and their role's permissions anew for each request, so that a ban
// or a change of role takes effect on the next one.
func (s *Server) guard(r route) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if r.Permission == public {
			return c.Next()
		}
		current(c).Permission = r.Permission
		if err := s.identify(c); err != nil {
			return err
		}
		if person := s.person(c); !person.May(r.Permission) {
			return &store.Forbidden{Permission: r.Permission, Why: fmt.Sprintf(
				"You may not %s: your role (%s) lacks the permission %s.",
				r.Permission.Does(), person.Policy.Title(person.Role), r.Permission)}
		}
		return c.Next()
	}
}

// identify finds the person by key or by cookie. It returns errNotSignedIn if
// there is none.
func (s *Server) identify(c *fiber.Ctx) error {
	r := current(c)
	if r.SignedIn {
		return nil
	}
	shown, err := s.credentials(c)
	if err != nil {
		return err
	}
	if r.Person, err = s.whose(c.UserContext(), shown, s.store.PersonBySession); err != nil {
		return err
	}
	r.SignedIn = true
	if conn, ok := c.Context().Conn().(*conn); ok {
		conn.setKnown()
	}
	return nil
}

// credentials identify a person in a request: a key, or a session's token.
type credentials struct{ key, token string }

func (s *Server) credentials(c *fiber.Ctx) (credentials, error) {
	return credentialsOf(c.Get(fiber.HeaderAuthorization), c.Cookies(s.cookieName()))
}

// credentialsOf reads the header Authorization, or else a session's cookie.
func credentialsOf(header, token string) (credentials, error) {
	if header != "" {
		scheme, key, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") || key == "" || !printable(key) {
			return credentials{}, errBadKey
		}
		return credentials{key: key}, nil
	}
	if token == "" || !printable(token) {
		return credentials{}, errNotSignedIn
	}
	return credentials{token: token}, nil
}

// whose returns the person of the credentials, as the database has them now.
func (s *Server) whose(ctx context.Context, shown credentials,
	bySession func(context.Context, string) (store.Person, error)) (store.Person, error) {
	find, secret, nobody := bySession, shown.token, errNotSignedIn
	if shown.key != "" {
		find, secret, nobody = s.store.PersonByKey, shown.key, errBadKey
	}
	person, err := find(ctx, secret)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return person, nobody
	case err != nil:
		return person, fmt.Errorf("find out who asks: %w", err)
	}
	return person, nil
}

// sessionCookie is the session cookie's name if https is not enforced.
const sessionCookie = "treewarden"

// cookieName returns the session cookie's name. With the prefix __Host-,
// browsers accept the cookie only from this host over https.
func (s *Server) cookieName() string {
	if s.Secure {
		return "__Host-" + sessionCookie
	}
	return sessionCookie
}

func (s *Server) setSession(c *fiber.Ctx, token string) {
	cookie := &fiber.Cookie{
		Name: s.cookieName(), Value: token, Path: "/",
		HTTPOnly: true, Secure: s.overTLS(c), SameSite: fiber.CookieSameSiteLaxMode,
	}
	if token == "" {
		cookie.MaxAge = -1
		cookie.Expires = time.Unix(1, 0)
	}
	c.Cookie(cookie)
}

// localPath returns a path of this site that a request named. If the path leads
// elsewhere, it returns the fallback.
func localPath(path, fallback string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t\x00") ||
		!printable(path) {
		return fallback
	}
	u, err := url.Parse(path)
	if err != nil || u.Host != "" || u.Scheme != "" || strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, `\`) {
		return fallback
	}
	return path
}

// here returns the path and query of the request.
func here(c *fiber.Ctx) string { return localPath(string(c.Request().URI().RequestURI()), "/") }

// hereWithout returns here without some parameters of the query.
func hereWithout(c *fiber.Ctx, names ...string) string {
	values := query(c)
	for _, name := range names {
		values.Del(name)
	}
	if len(values) == 0 {
		return c.Path()
	}
	return c.Path() + "?" + values.Encode()
}

// withQuery adds a parameter to a local path.
func withQuery(path, name, value string) string {
	u, err := url.Parse(path)
	if err != nil {
		return path
	}
	values := u.Query()
	for _, news := range []string{"done", "notice"} {
		values.Del(news)
	}
	values.Set(name, value)
	u.RawQuery = values.Encode()
	return u.String()
}
