package admin

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestMethods checks HEAD and OPTIONS, and that every other method is refused.
func TestMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, r := range w.addresses(get) {
		w.by(r) // makes the accounts before the snapshot
	}
	before := snapshot(t, w.store)
	for address, r := range w.addresses(get) {
		if r.Path == "/sign-in/link" {
			continue // HEAD does not redeem a link
		}
		full, head := w.by(r).get(address), w.by(r).do(http.MethodHead, address, nil, "")
		if head.status != full.status || head.body != "" ||
			head.header.Get("Content-Type") != full.header.Get("Content-Type") {
			t.Errorf("HEAD %s: %d with %d bytes of %s; GET: %d of %s", address, head.status, len(head.body),
				head.header.Get("Content-Type"), full.status, full.header.Get("Content-Type"))
		}
		for _, method := range []string{http.MethodOptions, http.MethodTrace, http.MethodDelete, http.MethodPut, "PROPFIND"} {
			if strings.HasPrefix(address, apiPrefix) && slices.ContainsFunc(allRoutes(), func(other route) bool {
				return other.Method == method && other.Path == r.Path
			}) {
				continue // the API has this method; another site's are refused: TestOtherSites
			}
			a := w.by(r).do(method, address, nil, "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST",
				"Sec-Fetch-Site", "same-origin")
			if a.status != http.StatusMethodNotAllowed && a.status != http.StatusNotFound && a.status != http.StatusBadRequest &&
				a.status != http.StatusNotImplemented {
				t.Errorf("%s %s: %d", method, address, a.status)
			}
			if a.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s opens the door to other sites", method, address)
			}
		}
	}
	if snapshot(t, w.store) != before {
		t.Error("a method that changes nothing wrote rows")
	}
}

// TestEveryAnswerIsGuarded checks the headers that protect a browser, on every
// page, for every caller and every status.
func TestEveryAnswerIsGuarded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	addresses := slices.Collect(maps.Keys(w.addresses(get)))
	addresses = append(addresses, "/nothing", apiPrefix+"/nothing", "/users/x", "/users?limit=0",
		"/messages?format=csv", "/static/nothing.js", "/%ff")
	for _, address := range addresses {
		for _, c := range []*client{w.mod, w.collector, newClient(t, w.server)} {
			a := c.get(address)
			csp := map[string]string{}
			for _, directive := range strings.Split(a.header.Get("Content-Security-Policy"), ";") {
				name, value, _ := strings.Cut(strings.TrimSpace(directive), " ")
				csp[name] = value
			}
			if csp["default-src"] != "'none'" || csp["script-src"] != "'self'" || csp["style-src"] != "'self'" ||
				csp["frame-ancestors"] != "'none'" || csp["base-uri"] != "'none'" || csp["form-action"] != "'self'" ||
				csp["object-src"] != "" || strings.Contains(a.header.Get("Content-Security-Policy"), "unsafe") {
				t.Errorf("%s: the policy is %v", address, csp)
			}
			if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("X-Frame-Options") != "DENY" ||
				a.header.Get("Referrer-Policy") == "" || a.header.Get("Server") != "" {
				t.Errorf("%s: %v", address, a.header)
			}
			if own := a.status == 200 && c == w.mod; own && !strings.HasPrefix(address, "/static") &&
				a.header.Get("Cache-Control") == "" && !strings.HasSuffix(address, "z") && address != "/metrics" {
				t.Errorf("%s may be kept by whoever passes it on", address)
			}
		}
	}
}

// TestOperations checks the routes for operators.
func TestOperations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nobody := newClient(t, w.server)
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, _ := nobody.get(path).want(200).field("status").(string); status == "" {
			t.Errorf("%s says nothing", path)
		}
		nobody.get(apiPrefix + path).want(404)
	}
	w.mod.get("/users?q=secret").want(200)
	metrics := nobody.get("/metrics").want(200)
	if !strings.HasPrefix(metrics.header.Get("Content-Type"), "text/plain") ||
		!strings.Contains(metrics.body, "\n# TYPE ") || strings.Contains(metrics.body, "secret") ||
		strings.Contains(metrics.body, w.user.String()) {
		t.Errorf("the metrics: %s, %.300s", metrics.header.Get("Content-Type"), metrics.body)
	}
	var description struct {
		OpenAPI string                     `json:"openapi"`
		Paths   map[string]json.RawMessage `json:"paths"`
	}
	nobody.get("/api/openapi.json").want(200).json(&description)
	if !strings.HasPrefix(description.OpenAPI, "3.1") || len(description.Paths) < 25 {
		t.Errorf("OpenAPI %s with %d paths", description.OpenAPI, len(description.Paths))
	}
	// The contract lists these routes.
	for _, path := range []string{"/trollboard", "/users", "/users/{id}", "/users/{id}/ban", "/users/{id}/unban",
		"/users/{id}/messages", "/users/{id}/score", "/messages", "/messages/{id}", "/messages/{id}/history",
		"/messages/{id}/thread", "/messages/{id}/delete", "/messages/{id}/undelete", "/messages/{id}/edit",
		"/messages/{id}/review", "/messages/{id}/labels", "/messages/{id}/reactions", "/messages/{id}/report",
		"/trees", "/trees/{id}", "/trees/{id}/halt", "/trees/{id}/resume", "/audit", "/actions/{id}/undo"} {
		if description.Paths[apiPrefix+path] == nil {
			t.Errorf("%s is not described", path)
		}
	}
}
