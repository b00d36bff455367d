package admin

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// TestEveryRoute sends each address a request of each method, as a page and by the
// API, by the roles as they ship and by one for German only, on what is one's own,
// on others', on a higher rank's, and on what is in another language. A method that
// is no route is refused, and reads know neither languages nor ranks. TestActs
// covers the acts with a body.
func TestEveryRoute(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	registered := map[string]map[string]route{}
	for _, r := range allRoutes() {
		if isLivePath(r.Path) || r.Permission == public {
			continue
		}
		for _, prefix := range prefixesOf(r) {
			if registered[prefix+r.Path] == nil {
				registered[prefix+r.Path] = map[string]route{}
			}
			registered[prefix+r.Path][r.Method] = r
		}
	}
	actors := actingRoles(t, s)
	targets := []person{{"", 1, []string{"de"}}, {policy.General, 0, []string{"de"}}, {policy.Admin, 2, []string{"de"}},
		{policy.General, 0, []string{"en"}}}
	refused, passed := 0, 0
	for _, actor := range actors {
		account := storetest.Staff(t, s, actor.role)
		c := signedIn(t, server, account)
		for n, target := range targets {
			author := account.UserID
			if target.role != "" {
				author = storetest.User(t, s, "Target")
				storetest.Exec(t, s, "UPDATE users SET role = $2 WHERE user_id = $1", author, target.role)
			}
			tree := uuid.MustParse(targetOf(t, s, "", "tree", author, target.languages[0]))
			for path, methods := range registered {
				id := uuid.New() // a list, a sample, a job, an action that is not there
				onUser := strings.Contains(path, "/users/:id")
				known := onUser || strings.Contains(path, "/messages/:id") || strings.Contains(path, "/trees/:id")
				switch {
				case onUser:
					id = author
				case known:
					id = tree
				}
				address := strings.NewReplacer(":id", id.String(), ":message", tree.String()).Replace(path)
				for _, method := range []string{get, http.MethodHead, post, put, patch, del} {
					asked := method
					if method == http.MethodHead {
						asked = get
					}
					r, ok := methods[asked]
					if !ok && n > 0 {
						continue // who owns the target makes no difference
					}
					a := c.do(method, address, strings.NewReader(""), "")
					if a.status >= 500 {
						t.Errorf("%s %s: %d", method, path, a.status)
					}
					holds := s.Policy().Allows(actor.role, r.Permission)
					switch {
					case !ok, !holds, asked != get && known:
						// An act without its body is refused, also to those who may do it.
						if refused++; a.status < 400 {
							t.Errorf("%s %s by %s on %+v: %d, want it refused", method, path, actor.role, target, a.status)
						}
						if ok && !holds && a.status != http.StatusForbidden {
							t.Errorf("%s %s by %s, who lacks %s: %d", method, path, actor.role, r.Permission, a.status)
						}
					case asked == get && known && kindOf(r).Path == "" && !strings.HasSuffix(path, "/role"): // no form of an act
						if passed++; a.status != http.StatusOK {
							t.Errorf("%s %s by %s on %+v: %d, want it shown", method, path, actor.role, target, a.status)
						}
					default:
						passed++
					}
				}
			}
		}
	}
	if refused+passed < 5000 {
		t.Errorf("only %d cases", refused+passed)
	}
	t.Logf("%d cases, %d of which pass", refused+passed, passed)
}
