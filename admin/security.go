package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"

	"github.com/gofiber/fiber/v2"
)

// contentPolicy lets a page load its own files and nothing else: contributor
// text that slips through the sanitiser can neither run, nor call home.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secure sets the headers that every answer carries, errors included.
func (s *Server) secure(c *fiber.Ctx) error {
	s.setSecurityHeaders(c)
	return c.Next()
}

func (s *Server) setSecurityHeaders(c *fiber.Ctx) {
	c.Set(fiber.HeaderContentSecurityPolicy, contentPolicy)
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderXFrameOptions, "DENY")
	// Ids of users and messages stand in our URLs: no other site learns them.
	c.Set(fiber.HeaderReferrerPolicy, "same-origin")
	c.Set("Cross-Origin-Opener-Policy", "same-origin")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	c.Set(fiber.HeaderPermissionsPolicy, "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	if s.Secure {
		c.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000")
	}
}

// crossOrigin is the standard library's check: a browser says by
// Sec-Fetch-Site or Origin where an unsafe request comes from.
var crossOrigin = http.NewCrossOriginProtection()

// refuseCrossOrigin stops other sites from acting with a visitor's cookie. A
// request with a key needs no such check: no browser sends one by itself.
func (s *Server) refuseCrossOrigin(c *fiber.Ctx) error {
	if c.Get(fiber.HeaderAuthorization) != "" {
		return c.Next()
	}
	seen := &http.Request{Method: c.Method(), Host: c.Hostname(), URL: &url.URL{Path: c.Path()}, Header: http.Header{}}
	for _, name := range []string{"Sec-Fetch-Site", fiber.HeaderOrigin} {
		if value := c.Get(name); value != "" {
			seen.Header.Set(name, value)
		}
	}
	if err := crossOrigin.Check(seen); err != nil {
		return errCrossOrigin
	}
	return c.Next()
}

// refuseEncoded refuses a compressed body: what arrives as a megabyte unpacks
// to a gigabyte, and nobody needs it for what is sent here.
func refuseEncoded(c *fiber.Ctx) error {
	encoding := c.Get(fiber.HeaderContentEncoding)
	if encoding == "" || len(c.Request().Body()) == 0 {
		return c.Next()
	}
	// Nothing that comes after may look into it either.
	c.Request().Header.Del(fiber.HeaderContentEncoding)
	c.Request().ResetBody()
	return fiber.ErrUnsupportedMediaType
}

// recoverPanic turns a panic into an error, so that one request's fault stays
// that request's.
func recoverPanic(c *fiber.Ctx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return c.Next()
}
