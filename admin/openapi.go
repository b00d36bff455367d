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

// methods describes every method of the API, by method and path; those of the
// actions come from store.Kinds. TestOpenAPI holds it against the routes.
var methods = map[string]openapi.Method{
	"GET /trollboard": {
		Summary: "Users ranked by troll score within a frame",
		Query:   boardQuery{}, Answer: store.Board{},
	},
	"GET /users": {
		Summary: "Users",
		Query:   usersQuery{}, Answer: store.List[store.User]{},
	},
	"GET /users/:id": {
		Summary: "A user with stats and scores in every frame",
		Query:   formulaQuery{}, Answer: store.UserDetail{},
	},
	"PATCH /users/:id": {
		Summary: "Change display name, notes, place on the leaderboard or role",
		Body:    userBody{}, Answer: store.UserDetail{},
	},
	"GET /users/:id/messages": {
		Summary: "A user's messages",
		Query:   userQuery{}, Answer: store.List[store.Message]{},
	},
	"GET /users/:id/given": {
		Summary: "Labels, reactions and reports that a user gave",
		Query:   pageQuery{}, Answer: store.List[store.Feedback]{},
	},
	"GET /users/:id/actions": {
		Summary: "What was done to a user",
		Query:   pageQuery{}, Answer: store.List[store.Action]{},
	},
	"GET /users/:id/score": {
		Summary: "The parts of a user's score, and the messages behind each",
		Query:   scoreQuery{}, Answer: store.Score{},
	},
	"GET /users/:id/rater": {
		Summary: "How far what a user gave agrees with what others gave to the same messages",
		Answer:  store.Rater{},
	},
	"GET /messages": {
		Summary: "Messages",
		Query:   messagesQuery{}, Answer: store.List[store.Message]{},
	},
	"GET /messages/:id": {
		Summary: "A message",
		Answer:  store.MessageDetail{},
	},
	"GET /messages/:id/history": {
		Summary: "Every text that a message had",
		Answer:  store.List[store.Revision]{},
	},
	"GET /messages/:id/thread": {
		Summary: "The path from the prompt down to a message, then its replies",
		Answer:  threadAnswer{},
	},
	"GET /trees": {
		Summary: "Trees",
		Query:   treesQuery{}, Answer: store.List[store.Tree]{},
	},
	"GET /trees/:id": {
		Summary: "A tree with all its messages nested",
		Answer:  store.TreeDetail{},
	},
	"GET /audit": {
		Summary: "Actions, newest first",
		Query:   auditQuery{}, Answer: store.List[store.Action]{},
	},
	"GET /actions/:id": {
		Summary: "An action",
		ID:      int64(0), Answer: store.Action{},
	},
	"POST /actions/:id/undo": {
		Summary: "Take an action back by a further one",
		ID:      int64(0), Body: actBody{}, Fields: []string{"reason", "preview"}, Answer: store.Outcome{},
	},
	"GET /scoring": {
		Summary: "The formula in force, the ones before it, and those that never change",
		Answer:  store.Scoring{},
	},
	"PUT /scoring": {
		Summary: "Put another formula in force as a new version; a signal that is left out keeps its weight; " +
			"note, or reason, says why",
		Body: formulaBody{}, Answer: saved{},
	},
	"POST /scoring/try": {
		Summary: "Compare a formula with the one in force: how well each finds sanctioned users, " +
			"who enters and leaves the top 100",
		Body: tryBody{}, Answer: store.Trial{},
	},
	"POST /ingest": {
		Summary: "Send users, trees, messages and signals, one JSON object a line",
		Lines: object{
			ingestType:                object{"schema": ingestSchema},
			fiber.MIMEApplicationJSON: object{"schema": ingestSchema},
		},
		Answer: store.Ingested{},
	},
	"GET /events": {
		Summary: "What front ends must act on, in order; waits for the next where there is none",
		Query:   eventsQuery{}, Answer: store.Events{},
	},
}

// formulaQuery is what the API reads of a user's query.
type formulaQuery struct {
	Formula string `form:"formula"`
}

// describeMethod describes a route of the API, or nothing where it is unknown.
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

// descriptionOnce keeps the description of the API: anybody may ask for it, and
// making it takes milliseconds.
type descriptionOnce struct {
	once    sync.Once
	encoded []byte
	err     error
}

// openAPI answers the description of the API, OpenAPI 3.1.
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
