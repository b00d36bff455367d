package admin

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// TestUnknownParametersAreRefused (fault 15): the API names a parameter that it
// does not know, with the nearest one, and one that is there twice.
func TestUnknownParametersAreRefused(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	key := program(t, server, policy.Admin)
	user := storetest.User(t, s, "Mallory")
	path := "/api/v1/users/" + user.String()
	for _, c := range []struct{ address, name, nearest string }{
		{"/api/v1/users?stauts=banned", "stauts", "status"},
		{"/api/v1/trollboard?SORT=rate", "SORT", "sort"},
		{"/api/v1/trollboard?frames=day&stat=all", "frames", "frame"},
		{"/api/v1/trollboard?open=" + user.String(), "open", "nearest"},
		{"/api/v1/messages?limits=3", "limits", "limit"},
		{"/api/v1/messages?limit=1&limit=200", "limit", "once"},
		{"/api/v1/messages?limit=1&limit=1", "limit", "once"},
		{"/api/v1/messages?q[]=x", "q[]", "q"},
		{"/api/v1/events?since=3", "since", "after, wait"},
		{"/api/v1/audit?form=csv", "form", "nearest"},
		{path + "?deleted=only", "deleted", "formula"},
		{path + "/score?windows=day", "windows", "frame"},
		{"/api/v1/scoring?x=1", "x", "none"},
		{"/api/v1/users?" + strings.Repeat("x", 500) + "=1", "x…", "nearest"},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			a := key.do(method, c.address, nil, "").want(400)
			if method == http.MethodHead {
				continue
			}
			if why := a.field("error", "message").(string); !strings.Contains(why, c.name+": ") ||
				!strings.Contains(why, c.nearest) {
				t.Errorf("%s: %s", c.address, why)
			}
		}
	}
	body := map[string]any{"reason": "for the test"}
	for _, address := range []string{"/ban?preview=true", "/ban?reason=x", "/ban?x=1", "/ban?until=2030-01-01T00:00:00Z",
		"/unban?preview=true"} {
		a := key.send(http.MethodPost, path+address, body).want(400)
		name := address[strings.Index(address, "?")+1 : strings.Index(address, "=")]
		if !strings.Contains(a.body, name+": ") {
			t.Errorf("%s: %s", address, a.body)
		}
	}
	if a := key.send(http.MethodPost, path+"/ban?preview=true", body); !strings.Contains(a.body, "field of the body") {
		t.Errorf("preview in the address: %s", a.body)
	}
	if status := key.get(path).want(200).field("status"); status != "active" {
		t.Errorf("a refused request left them %v", status)
	}
	// No key, no word about parameters.
	newClient(t, server).get("/api/v1/users?stauts=banned").want(401)
	// Links to pages may have parameters that somebody else added.
	moderator := staff(t, server, policy.Moderator)
	for _, page := range []string{"/users?utm_source=mail", "/trollboard?fbclid=x&sort=rate",
		"/messages?limit=1&limit=2"} {
		moderator.get(page).want(200)
	}
}

// TestEveryMethodRefusesUnknownParameters (fault 15): all routes of the API do,
// and take what their description names.
func TestEveryMethodRefusesUnknownParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	routes := w.addresses(get, post, put, patch, del)
	for _, address := range slices.Sorted(maps.Keys(routes)) {
		if !strings.HasPrefix(address, apiPrefix) {
			continue
		}
		r := routes[address]
		for _, query := range []string{"nothing_like_it=1", "Limit=1", "limit=1&limit=2", "=1", "%00=1", "a;b"} {
			a := w.by(r).do(r.Method, address+"?"+query, strings.NewReader("{}"), "application/json")
			if a.status != 400 {
				t.Errorf("%s %s?%s: %d", r.Method, address, query, a.status)
			}
		}
	}
}

// TestPartsOfABoard checks that a board has the parts of scores only if they
// are asked for.
func TestPartsOfABoard(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	ann, bob := storetest.User(t, s, "Ann"), storetest.User(t, s, "Bob")
	tree := storetest.Tree(t, s, storetest.Node{Author: ann})
	storetest.React(t, s, tree[0], bob, "-1", time.Now().Add(-time.Minute))
	key := program(t, server, policy.Moderator)
	for query, want := range map[string]bool{"": false, "?parts=false": false, "?parts=true": true, "?parts=": false} {
		a := key.get("/api/v1/trollboard" + query).want(200)
		row := a.field("items").([]any)[0].(map[string]any)
		if _, has := row["parts"]; has != want {
			t.Errorf("%q has parts: %v", query, has)
		}
		if row["score"] != 1.0 {
			t.Errorf("%q: %v", query, row)
		}
	}
	key.get("/api/v1/trollboard?parts=maybe").want(400)
}

// TestEventsBeyondTheLast (fault 18): a reader that is ahead of the events, as
// after a restored backup, is told the last id and does not wait.
func TestEventsBeyondTheLast(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c, moderator := program(t, server, policy.Collector), program(t, server, policy.Moderator)
	check := func(last int64) {
		t.Helper()
		c.get(fmt.Sprintf("/api/v1/events?after=%d", last)).want(200)
		for _, after := range []string{fmt.Sprint(last + 1), "9223372036854775807", fmt.Sprint(last+1) + "&wait=30"} {
			a := c.get("/api/v1/events?after=" + after).want(409)
			if a.field("error", "last") != float64(last) ||
				!strings.Contains(a.field("error", "message").(string), fmt.Sprintf("last one is %d.", last)) {
				t.Errorf("after %s of %d: %s", after, last, a.body)
			}
		}
	}
	check(0)
	user := "/api/v1/users/" + storetest.User(t, s, "Mallory").String()
	moderator.send("POST", user+"/ban", map[string]any{"reason": "for the test"}).want(200)
	check(int64(c.get("/api/v1/events").want(200).field("next").(float64)))
}
