package admin

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// behindProxy returns a server that trusts X-Real-IP from the tests' own peer.
func behindProxy(t *testing.T, s *store.Store) *Server {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	return New(Config{Store: s, Log: log, Version: "test", TrustedProxies: []string{"0.0.0.0"}})
}

// signInFrom tries a password from an address behind a trusted proxy.
func signInFrom(c *client, address, name, password string) answer {
	c.t.Helper()
	form := url.Values{"username": {name}, "password": {password}}.Encode()
	return c.do(http.MethodPost, "/sign-in", strings.NewReader(form), "application/x-www-form-urlencoded",
		"X-Real-IP", address)
}

// TestWrongPasswordsDoNotLockTheOwnerOut tries wrong passwords from one network: that
// network is refused then, and the owner gets in from theirs (fault 17).
func TestWrongPasswordsDoNotLockTheOwnerOut(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ stranger, sameNetwork, owner string }{
		{"192.0.2.7", "192.0.2.7", "192.0.2.8"},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"},
		{"::ffff:192.0.2.7", "192.0.2.7", "::ffff:192.0.2.8"},
	} {
		s := storetest.New(t)
		makeAccount(t, s, "ada", policy.Moderator)
		c := newClient(t, behindProxy(t, s))
		for range 30 {
			signInFrom(c, x.stranger, "ada", "wrong wrong")
		}
		signInFrom(c, x.sameNetwork, "ada", password).want(429)
		signInFrom(c, x.owner, "ada", password).want(303)
		// The network may still sign in to other accounts: it was refused, not counted.
		makeAccount(t, s, "uma", policy.Moderator)
		signInFrom(c, x.stranger, "uma", password).want(303)
	}
}

// TestOneNetworkGuessesManyNames tries one password with many names (fault 17).
func TestOneNetworkGuessesManyNames(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	makeAccount(t, s, "ada", policy.Moderator)
	c := newClient(t, behindProxy(t, s))
	status := 0
	for i := range 51 {
		status = signInFrom(c, fmt.Sprintf("2001:db8::%x", i), fmt.Sprintf("name %d", i), "wrong wrong").status
	}
	if status != 429 {
		t.Errorf("after 51 names: %d", status)
	}
	signInFrom(c, "2001:db8::1", "ada", password).want(429)
	signInFrom(c, "192.0.2.1", "ada", password).want(303)
}

// TestAddressOfTheClient reads which address a session notes (fault 17).
func TestAddressOfTheClient(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	makeAccount(t, s, "ada", policy.Moderator)
	trusting, plain := behindProxy(t, s), newServer(t, s)
	for _, x := range []struct {
		server       *Server
		header, want string
	}{
		{trusting, "192.0.2.7", "192.0.2.7"}, {trusting, " 2001:DB8::1 ", "2001:db8::1"},
		{trusting, "fe80::1%eth0", "fe80::1"},
		{trusting, "", "0.0.0.0"}, {trusting, "<script>", "0.0.0.0"}, {trusting, "192.0.2.7, 192.0.2.8", "0.0.0.0"},
		{trusting, "192.0.2.999", "0.0.0.0"}, {trusting, strings.Repeat("a", 5000), "0.0.0.0"},
		{plain, "192.0.2.7", "0.0.0.0"},
	} {
		signInFrom(newClient(t, x.server), x.header, "ada", password).want(303)
		var ip string
		if err := storetest.DB(t, s).QueryRow(t.Context(),
			"SELECT ip FROM sessions ORDER BY created_at DESC LIMIT 1").Scan(&ip); err != nil || ip != x.want {
			t.Errorf("X-Real-IP %.40q is noted as %.60q, want %q (%v)", x.header, ip, x.want, err)
		}
	}
}

// TestParallelGuessesDoNotPassTheLimit guesses many passwords at once. Those that are
// over the limit are refused before they are compared (fault 36).
func TestParallelGuessesDoNotPassTheLimit(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	makeAccount(t, s, "ada", policy.Moderator)
	servers := []*Server{newServer(t, s), newServer(t, storetest.Another(t, s))}
	var group sync.WaitGroup
	statuses := make([]int, 40)
	for i := range statuses {
		group.Go(func() {
			statuses[i] = newClient(t, servers[i%2]).post("/sign-in", url.Values{"username": {"ada"},
				"password": {fmt.Sprintf("wrong wrong %d", i)}}).status
		})
	}
	group.Wait()
	slices.Sort(statuses)
	if statuses[9] != 401 || statuses[10] != 429 {
		t.Errorf("40 guesses at once are answered %v, want 10 times 401, then 429", statuses)
	}
}

// TestManySignInsAtOnce lets one person sign in many times at once: right passwords do
// not use up the limit (fault 36).
func TestManySignInsAtOnce(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	makeAccount(t, s, "ada", policy.Moderator)
	server := newServer(t, s)
	var group sync.WaitGroup
	statuses := make([]int, 15)
	for i := range statuses {
		group.Go(func() {
			statuses[i] = newClient(t, server).post("/sign-in", url.Values{"username": {"ada"},
				"password": {password}}).status
		})
	}
	group.Wait()
	if slices.Min(statuses) != 303 || slices.Max(statuses) != 303 {
		t.Errorf("right passwords at once are answered %v", statuses)
	}
}

// TestAccessEndsForGood bans and demotes a person, and undoes it: neither their
// sessions nor their links come back (faults 5 and 45).
func TestAccessEndsForGood(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	admin := staff(t, server, policy.Admin)
	reason := map[string]any{"reason": "for the test"}
	role := func(name string) map[string]any { return map[string]any{"role": name, "reason": "for the test"} }
	for name, x := range map[string]struct {
		from      string
		out, back func(own string) answer
	}{
		"ban and unban": {
			policy.Moderator,
			func(own string) answer { return admin.send(post, own+"/ban", reason) },
			func(own string) answer { return admin.send(post, own+"/unban", reason) },
		},
		"a lower rank": {
			policy.Admin,
			func(own string) answer { return admin.changeUser(own, role(policy.Moderator)) },
			func(own string) answer { return admin.changeUser(own, role(policy.Admin)) },
		},
		"demotion and promotion": {
			policy.Moderator,
			func(own string) answer { return admin.changeUser(own, role(policy.General)) },
			func(own string) answer { return admin.changeUser(own, role(policy.Moderator)) },
		},
		"a role without a console": {
			policy.Moderator,
			func(own string) answer { return admin.changeUser(own, role(policy.Collector)) },
			func(own string) answer { return admin.changeUser(own, role(policy.Moderator)) },
		},
	} {
		for _, undo := range []bool{false, true} {
			actor := storetest.Staff(t, server.store, x.from)
			c := signedIn(t, server, actor)
			link, err := server.store.SignInLink(t.Context(), store.CommandLine, actor.Name)
			if err != nil {
				t.Fatal(err)
			}
			own := apiPrefix + "/users/" + actor.UserID.String()
			done := x.out(own).want(200)
			c.get(apiPrefix + "/users").want(401)
			if undo {
				id := admin.get(apiPrefix + "/audit?limit=1").want(200).field("items").([]any)[0].(map[string]any)["id"]
				if done.field("action") != nil {
					id = done.field("action", "id")
				}
				admin.send(post, fmt.Sprintf("%s/actions/%.0f/undo", apiPrefix, id), reason).want(200)
			} else {
				x.back(own).want(200)
			}
			if got := c.get(apiPrefix + "/users").status; got != 401 {
				t.Errorf("%s (undo %v): the old session answers %d", name, undo, got)
			}
			if got := newClient(t, server).get("/sign-in/link?token=" + link).status; got != 401 {
				t.Errorf("%s (undo %v): the old link answers %d", name, undo, got)
			}
			signedIn(t, server, actor).get(apiPrefix + "/users").want(200)
		}
	}
}

// TestUndoneUnbanEndsSessions bans a person again by an undo (fault 5).
func TestUndoneUnbanEndsSessions(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	admin, actor := staff(t, server, policy.Admin), storetest.Staff(t, server.store, policy.Moderator)
	own, reason := apiPrefix+"/users/"+actor.UserID.String(), map[string]any{"reason": "for the test"}
	ban := admin.send(post, own+"/ban", reason).want(200)
	unban := admin.send(post, own+"/unban", reason).want(200)
	c := signedIn(t, server, actor)
	undo := func(id any) answer {
		return admin.send(post, fmt.Sprintf("%s/actions/%.0f/undo", apiPrefix, id), reason)
	}
	undo(unban.field("action", "id")).want(200)
	undo(ban.field("action", "id")).want(200)
	c.get(apiPrefix + "/users").want(401)
}

// TestRoleThatLosesTheConsole takes the console from a role and gives it back: the
// sessions of those who have it have ended (fault 5).
func TestRoleThatLosesTheConsole(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	own := policy.Role{Name: "reader", Title: "reader", Rank: 1,
		Permissions: []policy.Permission{policy.Read, policy.Account}}
	addRoles(t, s, own)
	c := staff(t, server, "reader")
	c.get(apiPrefix + "/users").want(200)
	roles := s.Policy().Roles()
	for _, permissions := range [][]policy.Permission{{policy.Account}, {policy.Read, policy.Account}} {
		i := slices.IndexFunc(roles, func(r policy.Role) bool { return r.Name == "reader" })
		roles[i].Permissions = permissions
		if _, err := s.ChangePolicy(t.Context(), store.CommandLine, store.PolicyChange{Roles: roles,
			Reason: "for the test"}); err != nil {
			t.Fatal(err)
		}
		c.get(apiPrefix + "/users").want(401)
	}
}

// TestRightPasswordWithoutAccess signs in people who may not enter: they get 401 with
// the reason and no cookie. Somebody without the password learns nothing (fault 5).
func TestRightPasswordWithoutAccess(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	admin := staff(t, server, policy.Admin)
	for name, x := range map[string]struct {
		path, says string
		body       map[string]any
	}{
		"ada": {"", "no access", map[string]any{"role": policy.General}},
		"uma": {"/ban", "banned. An admin", map[string]any{"reason": "for the test"}},
		"eva": {"/ban", "banned until 1 January 2100, 00:00 UTC", map[string]any{"reason": "for the test",
			"until": "2100-01-01T00:00:00Z"}},
	} {
		user, err := s.CreateStaff(t.Context(), store.CommandLine, name, policy.Moderator, password)
		if err != nil {
			t.Fatal(err)
		}
		own := apiPrefix + "/users/" + user.UserID.String()
		if x.path == "" {
			admin.changeUser(own, x.body).want(200)
		} else {
			admin.send(post, own+x.path, x.body).want(200)
		}
		c := newClient(t, server)
		for range 12 { // a right password is no failure
			a := c.post("/sign-in", url.Values{"username": {name}, "password": {password}}).want(401)
			if text := a.text(".notice-bad"); !strings.Contains(text, x.says) || a.header.Get("Set-Cookie") != "" {
				t.Errorf("%s is told %q", name, text)
			}
		}
		if text := c.post("/sign-in", url.Values{"username": {name},
			"password": {"wrong wrong"}}).want(401).text(".notice-bad"); !strings.Contains(text, "is wrong") {
			t.Errorf("a guess for %s is told %q", name, text)
		}
	}
}

// TestPasswordResetEndsLinks sets a password in each way: links made before it open
// nothing (fault 45).
func TestPasswordResetEndsLinks(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	for way, set := range map[string]func(name string, link func() string) error{
		"by the command": func(name string, _ func() string) error {
			return s.SetStaffPassword(t.Context(), store.CommandLine, name, "a whole new one")
		},
		"by the person": func(name string, _ func() string) error {
			c := newClient(t, server)
			c.post("/sign-in", url.Values{"username": {name}, "password": {password}}).want(303)
			c.post("/account/password", url.Values{"old": {password}, "new": {"a whole new one"},
				"again": {"a whole new one"}}).want(303)
			return nil
		},
		"by another link": func(_ string, link func() string) error {
			newClient(t, server).post(invitationPath, url.Values{"token": {link()}, "password": {"a whole new one"},
				"again": {"a whole new one"}}).want(303)
			return nil
		},
	} {
		makeAccount(t, s, way, policy.Moderator)
		link := func() string {
			link, err := s.SignInLink(t.Context(), store.CommandLine, way)
			if err != nil {
				t.Fatal(err)
			}
			return link
		}
		old := link()
		if err := set(way, link); err != nil {
			t.Fatal(err)
		}
		if got := newClient(t, server).get("/sign-in/link?token=" + old).status; got != 401 {
			t.Errorf("%s: the old link answers %d", way, got)
		}
	}
}

// TestOnlyAdminsWhoCanSignInCount takes the access of the only admin who can sign in,
// beside admins who cannot (fault 46).
func TestOnlyAdminsWhoCanSignInCount(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	last, err := s.CreateStaff(t.Context(), store.CommandLine, "last", policy.Admin, password)
	if err != nil {
		t.Fatal(err)
	}
	storetest.Staff(t, s, policy.Admin) // never invited
	late := storetest.Staff(t, s, policy.Admin)
	storetest.Exec(t, s, `INSERT INTO sign_in_links (token_hash, user_id, expires_at)
		VALUES ('\x00', $1, now() - interval '1 second')`, late.UserID)
	elsewhere := uuid.New()
	storetest.Exec(t, s, `INSERT INTO users (user_id, display_name, auth_method, username, role, password_hash)
		VALUES ($1, 'Elsewhere', 'discord', 'elsewhere', 'admin', 'x')`, elsewhere)
	key, err := s.CreateKey(t.Context(), store.CommandLine, "an admin's", policy.Admin, nil)
	if err != nil {
		t.Fatal(err)
	}
	admin := newClient(t, server)
	admin.key = key
	own, reason := apiPrefix+"/users/"+last.UserID.String(), map[string]any{"reason": "for the test"}
	lose := map[string]func() answer{
		"ban":    func() answer { return admin.send(post, own+"/ban", reason) },
		"role":   func() answer { return admin.changeUser(own, map[string]any{"role": policy.Moderator}) },
		"access": func() answer { return admin.send(del, staffAPI+"/"+last.UserID.String(), reason) },
		"staff": func() answer {
			return admin.send(patch, staffAPI+"/"+last.UserID.String(), map[string]any{"role": policy.Moderator,
				"reason": "for the test"})
		},
	}
	for name, try := range lose {
		if a := try(); a.status != 403 || !strings.Contains(a.body, "who can sign in") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	why := admin.get(apiPrefix + "/policy/why?user=" + storetest.Staff(t, s, policy.Admin).UserID.String() +
		"&permission=user.ban&target=user:" + last.UserID.String()).want(200)
	if !strings.Contains(why.body, "last admin") {
		t.Errorf("the explanation says %s", why.body)
	}
	// An invitation that is open lets one in.
	if _, err := s.SignInLink(t.Context(), store.CommandLine, late.Name); err != nil {
		t.Fatal(err)
	}
	lose["access"]().want(200)
}

// TestNamesOfStaffAndContributors gives both the same sign-in name, in either order:
// neither blocks the other, and each sign-in is the account's (fault 47).
func TestNamesOfStaffAndContributors(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	key, err := s.CreateKey(t.Context(), store.CommandLine, "front end", policy.Collector, nil)
	if err != nil {
		t.Fatal(err)
	}
	front, admin := newClient(t, server), staff(t, server, policy.Admin)
	front.key = key
	contributor := func(name string) string {
		id := uuid.NewString()
		a := front.do(post, apiPrefix+ingestPath, strings.NewReader(fmt.Sprintf(`{"type":"user","id":"%s","user_id":"%s",`+
			`"display_name":"%s","auth_method":"local","username":"%s"}`, id, id, name, name)), ingestType).want(200)
		if a.field("accepted") != 1.0 {
			t.Errorf("the contributor %s is answered %s", name, a.body)
		}
		return id
	}
	contributor("ada")
	makeAccount(t, s, "ada", policy.Moderator)
	makeAccount(t, s, "uma", policy.Moderator)
	second := contributor("uma")
	for _, name := range []string{"ada", "uma"} {
		c := newClient(t, server)
		c.post("/sign-in", url.Values{"username": {name}, "password": {password}}).want(303)
		if got := c.get("/").want(200).text(".person-name small"); got != "moderator" {
			t.Errorf("%s is signed in as %q", name, got)
		}
	}
	// Two accounts of one name cannot be.
	a := admin.changeUser(apiPrefix+"/users/"+second, map[string]any{"role": policy.Moderator}).want(422)
	if a.field("error", "fields", "role") == nil {
		t.Errorf("a second account of a name is answered %s", a.body)
	}
	// A contributor of another name becomes staff, and stops when it is undone.
	third := contributor("eva")
	admin.changeUser(apiPrefix+"/users/"+third, map[string]any{"role": policy.Moderator}).want(200)
	if _, err := s.CreateStaff(t.Context(), store.CommandLine, "eva", policy.Moderator, password); err == nil {
		t.Error("there are two accounts of one name")
	}
	id := admin.get(apiPrefix + "/audit?limit=1").want(200).field("items").([]any)[0].(map[string]any)["id"]
	admin.send(post, fmt.Sprintf("%s/actions/%.0f/undo", apiPrefix, id), because).want(200)
	makeAccount(t, s, "eva", policy.Moderator)
}

// TestWrongOldPasswordsAreLimited guesses the old password (fault 48).
func TestWrongOldPasswordsAreLimited(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	makeAccount(t, s, "ada", policy.Moderator)
	c := newClient(t, server)
	c.post("/sign-in", url.Values{"username": {"ada"}, "password": {password}}).want(303)
	change := func(old string) answer {
		return c.post("/account/password", url.Values{"old": {old}, "new": {"a whole new one"}, "again": {"a whole new one"}})
	}
	for range 10 {
		change("wrong wrong").want(422)
	}
	if text := change(password).want(429).text("#old-more .error"); !strings.Contains(text, "Wait") {
		t.Errorf("says %q", text)
	}
	// It does not keep its owner from signing in.
	newClient(t, server).post("/sign-in", url.Values{"username": {"ada"}, "password": {password}}).want(303)
}

// TestKeySetsNoPassword lets a key ask for a password of its own (fault 48).
func TestKeySetsNoPassword(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	key, err := s.CreateKey(t.Context(), store.CommandLine, "an admin's", policy.Admin, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, newServer(t, s))
	c.key = key
	c.post("/account/password", url.Values{"new": {"a whole new one"}, "again": {"a whole new one"}}).want(403)
	storetest.Exec(t, s, "SELECT 1 / (count(*) FILTER (WHERE password_hash IS NULL)) FROM users WHERE auth_method = 'key'")
}

// TestOldSignInsAreForgotten removes what is over, and nothing else (fault 48).
func TestOldSignInsAreForgotten(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	actor := storetest.Staff(t, s, policy.Moderator)
	storetest.Exec(t, s, `INSERT INTO sign_in_attempts (subject, window_start, failures)
		VALUES ('old', now() - interval '16 minutes', 3), ('new', now(), 3)`)
	storetest.Exec(t, s, `INSERT INTO sign_in_links (token_hash, user_id, expires_at)
		VALUES ('\x00', $1, now() - interval '1 second'), ('\x01', $1, now() + interval '1 hour')`, actor.UserID)
	storetest.Exec(t, s, `INSERT INTO sessions (token_hash, user_id, expires_at, last_seen_at)
		VALUES ('\x00', $1, now() - interval '1 second', now()), ('\x01', $1, now() + interval '1 hour', now()),
			('\x02', $1, now() + interval '1 hour', now() - interval '13 hours')`, actor.UserID)
	if err := s.ForgetSignIns(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"sign_in_attempts", "sign_in_links", "sessions"} {
		var left int
		err := storetest.DB(t, s).QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&left)
		if err != nil || left != 1 {
			t.Errorf("%s has %d rows left, want 1 (%v)", table, left, err)
		}
	}
}

// TestPrivateAnswersAreNotStored reads the answers that no cache may keep (fault 48).
func TestPrivateAnswersAreNotStored(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	makeAccount(t, s, "ada", policy.Admin)
	link, err := s.SignInLink(t.Context(), store.CommandLine, "ada")
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, server)
	for what, a := range map[string]answer{
		"a link":    newClient(t, server).get("/sign-in/link?token=" + link).want(303),
		"sign-in":   c.post("/sign-in", url.Values{"username": {"ada"}, "password": {password}}).want(303),
		"events":    c.get(apiPrefix + eventsPath + "?after=0"),
		"health":    c.get("/healthz").want(200),
		"readiness": c.get("/readyz").want(200),
		"an error":  c.get(apiPrefix + "/users/nobody"),
		"sign-out":  c.post("/sign-out", nil).want(303),
	} {
		if got := a.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q", what, got)
		}
	}
}

// TestCookiesBehindTLS signs in through a proxy that serves https, without --secure
// (fault 48).
func TestCookiesBehindTLS(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	makeAccount(t, s, "ada", policy.Moderator)
	var log bytes.Buffer
	plain := New(Config{Store: s, Log: slog.New(slog.NewTextHandler(&log, nil)), Version: "test"})
	form := url.Values{"username": {"ada"}, "password": {password}}.Encode()
	cookie := func(server *Server, headers ...string) string {
		return newClient(t, server).do(http.MethodPost, "/sign-in", strings.NewReader(form),
			"application/x-www-form-urlencoded", headers...).want(303).header.Get("Set-Cookie")
	}
	if got := cookie(behindProxy(t, s), "X-Forwarded-Proto", "https"); !strings.Contains(got, "secure") {
		t.Errorf("a trusted proxy with https gets the cookie %s", got)
	}
	if got := cookie(behindProxy(t, s), "X-Forwarded-Proto", "http"); strings.Contains(got, "secure") {
		t.Errorf("a trusted proxy with http gets the cookie %s", got)
	}
	for range 2 {
		if got := cookie(plain, "X-Forwarded-Proto", "https"); strings.Contains(got, "secure") {
			t.Errorf("a stranger's header is believed: %s", got)
		}
	}
	if n := strings.Count(log.String(), "--secure"); n != 1 {
		t.Errorf("the log warns %d times: %s", n, log.String())
	}
}
