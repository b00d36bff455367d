package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	c := newClient(t, server)
	for _, path := range []string{"/sign-in", "/static/app.css", "/healthz", "/no/such/page", "/api/v1/users",
		"/trollboard"} {
		h := c.get(path).header
		csp := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: the policy is %q", path, csp)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q, want %q", path, name, h.Get(name), want)
			}
		}
		if h.Get("X-Request-Id") == "" {
			t.Errorf("%s has no request id", path)
		}
	}
}

// TestCrossOrigin checks that another site cannot act with a visitor's cookie,
// neither by a form nor by the API.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c := staff(t, server, policy.Moderator)
	user := storetest.User(t, s, "Mallory")
	paths := []string{"/users/" + user.String() + "/ban", "/api/v1/users/" + user.String() + "/ban"}
	for _, path := range paths {
		for _, headers := range [][]string{
			{"Sec-Fetch-Site", "cross-site"},
			{"Sec-Fetch-Site", "same-site"},
			{"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
			{"Sec-Fetch-Site", "", "Origin", "null"},
		} {
			c.do(http.MethodPost, path, strings.NewReader("reason=spam+and+more"),
				"application/x-www-form-urlencoded", headers...).want(403)
		}
	}
	c.do(http.MethodPost, paths[1], strings.NewReader(`{"reason": "spam and more", "preview": true}`), "application/json",
		"Origin", "http://example.com").want(200)

	key, err := s.CreateKey(t.Context(), store.CommandLine, "bot", policy.Moderator, nil)
	if err != nil {
		t.Fatal(err)
	}
	bot := newClient(t, server)
	bot.key = key
	bot.do(http.MethodPost, paths[1], strings.NewReader(`{"reason": "spam and more"}`), "application/json", "Origin",
		"https://tool.example", "Sec-Fetch-Site", "cross-site").want(200)
}

func TestSecureCookies(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := New(Config{Store: s, Secure: true})
	makeAccount(t, s, "ada", policy.Admin)
	a := newClient(t, server).post("/sign-in", url.Values{"username": {"ada"}, "password": {password}}).want(303)
	if cookie := strings.ToLower(a.header.Get("Set-Cookie")); !strings.HasPrefix(cookie, "__host-treewarden=") ||
		!strings.Contains(cookie, "secure") || strings.Contains(cookie, "domain") {
		t.Errorf("the cookie is %s", cookie)
	}
	if a.header.Get("Strict-Transport-Security") == "" {
		t.Error("no word that the console is reached over https only")
	}
}

// TestProxyHeaders checks that no header sets the client's address if no proxy
// is trusted.
func TestProxyHeaders(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	makeAccount(t, s, "ada", policy.Admin)
	c := newClient(t, server)
	c.do(http.MethodPost, "/sign-in", strings.NewReader(url.Values{"username": {"ada"}, "password": {password}}.Encode()),
		"application/x-www-form-urlencoded",
		"X-Real-IP", "203.0.113.7", "X-Forwarded-For", "203.0.113.8").want(303)
	if text := c.get("/account").text("table"); strings.Contains(text, "203.0.113") {
		t.Errorf("a client chose its own address: %s", text)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c := staff(t, server, policy.Moderator)
	lead := staff(t, server, policy.DataLead)
	user := storetest.User(t, s, "Mallory")

	// A page for people, an object for programs.
	page := c.get("/users/6a9dbd1c-0000-4000-8000-000000000000").want(404)
	if page.text("h1") != "Not found" || page.page().Find("nav[aria-label=Main] a").Length() == 0 {
		t.Errorf("the page of a missing user: %s", page.text("main"))
	}
	api := c.get("/api/v1/users/6a9dbd1c-0000-4000-8000-000000000000").want(404)
	if api.field("error", "code") != "not_found" || api.field("error", "message") == "" {
		t.Errorf("the API says %s", api.body)
	}
	c.get("/api/v1/users/nonsense").want(400)
	c.get("/api/v1/nonsense").want(404)
	c.get("/nonsense").want(404)
	c.get("/Trollboard").want(404)
	c.get("/trollboard/").want(404)
	c.do(http.MethodDelete, "/trollboard", nil, "").want(405)

	// The page names the missing permission, and the roles that have it.
	refused := lead.get("/users/" + user.String() + "/ban").want(403).text("main")
	for _, want := range []string{"user.ban", "moderator, admin", "An admin can give you a role"} {
		if !strings.Contains(refused, want) {
			t.Errorf("a refusal does not say %q: %s", want, refused)
		}
	}
	if code := lead.send("POST", "/api/v1/users/"+user.String()+"/ban",
		map[string]any{"reason": "spam"}).want(403).field("error", "code"); code != "forbidden" {
		t.Errorf("the API says %v", code)
	}
}

// TestLimits sends requests that the web server itself refuses, before any
// middleware. It writes only the head of a request: a server that refuses a
// length closes the connection, and the kernel may then discard the answer
// while the client still sends.
func TestLimits(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.App().Listener(listener)            // ends with the test
	t.Cleanup(func() { server.App().Shutdown() }) // no requests remain
	for _, c := range []struct {
		method, path string
		length, want int
	}{
		{"POST", "/sign-in", bodyLimit + 1, 413},
		{"POST", "/api/v1/users", bodyLimit + 1, 413},
		{"GET", "/sign-in?" + strings.Repeat("a", 20_000), 0, 431},
	} {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: console\r\nContent-Type: "+
			"application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n", c.method, c.path, c.length)
		r, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%.20s: %v", c.path, err)
			continue
		}
		text, _ := io.ReadAll(r.Body)
		if r.StatusCode != c.want || r.Header.Get("Content-Security-Policy") == "" || len(text) < 20 {
			t.Errorf("%.20s: %d with %d bytes, want %d; %v", c.path, r.StatusCode, len(text), c.want, r.Header)
		}
	}
}

// TestBrokenMultipart checks that the handler reads a multipart form, after the
// sender is known, and that its error has the form for the address.
func TestBrokenMultipart(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	c := newClient(t, server)
	path := apiPrefix + "/trees/00000000-0000-4000-8000-000000000000/halt"
	for _, kind := range []string{"multipart/form-data", "multipart/form-data; boundary=x"} {
		a := c.do("POST", path, strings.NewReader(`{"reason": "no parts"}`), kind, "Authorization", "Bearer nobody")
		if a.want(401); !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: answered as %s", kind, a.header.Get("Content-Type"))
		}
	}
}

// TestFaultsStayInside checks that the text of an internal error is logged and
// never shown, and that a panic ends its own request only.
func TestFaultsStayInside(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c := staff(t, server, policy.Moderator)
	storetest.Exec(t, s, "ALTER TABLE reports RENAME TO secret_reports")
	a := c.get("/").want(500)
	if strings.Contains(a.body, "reports\"") || strings.Contains(a.body, "relation") ||
		a.text("code") != a.header.Get("X-Request-Id") {
		t.Errorf("the page of a fault says %s", a.text("main"))
	}
	storetest.Exec(t, s, "ALTER TABLE secret_reports RENAME TO reports")
	c.get("/").want(200)
}

func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c := staff(t, server, policy.Moderator)
	newClient(t, server).get("/readyz").want(200)
	s.Close()
	if text := c.get("/trollboard").want(503).text("main"); !strings.Contains(text, "Try again") {
		t.Errorf("says %q", text)
	}
	c.get("/api/v1/trollboard").want(503)
	newClient(t, server).get("/readyz").want(503)
	newClient(t, server).get("/healthz").want(200)
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := New(Config{Store: s,
		Ready: func(context.Context) error { return errors.New("the schema is old") }})
	if a := newClient(t, server).get("/readyz").want(503); strings.Contains(a.body, "the schema is old") {
		t.Error("the inner reason is shown to everybody")
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	c := newClient(t, server)
	c.get("/no/such/page/12345").want(404)
	c.get("/healthz").want(200)
	text := c.get("/metrics").want(200).body
	if !strings.Contains(text, `route="/healthz"`) || !strings.Contains(text, `route="unknown"`) ||
		strings.Contains(text, "12345") {
		t.Errorf("the metrics: %.600s", text)
	}
}

func TestStatic(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	c := newClient(t, server)
	for name, kind := range map[string]string{"app.css": "text/css", "app.js": "text/javascript",
		"icon.svg": "image/svg+xml"} {
		address, err := server.assetPath(name)
		if err != nil {
			t.Fatal(err)
		}
		a := c.get(address).want(200)
		if !strings.HasPrefix(a.header.Get("Content-Type"), kind) ||
			!strings.Contains(a.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %v", address, a.header)
		}
		if cached := c.get("/static/" + name).want(200).header.Get("Cache-Control"); cached != "no-cache" {
			t.Errorf("%s without its version is kept: %s", name, cached)
		}
	}
	for _, path := range []string{"/static/nothing.css", "/static/..%2fviews.go", "/static/tokens.css", "/static/"} {
		c.get(path).want(404)
	}
}

// TestFirstPaint checks that the page and all that it loads is under 100 kB
// over the wire.
func TestFirstPaint(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c := staff(t, server, policy.Admin)
	total := 0
	for _, path := range []string{"/trollboard", "/static/app.css", "/static/app.js", "/static/icon.svg"} {
		a := c.do(http.MethodGet, path, nil, "", "Accept-Encoding", "gzip").want(200)
		total += len(a.body)
	}
	if total > 100_000 {
		t.Errorf("first paint takes %d bytes", total)
	}
	t.Logf("frame, styles and scripts: %d bytes over the wire", total)
}
