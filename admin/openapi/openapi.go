// Package openapi describes a JSON API in OpenAPI 3.1. It makes the schemas
// from the Go types that handlers decode and answer with.
package openapi

import (
	"maps"
	"regexp"
	"strings"

	"github.com/google/uuid"
)

// Object is a JSON object.
type Object = map[string]any

// Method is one method of the API.
type Method struct {
	Verb    string // GET
	Path    string // in the form of a route: /api/v1/users/:id
	Summary string
	Needs   string   // the permission, as a sentence
	ID      any      // a value of the type of the path's id; nil means a UUID
	Query   any      // a struct with form tags; nil means none
	Body    any      // a struct with json tags, or several as []any; nil means none
	Fields  []string // the fields of Body that this method reads; empty means all
	Lines   Object   // for a body of lines: media types and the schema of a line
	Answer  any      // nil if the answer is a file or a job in any case
	Preview any      // the answer of a preview; nil means Answer
	Job     any      // the answer, with 202, if the act becomes a job; nil means it never does
	File    string   // the media type of an answer that is a file and that may be gone
}

// API holds all that a document describes.
type API struct {
	Title, Description, Version string

	Methods []Method
	Beside  Object // further paths, described by hand
	Error   any    // the answer of every refusal
	Cookie  string // the name of the session's cookie
}

// refusals lists the statuses that every method may answer with.
var refusals = map[string]string{
	"400": "malformed",
	"401": "no valid key or session",
	"403": "not permitted",
	"404": "not found",
	"409": "conflict",
	"413": "too large",
	"415": "the body is compressed",
	"422": "invalid fields",
	"429": "too many requests",
	"503": "the database does not answer, or others are at work (code busy); Retry-After says when to try again",
}

// Document returns the document of an API.
func Document(api API) Object {
	s := newSchemas()
	paths := maps.Clone(api.Beside)
	for _, m := range api.Methods {
		path := pathParameter.ReplaceAllString(m.Path, "{$1}")
		item, ok := paths[path].(Object)
		if !ok {
			item = Object{}
			paths[path] = item
		}
		item[strings.ToLower(m.Verb)] = s.operation(m)
	}
	s.components["Error"] = s.answer(api.Error)
	responses := Object{}
	for status, description := range refusals {
		schema := Object{"$ref": componentPrefix + "Error"}
		responses[status] = Object{"description": description, "content": Content(schema)}
	}
	return Object{
		"openapi": "3.1.0",
		"info": Object{
			"title": api.Title, "version": api.Version, "description": api.Description,
			"license": Object{"name": "Apache License 2.0", "identifier": "Apache-2.0"},
		},
		"servers":  []Object{{"url": "/"}},
		"paths":    paths,
		"security": []Object{{"key": []string{}}, {"session": []string{}}},
		"components": Object{"schemas": s.components, "responses": responses, "securitySchemes": Object{
			"key":     Object{"type": "http", "scheme": "bearer", "description": "An API key"},
			"session": Object{"type": "apiKey", "in": "cookie", "name": api.Cookie},
		}},
	}
}

// Content returns a JSON body with a schema.
func Content(schema any) Object {
	return Object{"application/json": Object{"schema": schema}}
}

var (
	pathParameter = regexp.MustCompile(`:(\w+)`)
	notLetters    = regexp.MustCompile(`[^a-z]+`)
)

// operation describes one method.
func (s *schemas) operation(m Method) Object {
	responses := Object{}
	if m.Answer != nil {
		var answer any = s.answer(m.Answer)
		if m.Preview != nil {
			answer = Object{"anyOf": []any{s.answer(m.Preview), answer}}
		}
		responses["200"] = Object{"description": "done", "content": Content(answer)}
	}
	if m.Job != nil {
		responses["202"] = Object{"description": "a job does it", "content": Content(s.answer(m.Job))}
	}
	if m.File != "" {
		responses["200"] = Object{"description": "the file", "content": Object{m.File: Object{}}}
		responses["410"] = Object{"description": "the file was removed after its time",
			"content": Content(Object{"$ref": componentPrefix + "Error"})}
	}
	for status := range refusals {
		responses[status] = Object{"$ref": "#/components/responses/" + status}
	}
	id := strings.TrimPrefix(m.Path, "/api/v1")
	operation := Object{
		"summary": m.Summary, "description": m.Needs, "parameters": s.parameters(m), "responses": responses,
		"operationId": strings.Trim(notLetters.ReplaceAllString(strings.ToLower(m.Verb+id), "_"), "_"),
	}
	content := Object{}
	if m.Body != nil {
		content = Content(s.body(m.Body, m.Fields))
	}
	maps.Copy(content, m.Lines)
	if len(content) > 0 {
		operation["requestBody"] = Object{"required": true, "content": content}
	}
	return operation
}

// parameters describes the parameters of a method: path, query and header.
func (s *schemas) parameters(m Method) []Object {
	all := []Object{}
	for _, name := range pathParameter.FindAllStringSubmatch(m.Path, -1) {
		id := m.ID
		if id == nil {
			id = uuid.UUID{}
		}
		all = append(all, Object{"name": name[1], "in": "path", "required": true, "schema": s.of(id)})
	}
	if m.Query != nil {
		all = append(all, s.query(m.Query)...)
	}
	if m.Body != nil {
		all = append(all, Object{
			"name": "Idempotency-Key", "in": "header", "schema": Object{"type": "string", "maxLength": 200},
			"description": "makes a request that is sent again act once",
		})
	}
	return all
}
