package admin

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// TestBadIDs calls every route with invalid ids and with ids of things that do
// not exist.
func TestBadIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	malformed := []string{"x", "%00", "%ff", "%25", "0", "-1", "1.5", "1e3", "+1", "01", "NaN", "9223372036854775808",
		"%D9%A3", strings.Repeat("9", 300), strings.Repeat("a", 5000), uuid.Nil.String() + "0",
		"urn:uuid:" + uuid.NewString()[1:], "%7B" + uuid.NewString(), strings.ReplaceAll(uuid.NewString(), "-", "") + "0",
		"g" + uuid.NewString()[1:], "%3Cscript%3E", "'%20OR%201=1--", "%0d%0aX-Injected:%201", "%E2%80%AE", "a;b", "null"}
	for _, r := range allRoutes() {
		if !strings.Contains(r.Path, ":id") || r.Kind == apiOnly && r.Method == get {
			continue
		}
		if strings.HasPrefix(r.Path, "/classifiers/") {
			continue // the id of a classifier is its name, and any text may be one
		}
		numbered := strings.HasPrefix(r.Path, "/actions/") || strings.HasPrefix(r.Path, "/queue/")
		try := func(prefix, id string, want int) {
			t.Helper()
			at := prefix + strings.NewReplacer(":id", id, ":message", w.reply.String()).Replace(r.Path)
			var a answer
			switch {
			case r.Method == get:
				a = w.by(r).get(at)
			case prefix == "":
				a = w.by(r).post(at, goodForm(r))
			default:
				a = w.by(r).send(r.Method, at, goodBody(r))
			}
			sound(t, r.Method+" "+at, a)
			if a.status != want {
				t.Errorf("%s %.200s: %d, want %d: %.200s", r.Method, at, a.status, want, a.body)
			}
		}
		for _, prefix := range []string{"", apiPrefix} {
			if r.Kind == apiOnly && prefix == "" || r.Kind == pageOnly && prefix != "" {
				continue
			}
			for _, id := range malformed {
				try(prefix, id, http.StatusBadRequest)
			}
			if numbered {
				try(prefix, uuid.NewString(), http.StatusBadRequest)
				try(prefix, "999999999", http.StatusNotFound)
				try(prefix, "9223372036854775807", http.StatusNotFound)
				continue
			}
			try(prefix, uuid.NewString(), http.StatusNotFound)
			try(prefix, uuid.Nil.String(), http.StatusNotFound)
		}
	}
}

// TestBadCursors sends every list cursors that were cut, changed, invented, or
// made for another list.
func TestBadCursors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lists, by := map[string]string{}, map[string]*client{}
	for address, r := range w.addresses(get) {
		if _, ok := reflect.TypeOf(queryAt(address, r)).FieldByName("Cursor"); !ok || !strings.HasPrefix(address, apiPrefix) {
			continue
		}
		first := w.by(r).get(address + "?limit=1").want(http.StatusOK)
		if first.field("items") == nil {
			continue // one thing with lists on its page only
		}
		by[address] = w.by(r)
		lists[address], _ = first.field("next").(string)
	}
	keys := []string{"", "NaN", "Infinity", "-Infinity", "infinity", "1e999", "-1e999", "9223372036854775808", "1.5",
		"294277-01-01", "4714-01-01 BC", "2023-02-30", "x", "a\x00b", "\ufffd", "null",
		strings.Repeat("9", 400), uuid.NewString(), "2023-02-05 12:23:50+00"}
	for address, cursor := range lists {
		bad := slices.Clone(badValues)
		for other, foreign := range lists {
			if foreign == "" || cursor == "" || foreign == cursor || orderOf(t, foreign) == orderOf(t, cursor) &&
				kindOfList(other) == kindOfList(address) {
				continue
			}
			if a := by[address].get(address + "?cursor=" + url.QueryEscape(foreign)); a.status != http.StatusBadRequest {
				t.Errorf("%s takes a cursor of %s: %d", address, other, a.status)
			}
		}
		if cursor == "" {
			t.Errorf("%s is too short for a cursor", address)
			continue
		}
		for n := 1; n < len(cursor); n += 7 {
			changed := []byte(cursor)
			changed[n] ^= 1
			bad = append(bad, cursor[:n], string(changed), cursor[n:])
		}
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		if err != nil {
			t.Fatal(err)
		}
		var parts map[string]any
		if err := json.Unmarshal(raw, &parts); err != nil {
			t.Fatal(err)
		}
		had := parts["k"].([]any)
		encode := func(change func(map[string]any)) {
			other := map[string]any{"o": parts["o"], "k": slices.Clone(had)}
			change(other)
			text, err := json.Marshal(other)
			if err != nil {
				t.Fatal(err)
			}
			bad = append(bad, base64.RawURLEncoding.EncodeToString(text))
		}
		for i := range had {
			for _, key := range keys {
				encode(func(c map[string]any) { c["k"].([]any)[i] = key })
			}
		}
		for _, o := range []any{"", nil, 1, "x", parts["o"].(string) + " "} {
			encode(func(c map[string]any) { c["o"] = o })
		}
		for _, k := range []any{nil, []any{}, "x", 1, []any{1, 2}, append(slices.Clone(had), "x"), map[string]any{},
			[]any{nil, nil}} {
			encode(func(c map[string]any) { c["k"] = k })
		}
		encode(func(c map[string]any) { c["b"] = "yes" })
		for _, text := range []string{"null", "[]", `{"o":`, "\xff\xfe", "{}" + "{}"} {
			bad = append(bad, base64.RawURLEncoding.EncodeToString([]byte(text)), base64.StdEncoding.EncodeToString(raw)+"=")
		}
		for _, text := range bad {
			at := address + "?cursor=" + url.QueryEscape(text)
			a := by[address].get(at)
			sound(t, at, a)
			if a.status != http.StatusOK && a.status != http.StatusBadRequest {
				t.Errorf("%s with the cursor %.200q: %d", address, text, a.status)
			}
		}
	}
}

// orderOf returns the name of the order that a cursor belongs to.
func orderOf(t *testing.T, cursor string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		t.Fatal(err)
	}
	var c struct{ O string }
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	return c.O
}

// kindOfList returns the kind of a list's items by the list's address. A user's
// messages are messages too.
func kindOfList(address string) string {
	return map[string]string{"audit": "actions"}[filepath.Base(address)] +
		strings.Replace(filepath.Base(address), "audit", "", 1)
}

func TestBadHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := apiPrefix + "/messages/" + w.reply.String() + "/report"
	for i, value := range badValues {
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			continue // no header can hold these; see TestRawRequests
		}
		want := http.StatusOK
		if len(value) > 200 || !printable(strings.Trim(value, " \t")) {
			want = http.StatusBadRequest
		}
		a := w.mod.do("POST", path, strings.NewReader(`{"reason": "`+fmt.Sprint("for the test ", i)+`"}`),
			"application/json", "Idempotency-Key", value)
		if a.status != want {
			t.Errorf("the Idempotency-Key %.100q: %d, want %d", value, a.status, want)
		}
		sound(t, "Idempotency-Key "+value, a)
		for _, header := range []string{"Accept", "Accept-Encoding", "Accept-Language", "User-Agent", "Referer", "X-Partial",
			"X-Forwarded-For", "X-Real-Ip", "X-Request-Id", "If-None-Match", "Range", "Content-Encoding"} {
			if (i+len(header))%5 == 0 {
				sound(t, header+" "+value, w.mod.do("GET", "/messages", nil, "", header, value))
			}
		}
		for _, header := range []string{"Cookie", "Authorization"} {
			a := newClient(t, w.server).do("GET", apiPrefix+"/messages", nil, "", header, value)
			b := newClient(t, w.server).do("GET", apiPrefix+"/messages", nil, "", header,
				map[string]string{"Cookie": sessionCookie + "=", "Authorization": "Bearer "}[header]+value)
			for _, a := range []answer{a, b} {
				if a.status != http.StatusUnauthorized {
					t.Errorf("%s: %.100q: %d, want 401", header, value, a.status)
				}
				sound(t, header+" "+value, a)
			}
		}
	}
}

// TestIDsInAnySpelling reads ids in the usual spellings, in paths, queries and
// bodies, and answers with the one that the console writes. Pages redirect to it.
func TestIDsInAnySpelling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.user.String()
	for _, spelling := range []string{strings.ToUpper(id), "{" + id + "}", strings.ReplaceAll(id, "-", ""),
		"urn:uuid:" + id} {
		escaped := url.PathEscape(spelling)
		if a := w.mod.get("/users/" + escaped + "?tab=actions"); a.status != http.StatusMovedPermanently ||
			a.header.Get("Location") != "/users/"+id+"?tab=actions" {
			t.Errorf("the page of %s: %d %s", spelling, a.status, a.header.Get("Location"))
		}
		if got := w.mod.get(apiPrefix + "/users/" + escaped).want(200).field("user_id"); got != id {
			t.Errorf("the API reads %s as %v", spelling, got)
		}
		w.mod.get(apiPrefix + "/messages?user=" + url.QueryEscape(spelling)).want(200)
		w.mod.send(post, apiPrefix+"/users/"+escaped+"/ban", map[string]any{"reason": "for the test",
			"preview": true}).want(200)
	}
	for _, wrong := range []string{id + "0", "{" + id, "(" + id + ")", id[:35], "x" + id[1:]} {
		w.mod.get(apiPrefix + "/users/" + url.PathEscape(wrong)).want(400)
	}
}
