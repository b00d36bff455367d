package admin

import (
	"encoding/json"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/policy"
	"treewarden/store"
)

// object is a JSON object.
type object = openapi.Object

// methods describes every method of the API, by method and path. The file with
// a method's handler describes it; store.Kinds describes the actions.
// TestOpenAPI compares methods with the routes.
var methods = map[string]openapi.Method{}

// describe adds a method of the API to the document.
func describe(methodAndPath string, m openapi.Method) { methods[methodAndPath] = m }

// formulaQuery is the part of a user's query that the API reads.
type formulaQuery struct {
	Formula string `form:"formula"`
}

// describeMethod returns the description of an API route, or nothing if there
// is none.
func describeMethod(r route) openapi.Method {
	m := methods[r.Method+" "+r.Path]
	for _, kind := range store.Kinds {
		if m.Summary != "" || r.Method != post || kind.Path == "" || !strings.HasSuffix(r.Path, "/:id/"+kind.Path) {
			continue
		}
		m = openapi.Method{Summary: kind.Title, Body: []any{actBody{}, kind.NewParams()}, Answer: store.Outcome{}}
		if kind.Personal {
			m.Answer, m.Preview = store.MessageDetail{}, store.Outcome{}
		}
	}
	m.Verb, m.Path = r.Method, apiPrefix+r.Path
	m.Needs = "Needs the permission " + string(r.Permission) + ": to " + r.Permission.Does() + "."
	if r.Permission == policy.Read && r.Method == post {
		m.Needs = "Needs the permission undo.own for one's own actions, undo.all for those of others."
	}
	return m
}

// descriptionOnce caches the description of the API: anybody may request it,
// and it takes milliseconds to make.
type descriptionOnce struct {
	once    sync.Once
	encoded []byte
	err     error
}

// openAPI answers with the description of the API, in OpenAPI 3.1.
func (s *Server) openAPI(c *fiber.Ctx) error {
	d := &s.description
	d.once.Do(func() { d.encoded, d.err = json.Marshal(s.apiDescription()) })
	if d.err != nil {
		return d.err
	}
	c.Set(fiber.HeaderCacheControl, "no-cache")
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	return c.Send(d.encoded)
}

func (s *Server) apiDescription() object {
	api := openapi.API{
		Title: "Treewarden", Description: "Moderation of crowd-sourced conversation trees.", Version: s.Version,
		Beside: besidePaths(), Error: errorPage{}.api(), Cookie: sessionCookie,
	}
	for _, r := range s.routes {
		if r.Kind != pageOnly {
			api.Methods = append(api.Methods, describeMethod(r))
		}
	}
	return openapi.Document(api)
}
