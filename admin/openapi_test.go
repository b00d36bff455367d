package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gofiber/fiber/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestOpenAPI compares the description of the API with the routes: it has every
// method, and no others. With TREEWARDEN_OPENAPI it also writes the description
// to that file, for redocly lint (make openapi).
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	s := &Server{Config: Config{Version: "test"}, routes: allRoutes()}
	description, err := json.Marshal(s.apiDescription())
	if err != nil {
		t.Fatal(err)
	}
	if file := os.Getenv("TREEWARDEN_OPENAPI"); file != "" {
		if err := os.WriteFile(file, description, 0o600); err != nil {
			t.Fatal(err)
		}
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
	// Monitoring programs use these paths outside the API.
	watched := map[string]bool{
		"GET /healthz": true, "GET /readyz": true, "GET /metrics": true, "GET /api/openapi.json": true,
	}
	routed := map[string]bool{}
	for _, r := range allRoutes() {
		key := r.Method + " " + apiPrefix + describedPath(r.Path)
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
	for key := range methods {
		method, path, _ := strings.Cut(key, " ")
		if !routed[method+" "+apiPrefix+describedPath(path)] && !routed[key] {
			t.Errorf("methods describes %s, which is not there", key)
		}
	}
}

// anyParameter matches a parameter in a path of the description.
var anyParameter = regexp.MustCompile(`\{[a-z]+\}`)

// describedPath writes the path of a route as the description does.
func describedPath(path string) string {
	return regexp.MustCompile(`:([a-z]+)`).ReplaceAllString(path, "{$1}")
}

// answerSchemas compiles the schemas of the description once for all tests.
var answerSchemas = sync.OnceValue(func() *describedAnswers {
	s := &Server{routes: allRoutes()}
	encoded, err := json.Marshal(s.apiDescription())
	if err != nil {
		panic(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		panic(err)
	}
	d := &describedAnswers{compiler: jsonschema.NewCompiler(), paths: map[string]*regexp.Regexp{}}
	for path := range document.(map[string]any)["paths"].(map[string]any) {
		d.paths[path] = regexp.MustCompile("^" + anyParameter.ReplaceAllString(path, "[^/]+") + "$")
	}
	// A field that no schema names is an error in the description. Maps have other schemas.
	for _, schema := range document.(map[string]any)["components"].(map[string]any)["schemas"].(map[string]any) {
		if schema, isMap := schema.(map[string]any), schema.(map[string]any)["additionalProperties"] != nil; !isMap {
			schema["additionalProperties"] = false
		}
	}
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(descriptionURL, document); err != nil {
		panic(err)
	}
	return d
})

const descriptionURL = "https://treewarden.example/openapi.json"

// describedAnswers holds the described answer of each method.
type describedAnswers struct {
	mutex    sync.Mutex
	compiler *jsonschema.Compiler
	paths    map[string]*regexp.Regexp
}

// check fails the test unless an answer of the API has the described shape. The
// test client calls it for every answer.
func (d *describedAnswers) check(t *testing.T, r *http.Request, status int, kind string, body []byte) {
	t.Helper()
	api := strings.HasPrefix(r.URL.EscapedPath(), apiPrefix) && strings.HasPrefix(kind, fiber.MIMEApplicationJSON)
	if !api || r.Method == http.MethodHead || status == http.StatusMethodNotAllowed {
		return
	}
	at := fmt.Sprintf("/components/responses/%d", status)
	if slices.Contains([]int{http.StatusOK, http.StatusAccepted, http.StatusGone}, status) {
		whole := d.paths[r.URL.EscapedPath()] != nil // goes before a path with a parameter
		for path, pattern := range d.paths {
			if pattern.MatchString(r.URL.EscapedPath()) && (!whole || path == r.URL.EscapedPath()) {
				path = strings.ReplaceAll(path, "/", "~1")
				at = fmt.Sprintf("/paths/%s/%s/responses/%d", path, strings.ToLower(r.Method), status)
			}
		}
	}
	d.mutex.Lock()
	schema, err := d.compiler.Compile(descriptionURL + "#" + url.PathEscape(at+"/content/application~1json/schema"))
	d.mutex.Unlock()
	if err != nil {
		t.Errorf("%s %s answers %d, which is not described: %v", r.Method, r.URL.EscapedPath(), status, err)
		return
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		t.Errorf("%s %s answers %d, not as described: %v\n%.500s", r.Method, r.URL.EscapedPath(), status, err, body)
	}
}
