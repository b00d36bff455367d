package admin

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
)

// doc describes one method of the API to programs. The shapes come from the
// very structs that handlers decode and answer.
type doc struct {
	summary string
	query   any
	body    any
	fields  string // of the body, the names that this method reads; all when empty
	answer  any
}

// docs describes every method of the API, by method and path; those of the
// actions come from store.Kinds. TestOpenAPI holds it against the routes.
var docs = map[string]doc{
	"GET /trollboard": {"Users ranked by troll score within a frame", boardQuery{}, nil, "", store.Board{}},
	"GET /users":      {"Users", usersQuery{}, nil, "", store.List[store.User]{}},
	"GET /users/:id": {"A user with stats and scores in every frame", struct {
		Formula string `form:"formula"`
	}{}, nil, "", store.UserDetail{}},
	"PATCH /users/:id":          {"Change display name, notes, place on the leaderboard or role", nil, userBody{}, "", store.UserDetail{}},
	"GET /users/:id/messages":   {"A user's messages", userQuery{}, nil, "", store.List[store.Message]{}},
	"GET /users/:id/given":      {"Labels, reactions and reports that a user gave", pageQuery{}, nil, "", store.List[store.Feedback]{}},
	"GET /users/:id/actions":    {"What was done to a user", pageQuery{}, nil, "", store.List[store.Action]{}},
	"GET /users/:id/score":      {"The parts of a user's score, and the messages behind each", scoreQuery{}, nil, "", store.Score{}},
	"GET /users/:id/rater":      {"How far what a user gave agrees with what others gave to the same messages", nil, nil, "", store.Rater{}},
	"GET /messages":             {"Messages", messagesQuery{}, nil, "", store.List[store.Message]{}},
	"GET /messages/:id":         {"A message", nil, nil, "", store.MessageDetail{}},
	"GET /messages/:id/history": {"Every text that a message had", nil, nil, "", store.List[store.Revision]{}},
	"GET /messages/:id/thread":  {"The path from the prompt down to a message, then its replies", nil, nil, "", threadAnswer{}},
	"GET /trees":                {"Trees", treesQuery{}, nil, "", store.List[store.Tree]{}},
	"GET /trees/:id":            {"A tree with all its messages nested", nil, nil, "", store.TreeDetail{}},
	"GET /audit":                {"Actions, newest first", auditQuery{}, nil, "", store.List[store.Action]{}},
	"GET /actions/:id":          {"An action", nil, nil, "", store.Action{}},
	"POST /actions/:id/undo":    {"Take an action back by a further one", nil, actBody{}, "reason preview", store.Outcome{}},
	"GET /scoring":              {"The formula in force, the ones before it, and those that never change", nil, nil, "", store.Scoring{}},
	"PUT /scoring":              {"Put another formula in force as a new version; a signal that is left out keeps its weight; note, or reason, says why", nil, formulaBody{}, "", saved{}},
	"POST /scoring/try":         {"Compare a formula with the one in force: how well each finds known trolls, who enters and leaves the top 100", nil, tryBody{}, "", store.Trial{}},
	"POST /ingest":              {"Send users, trees, messages and signals, one JSON object a line", nil, nil, "", store.Ingested{}},
	"GET /events":               {"What front ends must act on, in order; waits for the next where there is none", eventsQuery{}, nil, "", store.Events{}},
}

// reads names the fields of the body that each kind of action reads.
var reads = map[string]string{
	"ban": "reason preview version until messages trees", "edit": "reason preview version text", "review": "reason preview version result",
	"label": "labels", "react": "emoji op", "report": "reason",
}

func describeAPI(r route) doc {
	if d, ok := docs[r.Method+" "+r.Path]; ok {
		return d
	}
	for _, kind := range store.Kinds {
		if !strings.HasSuffix(r.Path, "/:id/"+verb(kind)) || r.Method != post {
			continue
		}
		fields, ok := reads[kind.Name]
		if !ok {
			fields = "reason preview version"
		}
		d := doc{kind.Title, nil, actBody{}, fields, store.Outcome{}}
		if kind.Name == "label" || kind.Name == "react" || kind.Name == "report" {
			d.answer = store.MessageDetail{}
		}
		return d
	}
	return doc{}
}

// openAPI answers the description of the API, OpenAPI 3.1.
func (s *Server) openAPI(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "no-cache")
	return c.JSON(s.apiDescription())
}

type object = map[string]any

var pathParameter = regexp.MustCompile(`:(\w+)`)

func (s *Server) apiDescription() object {
	schemas := schemaSet{}
	paths := object{}
	for _, r := range s.routes {
		if r.Kind == pageOnly {
			continue
		}
		path := apiPrefix + pathParameter.ReplaceAllString(r.Path, "{$1}")
		methods, ok := paths[path].(object)
		if !ok {
			methods = object{}
			paths[path] = methods
		}
		methods[strings.ToLower(r.Method)] = schemas.operation(r, describeAPI(r))
	}
	for path, item := range besidePaths() {
		paths[path] = item
	}
	schemas["Error"] = errorSchema
	return object{
		"openapi":  "3.1.0",
		"info":     object{"title": "Treewarden", "version": s.Version, "description": "Moderation of crowd-sourced conversation trees."},
		"paths":    paths,
		"security": []object{{"key": []string{}}, {"session": []string{}}},
		"components": object{"schemas": schemas, "securitySchemes": object{
			"key":     object{"type": "http", "scheme": "bearer", "description": "An API key"},
			"session": object{"type": "apiKey", "in": "cookie", "name": sessionCookie},
		}},
	}
}

var errorSchema = object{"type": "object", "required": []string{"error"}, "properties": object{"error": object{
	"type": "object", "required": []string{"code", "message"}, "properties": object{
		"code": object{"type": "string"}, "message": object{"type": "string"},
		"fields":  object{"type": "object", "additionalProperties": object{"type": "string"}},
		"version": object{"type": "integer", "description": "with 409: the current version"},
	}}}}

// operation describes one method.
func (schemas schemaSet) operation(r route, d doc) object {
	parameters := []object{}
	for _, name := range pathParameter.FindAllStringSubmatch(r.Path, -1) {
		schema := object{"type": "string", "format": "uuid"}
		if strings.HasPrefix(r.Path, "/actions/") {
			schema = object{"type": "integer", "format": "int64"}
		}
		parameters = append(parameters, object{"name": name[1], "in": "path", "required": true, "schema": schema})
	}
	if d.query != nil {
		parameters = append(parameters, schemas.queryParameters(reflect.TypeOf(d.query))...)
	}
	answers := object{"200": object{"description": "done", "content": jsonContent(schemas.of(reflect.TypeOf(d.answer)))}}
	for status, text := range map[string]string{"400": "malformed", "401": "no valid key or session", "403": "not permitted", "404": "not found",
		"409": "conflict", "422": "invalid fields", "429": "too many requests", "503": "the database is away"} {
		answers[status] = object{"description": text, "content": jsonContent(object{"$ref": "#/components/schemas/Error"})}
	}
	operation := object{
		"summary": d.summary, "parameters": parameters, "responses": answers,
		"description": "Needs the permission " + string(r.Permission) + ": to " + r.Permission.Does() + ".",
		"operationId": strings.Trim(regexp.MustCompile(`[^a-z]+`).ReplaceAllString(strings.ToLower(r.Method+r.Path), "_"), "_"),
	}
	if r.Permission == policy.Read && r.Method == post {
		operation["description"] = "Needs the permission undo.own for one's own actions, undo.all for those of others."
	}
	if r.Path == ingestPath {
		operation["requestBody"] = object{"required": true, "content": object{ingestType: object{"schema": ingestSchema}, fiber.MIMEApplicationJSON: object{"schema": ingestSchema}}}
	}
	if d.body != nil {
		parameters = append(parameters, object{"name": "Idempotency-Key", "in": "header", "schema": object{"type": "string", "maxLength": 200},
			"description": "makes a request that is sent again act once"})
		operation["parameters"] = parameters
		operation["requestBody"] = object{"required": true, "content": jsonContent(schemas.body(d))}
	}
	return operation
}

func jsonContent(schema object) object {
	return object{fiber.MIMEApplicationJSON: object{"schema": schema}}
}

// queryParameters describes the fields of a query struct.
func (schemas schemaSet) queryParameters(t reflect.Type) []object {
	var all []object
	for _, f := range reflect.VisibleFields(t) {
		name := f.Tag.Get("form")
		if f.Anonymous || name == "" || name == "open" || name == "tab" {
			continue
		}
		kind := f.Type
		if kind.Kind() == reflect.Pointer { // absent, never null
			kind = kind.Elem()
		}
		schema := schemas.of(kind)
		for _, rule := range strings.Split(f.Tag.Get("validate"), ",") {
			if choices, ok := strings.CutPrefix(rule, "oneof="); ok {
				schema = object{"type": "string", "enum": strings.Fields(choices)}
			}
		}
		all = append(all, object{"name": name, "in": "query", "schema": schema})
	}
	return all
}

// body describes the fields of a body that a method reads.
func (schemas schemaSet) body(d doc) object {
	properties, t := object{}, reflect.TypeOf(d.body)
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == "-" || d.fields != "" && !strings.Contains(" "+d.fields+" ", " "+name+" ") {
			continue
		}
		properties[name] = schemas.of(t.Field(i).Type)
		if name == "reason" || name == "note" {
			properties[name] = object{"type": "string", "minLength": 3, "maxLength": 500}
		}
	}
	return object{"type": "object", "properties": properties}
}

// schemaSet gathers the schemas of named structs.
type schemaSet map[string]any

// schemaName makes the name of a Go type one of a component.
func schemaName(t reflect.Type) string {
	name := regexp.MustCompile(`[\w/]+\.`).ReplaceAllString(t.Name(), "")
	return strings.NewReplacer("[", "Of", "]", "").Replace(name)
}

// of describes a type as JSON.
func (schemas schemaSet) of(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[uuid.UUID]():
		return object{"type": "string", "format": "uuid"}
	case reflect.TypeFor[json.RawMessage]():
		return object{"type": []string{"object", "array", "string", "number", "boolean", "null"}}
	case reflect.TypeFor[scoring.Window]():
		return object{"type": "string", "enum": scoring.Windows}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return nullable(schemas.of(t.Elem()))
	case reflect.Slice, reflect.Array:
		return object{"type": []string{"array", "null"}, "items": schemas.of(t.Elem())}
	case reflect.Map:
		return object{"type": []string{"object", "null"}, "additionalProperties": schemas.of(t.Elem())}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Struct:
		return schemas.component(t)
	}
	return object{"type": "string"}
}

func nullable(schema object) object {
	if kind, ok := schema["type"].(string); ok {
		withNull := object{}
		for k, v := range schema {
			withNull[k] = v
		}
		withNull["type"] = []string{kind, "null"}
		return withNull
	}
	if _, ok := schema["$ref"]; ok {
		return object{"oneOf": []object{schema, {"type": "null"}}}
	}
	return schema
}

// component describes a struct once and refers to it.
func (schemas schemaSet) component(t reflect.Type) object {
	name := schemaName(t)
	if _, ok := schemas[name]; !ok {
		properties := object{}
		schemas[name] = object{"type": "object", "properties": properties}
		for _, f := range reflect.VisibleFields(t) {
			field, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if field == "" || field == "-" {
				continue
			}
			properties[field] = schemas.of(f.Type)
		}
	}
	return object{"$ref": fmt.Sprintf("#/components/schemas/%s", name)}
}
