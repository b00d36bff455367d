package admin

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestOpenAPI holds the description of the API against the routes: every
// method is described, and nothing that is not there.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	s := &Server{Config: Config{Version: "test"}, routes: allRoutes()}
	description, err := json.Marshal(s.apiDescription())
	if err != nil {
		t.Fatal(err)
	}
	document, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	described := map[string]bool{}
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			described[method+" "+path] = true
			if operation.Summary == "" {
				t.Errorf("%s %s says nothing of itself", method, path)
			}
		}
	}
	// Programs that watch over this one ask outside the API.
	watched := map[string]bool{"GET /healthz": true, "GET /readyz": true, "GET /metrics": true, "GET /api/openapi.json": true}
	routed := map[string]bool{}
	for _, r := range allRoutes() {
		key := r.Method + " " + apiPrefix + strings.ReplaceAll(r.Path, ":id", "{id}")
		if watched[r.Method+" "+r.Path] {
			key = r.Method + " " + r.Path
		} else if r.Kind == pageOnly {
			continue
		}
		routed[key] = true
		if !described[key] {
			t.Errorf("%s is not described", key)
		}
	}
	for key := range described {
		if !routed[key] {
			t.Errorf("%s is described, but not there", key)
		}
	}
	for key := range docs {
		method, path, _ := strings.Cut(key, " ")
		if !routed[method+" "+apiPrefix+strings.ReplaceAll(path, ":id", "{id}")] && !routed[key] {
			t.Errorf("docs tells of %s, which is not there", key)
		}
	}
}
