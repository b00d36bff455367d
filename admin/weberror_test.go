package admin

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// TestUnknownPageKeepsTheNavigation (fault 23) opens addresses that do not exist.
func TestUnknownPageKeepsTheNavigation(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	c := staff(t, server, policy.Moderator)
	for _, path := range []string{"/nothing", "/users/nothing/more", "/sign-in/nothing",
		"/users/00000000-0000-4000-8000-000000000000"} {
		page := c.get(path).want(404)
		if page.page().Find(".nav a").Length() == 0 || strings.Contains(page.text("main"), "Sign in") {
			t.Errorf("%s: %s", path, page.text("body"))
		}
	}
	if text := newClient(t, server).get("/nothing").want(404).text("main"); !strings.Contains(text, "Sign in") {
		t.Errorf("for nobody: %q", text)
	}
	for _, path := range []string{"/api/nothing", "/api", apiPrefix + "/nothing"} {
		if a := c.get(path).want(404); a.field("error", "code") != "not_found" {
			t.Errorf("%s: %s", path, a.body)
		}
	}
}

// TestServersOwnErrors (fault 23) sends requests that the web server itself
// refuses: under /api the answer is the API's JSON, elsewhere a page.
func TestServersOwnErrors(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	server.App().Server().ReadTimeout = 500 * time.Millisecond // for the request that is never whole
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener, 0)                  // ends with the test
	t.Cleanup(func() { server.App().Shutdown() }) // no requests remain
	long := strings.Repeat("a", 20_000)
	for _, c := range []struct {
		path, head, code string
		want             int
	}{
		{"/users?q=" + long, " HTTP/1.1\r\nHost: console\r\n\r\n", "headers_too_large", 431},
		{"/users", " HTTP/1.1\r\nHost: console\r\nno colon\r\n\r\n", "bad_request", 400},
		{"/users", " HTTP/1.1\r\nHost: console\r\nHalf", "timeout", 408},
	} {
		for _, prefix := range []string{"", apiPrefix} {
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprint(conn, "GET "+prefix+c.path+c.head)
			r, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Errorf("%d %s: %v", c.want, prefix, err)
				continue
			}
			text, _ := io.ReadAll(r.Body)
			var answer struct {
				Error struct{ Code, Message string }
			}
			isJSON := json.Unmarshal(text, &answer) == nil
			if r.StatusCode != c.want || isJSON != (prefix != "") || isJSON && (answer.Error.Code != c.code ||
				answer.Error.Message == "") || !isJSON && !strings.Contains(string(text), "<h1>") {
				t.Errorf("%s: %d, want %d: %.200s", prefix, r.StatusCode, c.want, text)
			}
			if strings.Contains(string(text), "Sign in") {
				t.Errorf("%d: a request that was not read is asked to sign in", c.want)
			}
		}
	}
}
