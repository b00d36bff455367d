package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"

	"github.com/gofiber/fiber/v2"
)

// contentPolicy lets a page load its own files only. If a contributor's text
// got through the sanitiser, it could neither run nor send anything to another
// site.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secure sets the headers of every answer, errors included.
func (s *Server) secure(c *fiber.Ctx) error {
	s.setSecurityHeaders(c)
	return c.Next()
}

func (s *Server) setSecurityHeaders(c *fiber.Ctx) {
	c.Set(fiber.HeaderContentSecurityPolicy, contentPolicy)
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderXFrameOptions, "DENY")
	// Answers are for one person, and cookies for one browser. Handlers of public
	// files set another value.
	c.Set(fiber.HeaderCacheControl, "no-store")
	// Our URLs hold ids of users and messages. No other site may learn them.
	c.Set(fiber.HeaderReferrerPolicy, "same-origin")
	c.Set("Cross-Origin-Opener-Policy", "same-origin")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	c.Set(fiber.HeaderPermissionsPolicy, "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	if s.Secure {
		c.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000")
	}
}

// crossOrigin is the standard library's check. It uses the headers
// Sec-Fetch-Site and Origin, in which a browser names the origin of an unsafe
// request.
var crossOrigin = http.NewCrossOriginProtection()

// refuseCrossOrigin stops other sites from acting with a visitor's cookie. A
// request with a key needs no such check, because no browser sends a key by
// itself.
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

// refuseEncoded refuses a compressed body. A megabyte could unpack to a
// gigabyte, and no client needs compression for such requests.
func refuseEncoded(c *fiber.Ctx) error {
	encoding := c.Get(fiber.HeaderContentEncoding)
	if encoding == "" || len(c.Request().Body()) == 0 {
		return c.Next()
	}
	// No later handler may read the body either.
	c.Request().Header.Del(fiber.HeaderContentEncoding)
	c.Request().ResetBody()
	return fiber.ErrUnsupportedMediaType
}

// recoverPanic turns a panic into an error, so that it ends one request only.
func recoverPanic(c *fiber.Ctx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return c.Next()
}
