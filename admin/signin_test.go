package admin

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

const password = "correct horse battery"

// makeAccount makes a member of staff who can sign in by password.
func makeAccount(t *testing.T, s *store.Store, name, role string) {
	t.Helper()
	if _, err := s.CreateStaff(t.Context(), store.CommandLine, name, role, password); err != nil {
		t.Fatal(err)
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	makeAccount(t, s, "ada", policy.Moderator)
	c := newClient(t, server)

	asked := c.get("/trollboard?frame=week").want(http.StatusSeeOther).header.Get("Location")
	if asked != "/sign-in?return=%2Ftrollboard%3Fframe%3Dweek" {
		t.Errorf("led to %s", asked)
	}
	back, _ := c.get(asked).want(200).page().Find("input[name=return]").Attr("value")
	if back != "/trollboard?frame=week" {
		t.Errorf("the form leads back to %q", back)
	}

	wrong := c.post("/sign-in", url.Values{"username": {"ada"}, "password": {"wrong wrong"}, "return": {back}}).want(401)
	if !strings.Contains(wrong.text(".notice-bad"), "The name or the password is wrong") {
		t.Errorf("a wrong password says %q", wrong.text(".notice-bad"))
	}
	if name, _ := wrong.page().Find("#username").Attr("value"); name != "ada" {
		t.Errorf("the typed name came back as %q", name)
	}
	if nobody := c.post("/sign-in", url.Values{"username": {"nobody"},
		"password": {"wrong wrong"}}).want(401); nobody.text(".notice-bad") != wrong.text(".notice-bad") {
		t.Error("the answer tells who has an account")
	}
	c.post("/sign-in", url.Values{"username": {"ada"}}).want(422)
	c.post("/sign-in", url.Values{"username": {"a\x00da\xff"}, "password": {"x"}}).want(422)

	in := c.post("/sign-in", url.Values{"username": {"ada"}, "password": {password}, "return": {back}}).want(303)
	if in.header.Get("Location") != back {
		t.Errorf("signed in, led to %s", in.header.Get("Location"))
	}
	for _, want := range []string{"HttpOnly", "SameSite=Lax", "path=/"} {
		if !strings.Contains(in.header.Get("Set-Cookie"), want) {
			t.Errorf("the cookie lacks %s: %s", want, in.header.Get("Set-Cookie"))
		}
	}
	home := c.get("/").want(200)
	if home.text(".person-name bdi") != "ada" || home.text(".person-name small") != "moderator" {
		t.Errorf("the frame names %q", home.text(".person-name"))
	}
	c.get("/sign-in").want(303)

	old := c.cookie
	c.post("/sign-out", nil).want(303)
	if c.cookie != "" {
		t.Error("signed out, and the cookie stays")
	}
	c.cookie = old
	c.get("/").want(303) // ended in the database too
	late := c.post("/users/6a9dbd1c-0000-4000-8000-000000000000/ban", url.Values{"return": {"/trollboard"}}).want(401)
	if to := attr(late.page().Find("main a.btn-primary"), "href"); to != "/sign-in?return=%2ftrollboard" {
		t.Errorf("an act without a session leads to %q", to)
	}
}

func TestSignInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	makeAccount(t, s, "ada", policy.Moderator)
	for _, evil := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "/%5cevil",
		"javascript:alert(1)", "/a\r\nSet-Cookie: a=b", "http:evil", "/\t/evil.example"} {
		c := newClient(t, server)
		to := c.post("/sign-in", url.Values{"username": {"ada"}, "password": {password},
			"return": {evil}}).want(303).header.Get("Location")
		if u, err := url.Parse(to); err != nil || u.Host != "" || u.Scheme != "" || strings.HasPrefix(to, "//") ||
			strings.ContainsAny(to, "\\\r\n\t") {
			t.Errorf("return=%q leads to %q", evil, to)
		}
	}
}

func TestSignInLink(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	actor := storetest.Staff(t, s, policy.Admin)
	link, err := s.SignInLink(t.Context(), store.CommandLine, actor.Name)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, server)
	// A request that only looks at the link does not redeem it.
	c.do(http.MethodHead, "/sign-in/link?token="+link, nil, "").want(204)
	c.do(http.MethodGet, "/sign-in/link?token="+link, nil, "", "Sec-Purpose", "prefetch;prerender").want(204)
	if to := c.get("/sign-in/link?token=" + link + "&return=/audit").want(303).header.Get("Location"); to != "/audit" {
		t.Errorf("the link leads to %s", to)
	}
	c.get("/").want(200)
	// The same person opens it again. Without a return path it leads to the
	// board.
	if to := c.get("/sign-in/link?token=" + link).want(303).header.Get("Location"); to != "/trollboard" {
		t.Errorf("the link leads to %s", to)
	}
	other := newClient(t, server)
	if text := other.get("/sign-in/link?token=" + link).want(401).text(".notice-bad"); !strings.Contains(text,
		"used already") {
		t.Errorf("a used link says %q", text)
	}
	for _, bad := range []string{"", "%00", "a%20b", "%ff", "%F0%9F%8C%B3"} {
		other.get("/sign-in/link?token=" + bad).want(400)
	}
	other.get("/sign-in/link?token=unknown").want(401)
}

func TestSignInIsLimited(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	makeAccount(t, s, "ada", policy.Moderator)
	c := newClient(t, server)
	status := 0
	for range 12 {
		status = c.post("/sign-in", url.Values{"username": {"ada"}, "password": {"wrong wrong"}}).status
	}
	if status != http.StatusTooManyRequests {
		t.Errorf("after 12 failures: %d", status)
	}
	// Now even the right password is refused.
	if text := c.post("/sign-in", url.Values{"username": {"ada"},
		"password": {password}}).want(429).text(".notice-bad"); !strings.Contains(text, "Wait") {
		t.Errorf("says %q", text)
	}
}

func TestAccount(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	makeAccount(t, s, "ada", policy.Moderator)
	in := func() *client {
		c := newClient(t, server)
		c.post("/sign-in", url.Values{"username": {"ada"}, "password": {password}}).want(303)
		return c
	}
	c, other, third := in(), in(), in()

	sessions := c.get("/account").want(200).page().Find("form[action^='/account/sessions/']")
	if sessions.Length() != 2 {
		t.Fatalf("%d sessions can be ended, want the 2 others", sessions.Length())
	}
	action, _ := sessions.First().Attr("action")
	c.post(action, nil).want(303)
	if a, b := other.get("/").status, third.get("/").status; a+b != 200+303 {
		t.Errorf("one other session should have ended: %d and %d", a, b)
	}
	c.post("/account/sessions/nonsense/end", nil).want(400)

	change := func(old, fresh, again string) answer {
		return c.post("/account/password", url.Values{"old": {old}, "new": {fresh}, "again": {again}})
	}
	for name, a := range map[string]answer{
		"old":   change("not this one", "a whole new one", "a whole new one"),
		"new":   change(password, "short", "short"),
		"again": change(password, "a whole new one", "a whole old one"),
	} {
		if a.want(422).text("#"+name+"-more .error") == "" {
			t.Errorf("nothing is said beside %s: %s", name, a.text("main"))
		}
	}
	change(password, "a whole new one", "a whole new one").want(303)
	c.get("/").want(200)
	if other.get("/").status == 200 || third.get("/").status == 200 {
		t.Error("another session outlived the change of password")
	}
	newClient(t, server).post("/sign-in", url.Values{"username": {"ada"}, "password": {password}}).want(401)
}

// TestFirstPassword lets somebody who came by a link set a password: the page asks
// for no present one. Afterwards it does.
func TestFirstPassword(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	c := staff(t, newServer(t, s), policy.Moderator)
	asked := func() bool { return c.get("/account").want(200).page().Find("#old").Length() > 0 }
	if asked() {
		t.Error("the page asks for a password that there is not")
	}
	c.post("/account/password", url.Values{"new": {"a whole new one"}, "again": {"a whole new one"}}).want(303)
	if !asked() {
		t.Error("the page does not ask for the present password")
	}
	c.post("/account/password", url.Values{"new": {"another whole one"}, "again": {"another whole one"}}).want(422)
}

func TestDisplay(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c := staff(t, server, policy.Moderator)
	if theme, ok := c.get("/").page().Find("html").Attr("data-theme"); ok {
		t.Errorf("the theme is %s before anybody chose one", theme)
	}
	c.post("/account/display", url.Values{"theme": {"dark"}, "return": {"/audit?kind=ban"}}).want(303)
	page := c.get("/account").page()
	if theme, _ := page.Find("html").Attr("data-theme"); theme != "dark" {
		t.Errorf("the theme is %q, want dark", theme)
	}
	if _, on := page.Find("input[name=blur][type=checkbox]").Attr("checked"); !on {
		t.Error("changing the theme stopped toxic text from being collapsed")
	}
	c.post("/account/display", url.Values{"theme": {"dark"}, "blur": {"false"}}).want(303)
	if _, on := c.get("/account").page().Find("input[name=blur][type=checkbox]").Attr("checked"); on {
		t.Error("the box was cleared and comes back")
	}
	c.post("/account/display", url.Values{"theme": {"pink"}}).want(422)
}
