package openapi

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"

	"treewarden/scoring"
)

type inner struct {
	Name string `json:"name"`
}

type list[T any] struct {
	Items []T `json:"items"`
}

type outer struct {
	list[inner]
	ID      uuid.UUID       `json:"id"`
	Parent  *inner          `json:"parent"`
	Self    []*outer        `json:"self"`
	Frame   scoring.Window  `json:"frame"`
	Raw     json.RawMessage `json:"raw"`
	Left    *int64          `json:"left,omitempty"`
	Unnamed string          `json:"-"`
}

// TestAnswer checks the schema of an answer's type.
func TestAnswer(t *testing.T) {
	t.Parallel()
	s := newSchemas()
	want(t, s.answer(list[inner]{}), `{"$ref":"#/components/schemas/listOfinner"}`)
	want(t, s.answer(outer{}), `{"$ref":"#/components/schemas/outer"}`)
	want(t, s.components["outer"], `{
		"type": "object",
		"required": ["items", "id", "parent", "self", "frame", "raw"],
		"properties": {
			"items": {"type": ["array", "null"], "items": {"$ref": "#/components/schemas/inner"}},
			"id": {"type": "string", "format": "uuid"},
			"parent": {"anyOf": [{"$ref": "#/components/schemas/inner"}, {"type": "null"}]},
			"self": {"type": ["array", "null"], "items": {"$ref": "#/components/schemas/outer"}},
			"frame": {"$ref": "#/components/schemas/Window"},
			"raw": {"type": ["object", "array", "string", "number", "boolean", "null"]},
			"left": {"type": ["null", "integer"], "format": "int64"}
		}
	}`)
	want(t, s.components["Window"], `{"type": "string", "enum": ["day", "week", "month", "total"]}`)
}

type request struct {
	Reason string `json:"reason"`
	Sort   string `json:"sort" form:"sort" validate:"omitempty,oneof=new old"`
	Limit  *int   `json:"limit" form:"limit" validate:"omitempty,min=1,max=200"`
	Open   string `json:"-" form:"open"`
}

// TestRequest checks that a body has the named fields, and that a query has no
// null.
func TestRequest(t *testing.T) {
	t.Parallel()
	s := newSchemas()
	want(t, s.body(request{}, []string{"reason", "limit"}), `{"type": "object", "properties": {
		"reason": {"type": "string", "minLength": 3, "maxLength": 500},
		"limit": {"type": ["null", "integer"], "minimum": 1, "maximum": 200}
	}}`)
	want(t, s.query(request{}), `[
		{"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 200}},
		{"name": "sort", "in": "query", "schema": {"type": "string", "enum": ["new", "old"]}}
	]`)
	if len(s.components) > 0 {
		t.Errorf("a request leaves components: %v", s.components)
	}
}

// want fails the test unless a schema is as expected.
func want(t *testing.T, schema any, expected string) {
	t.Helper()
	encoded, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	if got, wanted := canonical(t, encoded), canonical(t, []byte(expected)); got != wanted {
		t.Errorf("the schema is\n%s\nand should be\n%s", got, wanted)
	}
}

// canonical writes JSON with its names in order.
func canonical(t *testing.T, text []byte) string {
	t.Helper()
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	sorted, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(sorted)
}
