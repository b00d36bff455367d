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

// TestMadeRoles sends every route a request by a role for each permission, which
// holds little else but the way into the console. Only the routes of that permission
// let it pass.
func TestMadeRoles(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	shipped := slices.Clone(s.Policy().Roles())
	held := map[string][]policy.Permission{}
	for i, info := range policy.All {
		name := fmt.Sprintf("made_%d", i)
		held[name] = []policy.Permission{policy.Read}
		if info.Permission != policy.Read {
			held[name] = append(held[name], info.Permission)
		}
		// Who changes these also sees them.
		switch info.Permission {
		case policy.ListEdit, policy.ListApply:
			held[name] = append(held[name], policy.ListRead)
		case policy.ScoringSave:
			held[name] = append(held[name], policy.ScoringRead)
		}
		shipped = append(shipped,
			policy.Role{Name: name, Title: fmt.Sprintf("maker %d", i), Rank: 1, Permissions: held[name]})
	}
	if _, err := s.ChangePolicy(t.Context(), store.CommandLine, store.PolicyChange{Roles: shipped,
		Reason: "A role for each permission."}); err != nil {
		t.Fatal(err)
	}
	cases, passed := 0, 0
	for name, permissions := range held {
		c := staff(t, server, name)
		for _, r := range allRoutes() {
			if r.Permission == public || isLivePath(r.Path) {
				continue
			}
			for _, prefix := range prefixesOf(r) {
				path := prefix + strings.NewReplacer(":id", uuid.NewString(), ":message", uuid.NewString()).Replace(r.Path)
				a := c.do(r.Method, path, strings.NewReader(""), "")
				cases++
				refused := a.status == http.StatusForbidden
				if !refused {
					passed++
				}
				// A route that passes may still need more: an undo, or the own account.
				if !slices.Contains(permissions, r.Permission) && !refused {
					t.Errorf("%s %s with %v: %d, want 403", r.Method, prefix+r.Path, permissions, a.status)
				}
				if slices.Contains(permissions, r.Permission) && refused && !strings.Contains(r.Path, "undo") {
					t.Errorf("%s %s with %v is refused: %.300s", r.Method, prefix+r.Path, permissions, a.body)
				}
			}
		}
	}
	t.Logf("%d cases, %d of which pass", cases, passed)
}

// prefixesOf returns the prefixes of a route's addresses: the page's and the API's.
func prefixesOf(r route) []string {
	switch r.Kind {
	case pageOnly:
		return []string{""}
	case apiOnly:
		return []string{apiPrefix}
	}
	return []string{"", apiPrefix}
}

// person is somebody in TestActs: a role with the rank and the languages that the
// test expects of it.
type person struct {
	role      string
	rank      int
	languages []string
}

// actingRoles returns the roles that enter the console as they ship, and one that it
// makes: a moderator for German only.
func actingRoles(t *testing.T, s *store.Store) []person {
	t.Helper()
	roles := slices.Clone(s.Policy().Roles())
	moderator, _ := s.Policy().Role(policy.Moderator)
	moderator.Name, moderator.Title, moderator.Languages = "german", "German moderator", []string{"de"}
	if _, err := s.ChangePolicy(t.Context(), store.CommandLine, store.PolicyChange{Roles: append(roles, moderator),
		Reason: "A role for German."}); err != nil {
		t.Fatal(err)
	}
	return []person{{policy.Moderator, 1, nil}, {"german", 1, []string{"de"}}, {policy.DataLead, 1, nil},
		{policy.Admin, 2, nil}}
}

// TestActs performs every act on a user, a message and a tree, as a page and by the
// API, by roles as they ship and by one for German only, on what is one's own, on
// others' and on higher ranks', in either language.
func TestActs(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	actors := actingRoles(t, s)
	targets := []person{{policy.General, 0, []string{"de"}}, {policy.General, 0, []string{"en"}},
		{policy.Moderator, 1, []string{"de"}}, {policy.Admin, 2, []string{"de"}}, {"", 1, []string{"de"}}}
	cases, allowed := 0, 0
	for _, actor := range actors {
		account := storetest.Staff(t, s, actor.role)
		c, self := signedIn(t, server, account), account.UserID
		for _, r := range allRoutes() {
			kind := kindOf(r)
			onUser := r.Path == "/users/:id" && r.Method != get
			if !onUser && (r.Method != post || kind.Path == "" || !strings.HasSuffix(r.Path, "/:id/"+kind.Path)) {
				continue
			}
			for _, prefix := range prefixesOf(r) {
				for _, target := range targets {
					if target.role == "" && kind.Name == "unban" {
						continue // a banned person cannot ask
					}
					author, lang := self, target.languages[0]
					if target.role != "" {
						author = storetest.User(t, s, "Target")
						storetest.Exec(t, s, "UPDATE users SET role = $2 WHERE user_id = $1", author, target.role)
					}
					path := prefix + strings.Replace(r.Path, ":id", targetOf(t, s, kind.Name, kind.Target, author, lang), 1)
					var a answer
					if prefix == "" {
						a = c.post(path, goodForm(r))
					} else {
						body := goodBody(r)
						if r.Method == patch {
							body = versioned(t, s, path, body)
						}
						a = c.send(r.Method, path, body)
					}
					may := s.Policy().Allows(actor.role, kind.Permission) && (actor.languages == nil ||
						slices.Contains(actor.languages, lang))
					if kind.Target == "user" {
						may = may && author != self && (actor.rank > target.rank || actor.rank == 2)
					}
					cases++
					if may {
						allowed++
					}
					if may != (a.status != http.StatusForbidden) || a.status >= 500 ||
						may && a.status != http.StatusOK && a.status != http.StatusSeeOther {
						t.Errorf("%s by %s on %+v: %d, want it allowed: %v: %.300s", path, actor.role, target, a.status, may, a.body)
					}
				}
			}
		}
	}
	if cases < 200 {
		t.Errorf("only %d cases", cases)
	}
	t.Logf("%d cases, %d of which are allowed", cases, allowed)
}

// targetOf makes a target that an act can change, and returns its id.
func targetOf(t *testing.T, s *store.Store, act, kind string, author uuid.UUID, lang string) string {
	t.Helper()
	storetest.Exec(t, s, `INSERT INTO user_languages (user_id, lang, messages) VALUES ($1, $2, 1)
		ON CONFLICT DO NOTHING`, author, lang)
	id := storetest.Tree(t, s, storetest.Node{Author: author, Lang: lang, Text: "How do bees sleep?"})[0]
	switch act {
	case "undelete":
		storetest.Exec(t, s, "UPDATE messages SET deleted = true, deleted_root = message_id WHERE message_id = $1", id)
	case "resume":
		storetest.Exec(t, s, `UPDATE trees SET state = 'halted_by_moderator', active = false, halted_state = 'growing',
			halted_active = true WHERE tree_id = $1`, id)
	case "unban":
		storetest.Exec(t, s, "UPDATE users SET banned_at = now(), ban_reason = 'a test' WHERE user_id = $1", author)
	}
	if kind == "user" {
		return author.String()
	}
	return id.String()
}
