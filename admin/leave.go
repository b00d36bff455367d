package admin

import (
	"net/url"

	"github.com/gofiber/fiber/v2"

	"treewarden/markup"
	"treewarden/store"
)

// leaveQuery names the target of a link that a contributor wrote.
type leaveQuery struct {
	To string `form:"to" validate:"required,max=65536"`
}

// leavePage asks before a person leaves the console.
type leavePage struct {
	Layout
	To, Host string
}

func (p leavePage) api() any { return nil }

// leave shows the target of a link in the text of a contributor. Only a press on its
// button leads there.
func (s *Server) leave(c *fiber.Ctx) error {
	var q leaveQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	target, err := url.Parse(q.To)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return store.Malformed("to: an address that begins with http:// or https:// is needed")
	}
	return s.render(c, "leave", leavePage{Layout: s.layout(c, "Leave Treewarden"), To: q.To, Host: target.Hostname()})
}

const leavePath = markup.LeavePath
