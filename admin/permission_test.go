package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// callers holds clients for each role of the console, by session and by key.
func callers(t *testing.T, server *Server) map[string]*client {
	t.Helper()
	all := map[string]*client{}
	for _, role := range []string{policy.Moderator, policy.DataLead, policy.Admin} {
		all[role] = staff(t, server, role)
		all[role+" by key"] = program(t, server, role)
	}
	return all
}

// roleOf returns the role in a caller's name.
func roleOf(caller string) string { return strings.TrimSuffix(caller, " by key") }

// self returns the caller's own id, from the log of their actions.
func (c *client) self() uuid.UUID {
	c.t.Helper()
	label := c.send(post, apiPrefix+"/messages/"+storetest.Tree(c.t, c.server.store, storetest.Node{})[0].String()+
		"/labels", map[string]any{"labels": map[string]any{"spam": 0}}).want(200)
	var message struct {
		Votes []struct {
			UserID uuid.UUID `json:"user_id"`
		}
	}
	label.json(&message)
	return message.Votes[0].UserID
}

// TestPermissionTable checks the contract's table: what each role may do to
// messages and trees of each author, by session and by key.
func TestPermissionTable(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	const yes, no = http.StatusOK, http.StatusForbidden
	type row struct{ moderator, dataLead, admin int }
	rows := []struct {
		act   string // method, address
		body  map[string]any
		want  row
		setUp func(id uuid.UUID)
	}{
		{"POST /messages/%s/delete", map[string]any{"reason": "the table"}, row{yes, no, yes}, nil},
		{"POST /messages/%s/undelete", map[string]any{"reason": "the table"}, row{yes, no, yes}, func(id uuid.UUID) {
			storetest.Exec(t, s, "UPDATE messages SET deleted = true, deleted_root = message_id WHERE message_id = $1", id)
		}},
		{"POST /messages/%s/edit", map[string]any{"reason": "the table", "text": "Another text"}, row{yes, no, yes}, nil},
		{"POST /messages/%s/review", map[string]any{"reason": "the table", "result": "rejected"}, row{yes, no, yes}, nil},
		{"POST /messages/%s/labels", map[string]any{"labels": map[string]any{"spam": 1}}, row{yes, yes, yes}, nil},
		{"POST /messages/%s/reactions", map[string]any{"emoji": "+1", "op": "add"}, row{yes, no, yes}, nil},
		{"POST /messages/%s/report", map[string]any{"reason": "the table"}, row{yes, no, yes}, nil},
		{"POST /trees/%s/halt", map[string]any{"reason": "the table"}, row{yes, no, yes}, nil},
		{"POST /trees/%s/resume", map[string]any{"reason": "the table"}, row{yes, no, yes}, func(id uuid.UUID) {
			storetest.Exec(t, s, "UPDATE trees SET state = 'halted_by_moderator', active = false, halted_state = 'growing', "+
				"halted_active = true WHERE tree_id = $1", id)
		}},
		{"GET /messages/%s", nil, row{yes, yes, yes}, nil}, {"GET /messages/%s/history", nil, row{yes, yes, yes}, nil},
		{"GET /messages/%s/thread", nil, row{yes, yes, yes}, nil}, {"GET /trees/%s", nil, row{yes, yes, yes}, nil},
	}
	for name, c := range callers(t, server) {
		authors := map[string]uuid.UUID{"a contributor": storetest.User(t, s, "Ann"), "themselves": c.self()}
		for _, role := range []string{policy.Moderator, policy.DataLead, policy.Admin} {
			authors["a "+role] = storetest.Staff(t, s, role).UserID
		}
		for whose, author := range authors {
			nodes := make([]storetest.Node, len(rows))
			for i := range nodes {
				nodes[i].Author = author
			}
			ids := storetest.Tree(t, s, storetest.Node{Author: author, Replies: nodes})
			for i, r := range rows {
				id := ids[i+1]
				if strings.Contains(r.act, "/trees/") {
					id = ids[0]
				}
				if r.setUp != nil {
					r.setUp(id)
				}
				method, path, _ := strings.Cut(fmt.Sprintf(r.act, id), " ")
				a := c.send(method, apiPrefix+path, r.body)
				if want := map[string]int{policy.Moderator: r.want.moderator, policy.DataLead: r.want.dataLead,
					policy.Admin: r.want.admin}[roleOf(name)]; a.status != want {
					t.Errorf("%s, %s of %s: %d, want %d: %.200s", name, r.act, whose, a.status, want, a.body)
				}
				if a.status == yes && method == post && whose != "a contributor" && strings.HasPrefix(path, "/messages/") {
					if marked := lastAction(t, c, id); marked["staff_author"] != true {
						t.Errorf("%s, %s of %s: the log does not mark the author: %v", name, r.act, whose, marked)
					}
				}
			}
		}
	}
}

// lastAction returns the last action on a target.
func lastAction(t *testing.T, c *client, target uuid.UUID) map[string]any {
	t.Helper()
	items, _ := c.get(apiPrefix + "/audit?limit=1&target=" + target.String()).want(200).field("items").([]any)
	if len(items) != 1 {
		t.Fatalf("nothing is logged on %s", target)
	}
	return items[0].(map[string]any)
}

// TestRanks checks the rank rules, which no policy changes.
func TestRanks(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	const yes, no = http.StatusOK, http.StatusForbidden
	// By role of the actor: on a contributor, a moderator, a data lead, an admin, themselves.
	table := map[string][5]int{policy.Moderator: {yes, no, no, no, no}, policy.DataLead: {no, no, no, no, no},
		policy.Admin: {yes, yes, yes, yes, no}}
	columns := []string{policy.General, policy.Moderator, policy.DataLead, policy.Admin}
	acts := map[string]map[string]any{
		"POST /ban": {"reason": "the table"}, "POST /unban": {"reason": "the table"}, "PATCH ": {"notes": "the table"},
		"PATCH  ": {"display_name": "Renamed", "show_on_leaderboard": false}, "PATCH": {"role": policy.General},
	}
	for name, c := range callers(t, server) {
		self := c.self()
		for act, body := range acts {
			for i := range 5 {
				id := self
				if i < 4 {
					id = storetest.User(t, s, "Ann")
					storetest.Exec(t, s, "UPDATE users SET role = $2 WHERE user_id = $1", id, columns[i])
				}
				if act == "POST /unban" && i < 4 {
					storetest.Exec(t, s, "UPDATE users SET banned_at = now(), ban_reason = 'the table' WHERE user_id = $1", id)
				}
				want := table[roleOf(name)][i]
				if act == "PATCH" { // only admins change roles
					want = map[bool]int{true: want, false: no}[roleOf(name) == policy.Admin]
				}
				method, path, _ := strings.Cut(act, " ")
				path = apiPrefix + "/users/" + id.String() + strings.TrimSpace(path)
				sent := body
				if method == patch {
					sent = versioned(t, s, path, body)
				}
				a := c.send(method, path, sent)
				if a.status != want {
					t.Errorf("%s, %s, target %d: %d, want %d: %.200s", name, act, i, a.status, want, a.body)
				}
				if a.status == no && a.field("error", "code") != "forbidden" {
					t.Errorf("%s, %s, target %d: refused by %s", name, act, i, a.body)
				}
			}
		}
	}
}

// TestLastAdmin checks that the last admin cannot be removed.
func TestLastAdmin(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	first, second := storetest.Staff(t, s, policy.Admin), storetest.Staff(t, s, policy.Admin)
	c, bot := signedIn(t, server, first), program(t, server, policy.Admin)
	path := apiPrefix + "/users/" + second.UserID.String()
	c.changeUser(path, map[string]any{"role": policy.Moderator}).want(200)
	last := apiPrefix + "/users/" + first.UserID.String()
	bot.changeUser(last, map[string]any{"role": policy.Moderator}).want(403)
	bot.send(post, last+"/ban", map[string]any{"reason": "a coup"}).want(403)
	bot.changeUser(path, map[string]any{"role": policy.Admin}).want(200)
	bot.send(post, last+"/ban", map[string]any{"reason": "a coup"}).want(403) // nor if the other one cannot sign in
	storetest.Exec(t, s, "UPDATE users SET password_hash = 'a hash' WHERE user_id = $1", second.UserID)
	bot.send(post, last+"/ban", map[string]any{"reason": "a coup"}).want(200)
	c.get("/").want(303)
}

// TestUndoTable checks which roles may undo whose actions.
func TestUndoTable(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	all := callers(t, server)
	for name, c := range all {
		for other, by := range all {
			if strings.HasSuffix(other, "key") != strings.HasSuffix(name, "key") && name != other {
				continue
			}
			// Every role may label.
			id := storetest.Tree(t, s, storetest.Node{})[0]
			by.send(post, apiPrefix+"/messages/"+id.String()+"/labels",
				map[string]any{"labels": map[string]any{"spam": 1}}).want(200)
			action := fmt.Sprintf("/actions/%.0f", lastAction(t, by, id)["id"])
			want := http.StatusForbidden
			if roleOf(name) == policy.Admin || roleOf(name) == policy.Moderator && name == other {
				want = http.StatusOK
			}
			a := c.send(post, apiPrefix+action+"/undo", map[string]any{"reason": "the table"})
			if a.status != want {
				t.Errorf("%s undoes what %s did: %d, want %d: %.200s", name, other, a.status, want, a.body)
			}
			undo := `form[action="` + action + `/undo"], a[href^="` + action + `/undo"]`
			has := c.get(action+"?target="+id.String()).want(200).page().Find(undo).Length() > 0
			if has && a.status == http.StatusForbidden {
				t.Errorf("%s is offered an undo of what %s did", name, other)
			}
		}
	}
}

// TestAuditTable checks what each role sees of the log, and of private data.
func TestAuditTable(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	other := storetest.Staff(t, s, policy.Moderator)
	user := storetest.User(t, s, "Ann")
	storetest.Exec(t, s, "UPDATE users SET email = 'ann@example.org' WHERE user_id = $1", user)
	if _, err := s.Act(t.Context(), other, store.Act{Kind: "ban", Target: user, Reason: "for the log"}); err != nil {
		t.Fatal(err)
	}
	for name, c := range callers(t, server) {
		c.self() // an action of their own
		var log struct{ Items []store.Action }
		c.get(apiPrefix + "/audit?limit=200").want(200).json(&log)
		others := slices.ContainsFunc(log.Items, func(a store.Action) bool {
			return a.ActorID == nil ||
				*a.ActorID == other.UserID
		})
		if others != (roleOf(name) != policy.Moderator) || len(log.Items) == 0 {
			t.Errorf("%s sees what others did: %v, of %d actions", name, others, len(log.Items))
		}
		c.get(apiPrefix + "/audit?actor=" + other.UserID.String()).want(200).json(&log)
		if (len(log.Items) > 0) != (roleOf(name) != policy.Moderator) {
			t.Errorf("%s sees %d actions of another one", name, len(log.Items))
		}
		c.get(apiPrefix + "/audit?target=" + user.String()).want(200).json(&log)
		if len(log.Items) != 1 {
			t.Errorf("%s sees %d actions on a user that they look at", name, len(log.Items))
		}
		for _, address := range []string{apiPrefix + "/users/" + user.String(), "/users/" + user.String(), apiPrefix +
			"/users"} {
			a := c.get(address).want(200)
			if sees := strings.Contains(a.body, "ann@example.org"); sees != (roleOf(name) == policy.Admin &&
				address != apiPrefix+"/users") {
				t.Errorf("%s sees the e-mail address on %s: %v", name, address, sees)
			}
		}
		if private := c.get(apiPrefix+"/users/"+user.String()).field("private",
			"email"); (private != nil) != (roleOf(name) == policy.Admin) {
			t.Errorf("%s is told private data: %v", name, private)
		}
	}
}

// TestKeys checks the access by keys: none, an unknown one, a revoked one, an
// expired one, and keys of roles that cannot enter the console.
func TestKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := func(name, role string, expires *time.Time) *client {
		key, err := w.store.CreateKey(t.Context(), store.CommandLine, name, role, expires)
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(t, w.server)
		c.key = key
		return c
	}
	soon := time.Now().Add(time.Hour)
	good, revoked, expired := made("good", policy.Admin, &soon), made("revoked", policy.Admin, nil),
		made("expired", policy.Admin, &soon)
	if err := w.store.RevokeKey(t.Context(), store.CommandLine, "revoked"); err != nil {
		t.Fatal(err)
	}
	storetest.Exec(t, w.store, "UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE name = 'expired'")
	unknown := newClient(t, w.server)
	unknown.key = "tw_" + strings.Repeat("a", 43)
	cut := newClient(t, w.server)
	cut.key = good.key[:len(good.key)-1]
	for address, r := range w.addresses(get, post, put, patch) {
		if r.Permission == public {
			continue
		}
		send := func(c *client, method string) answer {
			if method == get || method == http.MethodHead {
				return c.do(method, address, nil, "")
			}
			if strings.HasPrefix(address, apiPrefix) {
				return c.send(method, address, goodBody(r))
			}
			return c.post(address, goodForm(r))
		}
		for name, c := range map[string]*client{"a revoked key": revoked, "an expired key": expired,
			"an unknown key": unknown, "a cut key": cut} {
			if a := send(c, r.Method); a.status != http.StatusUnauthorized {
				t.Errorf("%s %s with %s: %d, want 401", r.Method, address, name, a.status)
			} else if strings.HasPrefix(address, apiPrefix) && a.field("error", "code") != "bad_key" {
				t.Errorf("%s %s with %s: %s", r.Method, address, name, a.body)
			}
		}
		nobody := send(newClient(t, w.server), r.Method)
		if want := map[bool]int{true: 303, false: 401}[r.Method == get &&
			!strings.HasPrefix(address, apiPrefix)]; nobody.status != want {
			t.Errorf("%s %s by nobody: %d, want %d", r.Method, address, nobody.status, want)
		}
		for role, c := range map[string]*client{policy.General: made("general "+uuid.NewString(), policy.General, nil),
			policy.Collector: w.collector} {
			allowed := role == policy.Collector && (r.Path == ingestPath || r.Path == eventsPath)
			if a := send(c, r.Method); (a.status == http.StatusForbidden) == allowed {
				t.Errorf("%s %s with a key of the role %s: %d", r.Method, address, role, a.status)
			}
		}
	}
	good.get(apiPrefix + "/users").want(200)
	good.do(get, "/users", nil, "", "Accept", "text/html").want(200)
	if name := lastActorOf(t, good, w.user); name != "good" {
		t.Errorf("in the log a key acts as %v", name)
	}
}

// lastActorOf bans a user and returns the actor in the log.
func lastActorOf(t *testing.T, c *client, user uuid.UUID) any {
	t.Helper()
	return c.send(post, apiPrefix+"/users/"+user.String()+"/ban",
		map[string]any{"reason": "by a key"}).want(200).field("action", "actor_name")
}

// TestRoleAndBanTakeEffect checks that both take effect on the next request of
// an existing session.
func TestRoleAndBanTakeEffect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := staff(t, w.server, policy.Admin)
	own := apiPrefix + "/users/" + w.actor.UserID.String()
	ban := apiPrefix + "/users/" + w.user.String() + "/ban"
	body := map[string]any{"reason": "for the test", "preview": true}
	w.mod.send(post, ban, body).want(200)
	admin.changeUser(own, map[string]any{"role": policy.DataLead}).want(200)
	w.mod.send(post, ban, body).want(403)
	w.mod.get("/audit").want(200)
	admin.changeUser(own, map[string]any{"role": policy.General}).want(200)
	w.mod.send(post, ban, body).want(401)
	w.mod.get("/trollboard").want(303)
	admin.changeUser(own, map[string]any{"role": policy.Admin}).want(200)
	w.mod.send(post, ban, body).want(401) // the session has ended
	w.mod = signedIn(t, w.server, w.actor)
	w.mod.send(post, ban, body).want(200)
	done := admin.send(post, own+"/ban", map[string]any{"reason": "for the test"}).want(200)
	w.mod.send(post, ban, body).want(401)
	if code := w.mod.get(apiPrefix+"/users").want(401).field("error", "code"); code != "not_signed_in" {
		t.Errorf("a banned one is told %v", code)
	}
	admin.send(post, fmt.Sprintf("%s/actions/%.0f/undo", apiPrefix, done.field("action", "id")),
		map[string]any{"reason": "for the test"}).want(200)
	w.mod.send(post, ban, body).want(401)
	signedIn(t, w.server, w.actor).send(post, ban, body).want(200)
}

// TestOtherSites checks that unsafe routes do nothing with the cookie of a
// visitor of another site, and that a key needs no origin.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := program(t, w.server, policy.Admin)
	foreign := [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
		{"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
		{"Sec-Fetch-Site", "", "Origin", "http://example.com.evil.example"},
		{"Sec-Fetch-Site", "", "Origin", "http://example.com:8080"}, {"Sec-Fetch-Site", "", "Origin", "null"},
		{"Sec-Fetch-Site", "cross-site", "Origin", "http://example.com"}}
	for address, r := range w.addresses(post, put, patch) {
		api := strings.HasPrefix(address, apiPrefix)
		for _, headers := range foreign {
			a := w.mod.do(r.Method, address, strings.NewReader(goodForm(r).Encode()),
				"application/x-www-form-urlencoded", headers...)
			if a.status != http.StatusForbidden || api && a.field("error", "code") != "cross_origin" || !api &&
				!strings.Contains(a.text("main"), "another site") {
				t.Errorf("%s %s with %v: %d", r.Method, address, headers, a.status)
			}
			if !api || r.Permission == public {
				continue
			}
			if a := admin.do(r.Method, address, strings.NewReader("{}"), "application/json",
				headers...); a.status == http.StatusForbidden && strings.Contains(a.body, "cross_origin") {
				t.Errorf("%s %s with a key and %v: %d", r.Method, address, headers, a.status)
			}
		}
	}
	body := strings.NewReader(url.Values{"reason": {"for the test"}, "preview": {"true"}}.Encode())
	w.mod.do(post, "/users/"+w.user.String()+"/ban", body, "application/x-www-form-urlencoded", "Sec-Fetch-Site", "",
		"Origin", "http://example.com").want(303)
	w.mod.get("/trollboard").want(200)
	w.mod.do(get, "/trollboard", nil, "", "Sec-Fetch-Site", "cross-site").want(200)
}

// TestIdempotencyKeys checks that a repeated request acts once, also if all
// copies come at the same moment.
func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := apiPrefix + "/messages/" + w.reply.String()
	send := func(c *client, method, path, body, key string) answer {
		return c.do(method, path, strings.NewReader(body), "application/json", "Idempotency-Key", key)
	}
	var group sync.WaitGroup
	ids := make([]any, 8)
	for i := range ids {
		group.Add(1)
		go func() {
			defer group.Done()
			other := *w.mod
			ids[i] = send(&other, post, path+"/delete", `{"reason": "for the test"}`, "one").field("action", "id")
		}()
	}
	group.Wait()
	for _, id := range ids {
		if id == nil || id != ids[0] {
			t.Errorf("copies of one request did %v", ids)
			break
		}
	}
	if code := send(w.mod, post, path+"/delete", `{"reason": "for another test"}`, "one").want(409).field("error",
		"code"); code != "conflict" {
		t.Errorf("another request with the same key: %v", code)
	}
	send(w.mod, post, path+"/delete", `{"reason": "for the test"}`, "two").want(409)
	admin := staff(t, w.server, policy.Admin)
	send(admin, post, path+"/undelete", `{"reason": "for the test"}`, "one").want(200) // others have their own keys
	before := w.mod.get(apiPrefix + "/users/" + w.user.String()).field("version")
	for range 3 {
		send(w.mod, patch, apiPrefix+"/users/"+w.user.String(),
			fmt.Sprintf(`{"notes": "for the test", "version": %v}`, before), "three").want(200)
	}
	if after := w.mod.get(apiPrefix + "/users/" + w.user.String()).field("version"); after != before.(float64)+1 {
		t.Errorf("three copies of a change led from version %v to %v", before, after)
	}
	undo := fmt.Sprintf("%s/actions/%d/undo", apiPrefix, w.action)
	if a, b := send(w.mod, post, undo, `{"reason": "for the test"}`, "four").want(200), send(w.mod, post, undo,
		`{"reason": "for the test"}`, "four").want(200); a.field("action", "id") != b.field("action", "id") {
		t.Error("an undo with the same key acted twice")
	}
	// A preview neither uses up a key nor gets its answer.
	send(w.mod, post, path+"/delete", `{"reason": "for the test", "preview": true}`, "five").want(200)
	send(w.mod, post, path+"/delete", `{"reason": "for the test"}`, "five").want(200)
}
