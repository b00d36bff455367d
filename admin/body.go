package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// openBody is the limit of the body of a request by somebody who is not known to the
// console, in bytes.
const openBody = 64 << 10

// bigBodies is the number of requests at the same time with a body over bodyLimit.
const bigBodies = 8

// bigBodyWait is how long a request waits for others with big bodies.
const bigBodyWait = 5 * time.Second

var errTooManyBodies = errors.New("other requests with as much to read are under way")

var errUnclear = errors.New("the headers of this request do not say in one way where its body ends")

// The header that announced sets instead of the body that is not read, and its
// values. No client can set it.
const (
	unreadHeader = "X-Treewarden-Unread"
	unreadLong   = "long"
	unreadBy     = "unknown"
	// unreadUnclear: it is not clear where the body ends.
	unreadUnclear = "unclear"
)

// announced looks at the header of a request. The web server waits for the beginning
// of a body before anything else; it gets none that is too long, or by somebody who
// is not known.
func (s *Server) announced(header *fasthttp.RequestHeader) fasthttp.RequestConfig {
	header.Del(unreadHeader)
	if !isFramed(header) {
		leaveUnread(header, unreadUnclear)
		return fasthttp.RequestConfig{}
	}
	size, why := header.ContentLength(), ""
	switch {
	case size <= openBody: // or not known
		return fasthttp.RequestConfig{}
	case size > limitOf(header):
		why = unreadLong
	case !s.knows(header):
		why = unreadBy
	default:
		return fasthttp.RequestConfig{}
	}
	leaveUnread(header, why)
	return fasthttp.RequestConfig{}
}

// leaveUnread has the web server read no body, and close the connection.
func leaveUnread(header *fasthttp.RequestHeader, why string) {
	header.Set(unreadHeader, why)
	header.Del(fiber.HeaderTransferEncoding)
	header.SetContentLength(0)
	header.SetConnectionClose()
	header.Del(fiber.HeaderExpect)
}

// isFramed reports whether a request says in one way only where its body ends. A proxy
// could read another way than the web server, and take a part of the body for a
// request of somebody else.
func isFramed(header *fasthttp.RequestHeader) bool {
	lengths, encodings := 0, 0
	for line := range bytes.Lines(header.RawHeaders()) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			continue
		}
		name, value, found := bytes.Cut(line, []byte(":"))
		if !found || bytes.ContainsAny(name, " \t") { // also a line that goes on
			return false
		}
		switch strings.ToLower(string(name)) {
		case "content-length":
			lengths++
		case "transfer-encoding":
			encodings++
			if !strings.EqualFold(strings.TrimSpace(string(value)), "chunked") || !header.IsHTTP11() {
				return false
			}
		}
	}
	return lengths+encodings <= 1
}

// knows reports whether a request shows a key or a session that is valid.
func (s *Server) knows(header *fasthttp.RequestHeader) bool {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	shown, err := credentialsOf(string(header.Peek(fiber.HeaderAuthorization)), string(header.Cookie(s.cookieName())))
	if err == nil {
		_, err = s.whose(ctx, shown, s.store.PersonWatching)
	}
	return err == nil
}

// readBody reads the body of a request. A body that is longer than those of sign-in
// forms is read only after the key or the session is checked: nobody else may fill
// the memory.
func (s *Server) readBody(c *fiber.Ctx) error {
	switch c.Get(unreadHeader) {
	case unreadUnclear:
		return errUnclear
	case unreadLong:
		return fiber.ErrRequestEntityTooLarge
	case unreadBy:
		if err := s.identifySender(c); err != nil {
			return err
		}
		return errNotSignedIn // they signed in a moment ago
	}
	stream := c.Context().RequestBodyStream()
	if stream == nil {
		return c.Next()
	}
	body, leave, err := s.takeBody(c, stream)
	defer leave()
	if err != nil {
		// What shows the error must not read on. The rest would be the next request.
		c.Request().ResetBody()
		c.Context().SetConnectionClose()
		return err
	}
	c.Request().SetBodyRaw(body)
	return c.Next()
}

// closeUnread ends a connection on which the body of a request was not read: it would
// be taken for the next request.
func closeUnread(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		next(ctx)
		if ctx.Request.IsBodyStream() {
			ctx.SetConnectionClose()
		}
	}
}

// takeBody returns the body of a request. The caller calls leave when it does not
// need it any more.
func (s *Server) takeBody(c *fiber.Ctx, stream io.Reader) (body []byte, leave func(), err error) {
	leave = func() {}
	size, limit := c.Request().Header.ContentLength(), limitOf(&c.Request().Header)
	if size > limit {
		return nil, leave, fiber.ErrRequestEntityTooLarge
	}
	var buffer bytes.Buffer
	if size <= openBody { // or unknown
		if _, err := buffer.ReadFrom(io.LimitReader(stream, openBody+1)); err != nil {
			return nil, leave, unread(err)
		}
		if buffer.Len() <= openBody {
			return whole(buffer.Bytes(), size, leave)
		}
	}
	if c.Get(fiber.HeaderContentEncoding) != "" {
		return nil, leave, fiber.ErrUnsupportedMediaType
	}
	if err := s.identifySender(c); err != nil {
		return nil, leave, err
	}
	if size < 0 || size > bodyLimit {
		wait := time.NewTimer(bigBodyWait)
		defer wait.Stop()
		select {
		case s.bodies <- struct{}{}:
			leave = func() { <-s.bodies }
		case <-wait.C:
			return nil, leave, errTooManyBodies
		}
	}
	// The buffer grows with what arrives, not with what was announced.
	if _, err := buffer.ReadFrom(io.LimitReader(stream, int64(limit+1-buffer.Len()))); err != nil {
		return nil, leave, unread(err)
	}
	if buffer.Len() > limit {
		return nil, leave, fiber.ErrRequestEntityTooLarge
	}
	return whole(buffer.Bytes(), size, leave)
}

// identifySender is identify for the sender of a long body. The forms of somebody who
// is not signed in need none.
func (s *Server) identifySender(c *fiber.Ctx) error {
	if strings.HasPrefix(c.Path(), "/sign-") {
		return fiber.ErrRequestEntityTooLarge
	}
	return s.identify(c)
}

// whole returns a body if it is as long as announced.
func whole(body []byte, size int, leave func()) ([]byte, func(), error) {
	if size >= 0 && len(body) != size {
		return nil, leave, fiber.ErrBadRequest
	}
	return body, leave, nil
}

// unread returns the error for a body that did not arrive.
func unread(err error) error {
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		return fiber.ErrRequestTimeout
	}
	return fmt.Errorf("%w: %w", fiber.ErrBadRequest, err)
}
