package admin

import (
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/store"
	"treewarden/store/messages"
)

// knownParameters returns a handler that refuses a request of the API with a
// parameter that the description of its method does not have, or with one
// parameter twice: a misspelt filter must not answer with everything, and
// "preview" in the address must not act. Pages ignore parameters that they do
// not know, because mail programs and other sites add some to links.
func knownParameters(r route) fiber.Handler {
	m := describeMethod(r)
	known, inBody := openapi.Parameters(m.Query), openapi.BodyFields(m)
	return func(c *fiber.Ctx) error {
		if len(c.Request().URI().QueryString()) == 0 {
			return c.Next()
		}
		values, err := parseQuery(c)
		if err != nil {
			return err
		}
		var wrong []string
		for name, all := range values {
			switch {
			case !slices.Contains(known, name):
				wrong = append(wrong, unknownParameter(name, known, inBody))
			case len(all) > 1:
				wrong = append(wrong, name+": is there more than once; send it once")
			}
		}
		if len(wrong) > 0 {
			slices.Sort(wrong)
			return store.Malformed("wrong in the query: " + strings.Join(wrong[:min(len(wrong), 5)], "; "))
		}
		return c.Next()
	}
}

// unknownParameter says that there is no such parameter, and what was meant.
func unknownParameter(name string, known, inBody []string) string {
	shown := name
	if runes := []rune(name); len(runes) > 60 {
		shown = string(runes[:60]) + "…"
	}
	why := shown + ": there is no such parameter here; "
	switch {
	case slices.Contains(inBody, name):
		return why + "send it as a field of the body"
	case len(known) == 0:
		return why + "this address takes none"
	}
	return why + "the nearest one is " + messages.Nearest(strings.ToLower(shown), known)[0] + ", and all are " +
		strings.Join(known, ", ")
}

// parseQuery decodes the query of the request, whole.
func parseQuery(c *fiber.Ctx) (url.Values, error) {
	values, err := url.ParseQuery(string(c.Request().URI().QueryString()))
	if err != nil {
		return nil, store.Malformed("the query cannot be decoded: write % as %25 and ; as %3B")
	}
	for name, all := range values {
		for _, value := range append(all, name) {
			if !isText(value) {
				return nil, store.Malformed("the query holds a NUL character or invalid UTF-8")
			}
		}
	}
	return values, nil
}
