package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// TestEveryRouteIsGuarded checks that every route names an existing permission,
// and that the public routes are the expected ones.
func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	known := map[policy.Permission]bool{}
	for _, info := range policy.All {
		known[info.Permission] = true
	}
	mayBePublic := []string{"/healthz", "/readyz", "/metrics", "/api/openapi.json",
		"/static/:name", "/sign-in", "/sign-in/link", "/sign-out", invitationPath}
	seen := map[string]bool{}
	for _, r := range allRoutes() {
		name := r.Method + " " + r.Path
		switch {
		case r.Permission == public:
			if !slices.Contains(mayBePublic, r.Path) {
				t.Errorf("%s is public", name)
			}
		case !known[r.Permission]:
			t.Errorf("%s names no permission that exists: %q", name, r.Permission)
		}
		for _, kind := range []routeKind{pageOnly, apiOnly} {
			if r.Kind != both && r.Kind != kind {
				continue
			}
			if key := fmt.Sprint(name, kind); seen[key] {
				t.Errorf("%s stands twice in the table", name)
			} else {
				seen[key] = true
			}
		}
		if r.Kind != apiOnly && r.Method != get && r.Method != post {
			t.Errorf("%s is a page that no form can reach", name)
		}
	}
}

// TestEveryKindHasItsRoutes checks that each action of the store has a form and
// an API method with the action's permission.
func TestEveryKindHasItsRoutes(t *testing.T) {
	t.Parallel()
	for _, kind := range store.Kinds {
		path := "/" + kind.Target + "s/:id/" + kind.Path
		method := post
		switch kind.Name {
		case "update_user":
			path, method = "/users/:id", patch
		case "create_list":
			path = "/lists"
		case "update_list":
			path, method = "/lists/:id", patch
		case "add_to_list":
			path = "/lists/:id/items"
		case "find_candidates":
			path = "/lists/:id/candidates"
		case "accept_candidates", "refuse_candidates":
			path = "/lists/:id/candidates/:message"
		case "resolve":
			path = "/queue/:id/resolve"
		case "apply_list":
			path = "/lists/:id/apply"
		case "bulk":
			path = bulkPath
		case "remove_from_list":
			path, method = "/lists/:id/items", del
		}
		found := false
		for _, r := range allRoutes() {
			if r.Method == method && r.Path == path && r.Kind != pageOnly && r.Permission == kind.Permission {
				found = true
			}
		}
		if !found {
			t.Errorf("%s has no route %s %s with the permission %s", kind.Name, method, path, kind.Permission)
		}
	}
}

// TestMatrix sends every route a request by every role, by a key of a role
// without permissions, and without a session. Only callers with the permission
// pass the guard.
func TestMatrix(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	shipped, err := policy.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	callers := map[string]*client{"nobody": newClient(t, server)}
	for _, role := range []string{policy.Moderator, policy.DataLead, policy.Admin} {
		callers[role] = staff(t, server, role)
	}
	for _, role := range []string{policy.General, policy.Collector} {
		key, err := s.CreateKey(t.Context(), store.CommandLine, "key "+role, role, nil)
		if err != nil {
			t.Fatal(err)
		}
		callers[role] = newClient(t, server)
		callers[role].key = key
	}
	for _, r := range allRoutes() {
		if r.Permission == public {
			continue
		}
		prefixes := []string{"", apiPrefix}
		switch r.Kind {
		case pageOnly:
			prefixes = prefixes[:1]
		case apiOnly:
			prefixes = prefixes[1:]
		}
		for _, prefix := range prefixes {
			path := prefix + strings.NewReplacer(":id", uuid.NewString(), ":message", uuid.NewString()).Replace(r.Path)
			for role, c := range callers {
				var a answer
				if r.Method == get {
					a = c.get(path)
				} else {
					a = c.do(r.Method, path, strings.NewReader(""), "")
				}
				name := fmt.Sprintf("%s %s by %s", r.Method, prefix+r.Path, role)
				switch {
				case role == "nobody" && prefix == "" && r.Method == get:
					if a.status != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), "/sign-in") {
						t.Errorf("%s: %d %s, want the way to sign in", name, a.status, a.header.Get("Location"))
					}
				case role == "nobody":
					if a.status != http.StatusUnauthorized {
						t.Errorf("%s: %d, want 401", name, a.status)
					}
				case shipped.Allows(role, r.Permission):
					if a.status == http.StatusForbidden && !strings.Contains(r.Path, "undo") || a.status == http.StatusUnauthorized ||
						a.status >= 500 {
						t.Errorf("%s: %d, want to get past the guard: %.300s", name, a.status, a.body)
					}
				case a.status != http.StatusForbidden:
					t.Errorf("%s: %d, want 403", name, a.status)
				}
			}
		}
	}
}

// TestRolesAreReadOnEachRequest checks that a role, a ban and a revoked key
// take effect on the next request.
func TestRolesAreReadOnEachRequest(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	actor := storetest.Staff(t, s, policy.Admin)
	c := signedIn(t, server, actor)
	c.get("/audit").want(200)
	storetest.Exec(t, s, "UPDATE users SET role = 'general' WHERE user_id = $1", actor.UserID)
	c.get("/audit").want(303)
	storetest.Exec(t, s, "UPDATE users SET role = 'admin' WHERE user_id = $1", actor.UserID)
	c.get("/audit").want(200)
	storetest.Exec(t, s, "UPDATE users SET banned_at = now(), ban_reason = 'test' WHERE user_id = $1", actor.UserID)
	c.get("/audit").want(303)

	key, err := s.CreateKey(t.Context(), store.CommandLine, "reader", policy.DataLead, nil)
	if err != nil {
		t.Fatal(err)
	}
	program := newClient(t, server)
	program.key = key
	program.get("/api/v1/audit").want(200)
	program.do("GET", "/audit", nil, "", "Accept", "text/html").want(200)
	if err := s.RevokeKey(t.Context(), store.CommandLine, "reader"); err != nil {
		t.Fatal(err)
	}
	if code := program.get("/api/v1/audit").want(401).field("error", "code"); code != "bad_key" {
		t.Errorf("a revoked key answered %v", code)
	}
}
