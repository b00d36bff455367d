package admin

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// kindOf returns the kind of action of a route.
func kindOf(r route) store.Kind {
	for _, kind := range store.Kinds {
		if r.Path == "/"+kind.Target+"s/:id/"+kind.Path {
			return kind
		}
	}
	switch r.Path {
	case "/users/:id":
		kind, _ := store.KindNamed("update_user")
		return kind
	case "/actions/:id/undo":
		return store.UndoKind
	case "/queue/:id/resolve":
		kind, _ := store.KindNamed("resolve")
		return kind
	}
	if within(r.Path, "/staff", staffPath) {
		for suffix, kind := range map[string]store.Kind{
			"/invite": store.InviteStaff, "/reset": store.ResetStaff, "/end-sessions": store.EndStaffSessions,
			"/remove": store.TakeAccess,
		} {
			if strings.HasSuffix(r.Path, suffix) {
				return kind
			}
		}
		kind, _ := store.KindNamed("update_staff")
		return kind
	}
	return store.Kind{}
}

// disputedItem is a message on which the judgements of the world's sample differ.
const disputedItem = "0c5d7f7e-52a3-4f4b-9d61-8a6a4cf0a002"

// goodBody returns a valid body for a route's method of the API. It is a
// preview if the method has one.
func goodBody(r route) map[string]any {
	switch r.Path {
	case "/policy":
		shipped, err := policy.Shipped()
		if err != nil {
			panic(err)
		}
		return map[string]any{"roles": shipped.Roles(), "reason": "for the test", "preview": true}
	case "/scoring":
		return map[string]any{"weights": map[string]any{"pii": 2}, "toxic_from": 0.25, "reason": "for the test"}
	case "/queue/priority":
		return map[string]any{"weights": map[string]any{"age": 2}, "reason": "for the test"}
	case "/queue/priority/try":
		return map[string]any{"weights": map[string]any{"age": 2}, "frame": "week"}
	case "/jobs/:id/cancel", "/classifiers/:id/retry":
		return map[string]any{}
	case "/classifiers/:id/try":
		return map[string]any{"text": "a text"}
	case classifiersPath + "/try":
		return map[string]any{"model": standInName, "text": "a text"}
	case classifiersPath + "/retry":
		return map[string]any{"model": standInName}
	case "/classifiers/runs", classifiersPath + "/runs":
		return map[string]any{"model": standInName, "missing": true}
	case bulkPath:
		return map[string]any{"kind": "delete", "on": map[string]any{"ids": []any{"0c5d7f7e-52a3-4f4b-9d61-8a6a4cf0a001"}},
			"reason": "for the test", "preview": true}
	case "/staff", staffPath, "/keys", keysPath:
		return map[string]any{"name": "A colleague " + uuid.NewString(), "role": "moderator"}
	case "/staff/:id", staffPath + "/:id":
		if r.Method != del {
			return map[string]any{"role": "moderator", "reason": "for the test", "preview": true}
		}
	case "/lists", "/lists/:id":
		return map[string]any{"reason": "for the test", "name": "A list", "kind": "custom"}
	case searchesPath:
		return map[string]any{"name": "A search " + uuid.NewString(), "query": "word"}
	case searchesPath + "/:id", searchesPath + "/:id/remove":
		return map[string]any{}
	case exportsPath:
		return map[string]any{"format": "messages", "limit": 1}
	case "/samples":
		return map[string]any{"of": "decisions", "size": 2, "seed": 1}
	case "/samples/:id/settlements":
		return map[string]any{"item": disputedItem, "verdict": "no"}
	case "/samples/:id/judgements":
		return map[string]any{"item": "0c5d7f7e-52a3-4f4b-9d61-8a6a4cf0a001", "verdict": "no"}
	case "/queue/:id/resolve":
		return map[string]any{"reason": "for the test", "preview": true, "outcome": "dismiss"}
	case "/queue/:id/later":
		return map[string]any{"until": time.Now().Add(time.Hour).Format(time.RFC3339)}
	case "/queue/:id/claim", "/queue/:id/release", "/queue/:id/skip":
		return map[string]any{}
	case "/scoring/try":
		return map[string]any{"weights": map[string]any{"pii": 2}, "toxic_from": 0.25, "frame": "week"}
	}
	if kindOf(r).Permission == policy.StaffManage {
		return map[string]any{"reason": "for the test"}
	}
	if strings.HasSuffix(r.Path, "/candidates") {
		return map[string]any{"reason": "for the test", "preview": true, "rule": map[string]any{"shorter_than": 5}}
	}
	if strings.HasSuffix(r.Path, "/candidates/:message") {
		return map[string]any{"verdict": "refuse"}
	}
	if strings.HasSuffix(r.Path, "/rule") {
		return map[string]any{"words": "idiot", "preview": true}
	}
	if strings.HasSuffix(r.Path, "/verdicts") {
		return map[string]any{"verdict": "refuse", "items": "0c5d7f7e-52a3-4f4b-9d61-8a6a4cf0a001"}
	}
	if strings.HasSuffix(r.Path, "/remove") {
		return map[string]any{"item": "0c5d7f7e-52a3-4f4b-9d61-8a6a4cf0a001"}
	}
	if strings.HasSuffix(r.Path, addPath) {
		return map[string]any{"reason": "for the test", "items": "0c5d7f7e-52a3-4f4b-9d61-8a6a4cf0a001"}
	}
	if strings.HasSuffix(r.Path, "/items") {
		item := "0c5d7f7e-52a3-4f4b-9d61-8a6a4cf0a001"
		if r.Method == del {
			return map[string]any{"reason": "for the test", "items": []any{item}}
		}
		return map[string]any{"reason": "for the test", "items": []any{map[string]any{"message_id": item}}}
	}
	body := map[string]any{"reason": "for the test", "preview": true}
	if within(r.Path, "/keys", keysPath) {
		delete(body, "preview") // it has none
	}
	switch kindOf(r).Name {
	case "update_user":
		return map[string]any{"notes": "a note"}
	case "edit":
		body["text"] = "Another text"
	case "review":
		body["result"] = "rejected"
	case "label":
		body["labels"] = map[string]any{"spam": 1}
	case "react":
		body["emoji"], body["op"] = "+1", "add"
	}
	return body
}

// goodBody returns a good body for an address: the change of a user has the
// version of that user.
func (w *world) goodBody(r route, address string) map[string]any {
	w.t.Helper()
	body := goodBody(r)
	if r.Method == patch && r.Path == "/users/:id" {
		return versioned(w.t, w.store, address, body)
	}
	return body
}

// goodForm returns the form of a route's page.
func goodForm(r route) url.Values {
	switch r.Path {
	case invitationPath:
		return url.Values{"token": {"nobody"}, "password": {"a long password"}, "again": {"a long password"}}
	case "/sign-in":
		return url.Values{"username": {"nobody"}, "password": {"a long password"}}
	case "/account/password":
		return url.Values{"old": {"a long password"}, "new": {"another password"}, "again": {"another password"}}
	case "/account/display":
		return url.Values{"theme": {"dark"}}
	case bulkPath:
		return url.Values{"kind": {"delete"}, "id": {"0c5d7f7e-52a3-4f4b-9d61-8a6a4cf0a001"}, "reason": {"for the test"},
			"preview": {"true"}}
	case rolesPath:
		return url.Values{"do": {"preview"}, "role": {"0"}, "name.0": {policy.Admin}, "title.0": {"admin"}, "rank.0": {"2"}}
	}
	form := url.Values{}
	for name, value := range goodBody(r) {
		if labels, ok := value.(map[string]any); ok {
			for label, number := range labels {
				form.Set(name+"["+label+"]", fmt.Sprint(number))
			}
			continue
		}
		form.Set(name, fmt.Sprint(value))
	}
	return form
}

// bodyOf returns the struct that a route decodes its body into.
func bodyOf(r route) any {
	if d := describeMethod(r); d.Body != nil {
		return d.Body
	}
	switch r.Path {
	case "/users/:id":
		return userBody{}
	case "/lists/:id":
		return []any{actBody{}, store.ListParams{}}
	case "/lists/:id/add":
		return addItemsBody{}
	case "/lists/:id/audit":
		return auditListBody{}
	case searchesPath + "/:id/remove":
		return searchDeleteBody{}
	case "/lists/:id/remove":
		return removeItemsBody{}
	case "/lists/:id/rule":
		return ruleForm{}
	case "/lists/:id/verdicts", "/lists/:id/candidates/:message":
		return verdictForm{}
	case staffPath, staffPath + "/:id":
		return staffBody{}
	case keysPath:
		return keyBody{}
	case invitationPath:
		return invitationBody{}
	case "/sign-in":
		return signInBody{}
	case "/account/password":
		return passwordBody{}
	case "/account/display":
		return displayBody{}
	case breakPath:
		return breakBody{}
	case classifiersPath + "/try":
		return tryForm{}
	case classifiersPath + "/runs":
		return runBody{}
	case classifiersPath + "/retry":
		return retryBody{}
	case rolesPath, restorePath:
		return rolesBody{}
	}
	if within(r.Path, staffPath, keysPath) {
		return actBody{}
	}
	return struct{}{}
}

// within reports whether a path is below one of some.
func within(path string, above ...string) bool {
	return slices.ContainsFunc(above, func(a string) bool { return strings.HasPrefix(path, a+"/") })
}

// fieldsOf returns the fields of the structs that a route decodes its body
// into.
func fieldsOf(r route) (fields []reflect.StructField) {
	parts, several := bodyOf(r).([]any)
	if !several {
		parts = []any{bodyOf(r)}
	}
	for _, part := range parts {
		fields = append(fields, reflect.VisibleFields(reflect.Indirect(reflect.ValueOf(part)).Type())...)
	}
	fields = slices.DeleteFunc(fields, func(f reflect.StructField) bool { return f.Anonymous })
	return fields
}

// readBy reports whether a route's method reads a field.
func readBy(r route, name string) bool {
	fields := describeMethod(r).Fields
	return len(fields) == 0 || slices.Contains(fields, name)
}

// accepted reports whether a text is valid for a field of a body: 1 for yes, 0
// for no, -1 if it depends.
func accepted(r route, field, value string) int {
	truth := map[bool]int{true: 1}
	letters, kind := utf8.RuneCountInString(strings.TrimSpace(value)), kindOf(r)
	if strings.ContainsRune(value, 0) || !utf8.ValidString(value) {
		return 0
	}
	if r.Path == rolesPath || r.Path == restorePath {
		return -1 // the button decides, and other versions may be in force
	}
	switch field {
	case "since", "until", "by":
		if strings.HasPrefix(r.Path, samplesPath) {
			return -1
		}
	}
	switch field {
	case "reason":
		if r.Path == "/scoring" || r.Path == "/queue/priority" { // it is the note of the version
			return truth[letters >= 3 && letters <= 500]
		}
		// a preview needs none
		return truth[letters >= 3 && letters <= 500 || letters == 0 && !kind.NeedsReason || value == "" &&
			kind.Name != "undo" && (kind.Previewable && r.Kind != pageOnly || kind.Permission != policy.StaffManage)]
	case "text":
		return truth[letters > 0 && utf8.RuneCountInString(value) <= 20_000]
	case "display_name":
		return truth[canBeSeen(value) && letters <= 256]
	case "notes":
		return truth[utf8.RuneCountInString(value) <= 10_000]
	case "until":
		if value == "" {
			return -1 // an empty field in a form, and not a time in JSON
		}
		return 0
	case "messages", "trees", "for", "theme", "frame":
		return truth[value == ""] // none of the bad values is a choice
	case "emoji":
		return truth[slices.Contains(store.Emojis, value)]
	case "result", "op", "role", "labels":
		return 0
	case "return":
		return 1
	}
	return -1
}

// TestBadFields puts bad values into every field of every body, as JSON and as
// a form. The answer names an invalid field.
func TestBadFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cases := 0
	for address, r := range w.addresses(post, put, patch) {
		if r.Permission == public || strings.HasPrefix(r.Path, "/account/") {
			continue // TestBadSignIn, TestBadAccount
		}
		api := strings.HasPrefix(address, apiPrefix)
		for i, f := range fieldsOf(r) {
			name := f.Tag.Get("form")
			if name == "" || name == "preview" || api && f.Tag.Get("json") == "-" || !readBy(r, name) &&
				f.Tag.Get("json") != "-" {
				continue
			}
			for j, value := range badValues {
				if kind := kindOf(r).Name; (i+j+len(address))%7 > 0 && (!api || kind != "update_user" && kind != "edit") {
					continue
				}
				cases++
				w.restoreAccess()
				var a answer
				if api {
					a = w.sendField(r, address, name, value)
				} else {
					form := goodForm(r)
					form.Set(name, value)
					if f.Type.Kind() == reflect.Map {
						form = url.Values{"reason": {"for the test"}, "preview": {"true"}, name + "[" + value + "]": {"1"}, name +
							"[spam]": {value}}
					}
					a = w.by(r).post(address, form)
				}
				what := fmt.Sprintf("%s %s with %s=%.100q", r.Method, address, name, value)
				sound(t, what, a)
				checkField(t, what, a, api, name, accepted(r, name, value))
			}
		}
	}
	t.Logf("%d requests", cases)
}

// restoreAccess gives the colleague and the key back what a request before took.
func (w *world) restoreAccess() {
	storetest.Exec(w.t, w.store, "UPDATE users SET role = 'moderator' WHERE user_id = $1", w.colleague)
	storetest.Exec(w.t, w.store, "UPDATE api_keys SET revoked_at = NULL WHERE user_id = $1", w.key)
	w.restoreSearch()
	// Few exports and runs may wait.
	storetest.Exec(w.t, w.store,
		"UPDATE jobs SET state = 'cancelled' WHERE kind IN ('export', 'classify') AND state = 'queued'")
}

// restoreSearch makes the saved search that a request may have deleted.
func (w *world) restoreSearch() {
	storetest.Exec(w.t, w.store, `INSERT INTO saved_searches (search_id, owner_id, name, query, shared, created_date)
		VALUES ($1, $2, 'a search', 'word', true, now()) ON CONFLICT DO NOTHING`, w.search, w.actor.UserID)
}

// sendField sends a good body with one field changed.
func (w *world) sendField(r route, address, name, value string) answer {
	body := w.goodBody(r, address)
	body[name] = value
	if utf8.ValidString(value) {
		return w.by(r).send(r.Method, address, body)
	}
	body[name] = "BROKEN" // encoding would correct it
	text, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.by(r).send(r.Method, address, strings.Replace(string(text), "BROKEN", value, 1))
}

// checkField compares the answer to a request with one odd field with the
// expected one.
func checkField(t *testing.T, what string, a answer, api bool, name string, accepted int) {
	t.Helper()
	done := a.status == http.StatusOK || a.status == http.StatusSeeOther || a.status == http.StatusAccepted
	switch {
	case accepted > 0 && !done:
		t.Errorf("%s: %d, want it done: %.300s", what, a.status, a.text("main")+a.body[:min(len(a.body), 200)])
	case accepted == 0 && done, !done && !slices.Contains([]int{400, 403, 409, 422}, a.status):
		t.Errorf("%s: %d", what, a.status)
	case accepted == 0 && a.status == http.StatusBadRequest && strings.Contains(a.body, "UTF-8"):
	case accepted == 0 && a.status != http.StatusUnprocessableEntity:
		t.Errorf("%s: %d, want 422", what, a.status)
	case a.status != http.StatusUnprocessableEntity:
	case api && a.field("error", "fields", name) == nil:
		t.Errorf("%s: %s is not named: %s", what, name, a.body)
	case !api && a.page().Find(".error").Length() == 0 && !strings.Contains(strings.ToLower(a.text("main")),
		strings.ReplaceAll(name, "_", " ")+":"):
		t.Errorf("%s: %s is not named: %s", what, name, a.text("main"))
	}
}

// TestBadTypes sends values of every wrong type in every field of JSON bodies.
func TestBadTypes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	values := map[string]string{
		"true": "bool", "0": "number", "-1": "number", "1.5": "fraction", "1e3": "number", "1e999": "fraction",
		"-0": "number", "9223372036854775808": "fraction", `"x"`: "string", `"1"`: "string", `"true"`: "string",
		"[]": "list", "[[]]": "list", `["x"]`: "list", "{}": "object", `{"a": 1}`: "object", `{"a": {"b": []}}`: "object",
		`{"spam": "1"}`: "object", `{"spam": null}`: "object", `{"spam": 1.01}`: "object",
		strings.Repeat("[", 2000) + strings.Repeat("]", 2000): "list", strings.Repeat(`{"a":`, 2000) + "1" +
			strings.Repeat("}", 2000): "object",
	}
	cases := 0
	for address, r := range w.addresses(post, put, patch) {
		if !strings.HasPrefix(address, apiPrefix) {
			continue
		}
		for _, f := range fieldsOf(r) {
			name := f.Tag.Get("json")
			if name == "-" || !readBy(r, name) {
				continue
			}
			kind := f.Type
			if kind.Kind() == reflect.Pointer {
				kind = kind.Elem()
			}
			for value, is := range values {
				fits := is == "string" && kind.Kind() == reflect.String || is == "bool" && kind.Kind() == reflect.Bool ||
					is == "number" && (kind.Kind() == reflect.Int || kind.Kind() == reflect.Int64) ||
					kind.Kind() == reflect.Float64 && (value == "0" || value == "-0") || name == "weights" && value == "{}" ||
					kind.Kind() == reflect.Slice && value == "[]"
				if fits {
					continue
				}
				cases++
				good := w.goodBody(r, address)
				good[name] = json.RawMessage(value)
				a := w.by(r).send(r.Method, address, good)
				sound(t, address, a)
				if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `"fields":{"`+name) {
					t.Errorf("%s %s with %s: %.60s answers %d: %.300s", r.Method, address, name, value, a.status, a.body)
				}
			}
			// null means the same as a missing field.
			if name == "preview" {
				continue
			}
			w.restoreAccess()
			good := w.goodBody(r, address)
			delete(good, name)
			without := w.by(r).send(r.Method, address, good).status
			good = w.goodBody(r, address) // a name of its own
			good[name] = nil
			if a := w.by(r).send(r.Method, address, good); a.status != without {
				t.Errorf("%s %s with %s: null answers %d, without it %d", r.Method, address, name, a.status, without)
			}
		}
	}
	t.Logf("%d requests", cases)
}

// badBodies lists bodies that are not an object of the right fields, with the
// expected status.
var badBodies = map[string]int{
	"": 422, " ": 422, "null": 400, "[]": 400, "[{}]": 400, `"x"`: 400, "1": 400, "true": 400, "{": 400, "}": 400,
	"{}{}": 400, `{"reason": "for the test"} x`: 400, `{"reason": "for the test",}`: 400,
	`{"reason": "for the test", "reason": "another one"}`: 400, `{'reason': 'for the test'}`: 400,
	`{reason: "for the test"}`: 400, "reason=for+the+test": 400, "\xef\xbb\xbf{}": 400, "\xff\xfe{\x00}\x00": 400,
	"{\"reason\": \"for the \x00 test\"}": 400, `{"reason": "for the \u0000 test"}`: 422,
	`{"reason": "for the \ud800 test"}`: 400, `{"reason": "for the \udc00\ud800 test"}`: 400, `{"\ud800": 1}`: 400,
	"{\"reason\": \"for the \xff test\"}": 400, `{"Reason": "for the test"}`: 422, `{"reasons": "for the test"}`: 422,
	`{"": 1}`: 422, `{"__proto__": {}}`: 422, `{"reason": "for the test", "nothing": null}`: 422,
	`{"nothing": ` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}": 400,
	strings.Repeat("[", 100_000): 400, `{"reason": NaN}`: 400, "<reason>for the test</reason>": 400,
	`{"reason": "` + strings.Repeat("x", 900_000) + `"}`: 422,
}

// anyBody reports whether a route takes a body that others refuse: an ingest names
// bad lines (see TestBadIngest), and to cancel a job needs no member.
func anyBody(r route, body string) bool {
	return r.Path == ingestPath ||
		slices.Contains([]string{"/jobs/:id/cancel", exportsPath, "/staff/:id/invite", "/queue/:id/claim",
			"/queue/:id/release", "/queue/:id/skip", "/classifiers/:id/retry"}, r.Path) &&
			slices.Contains([]string{"", "{}"}, strings.TrimSpace(body))
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	suite, _ := filepath.Glob(filepath.Join(os.Getenv("TREEWARDEN_CORPORA"), "bad-input", "json-parsing", "*.json"))
	if os.Getenv("TREEWARDEN_CORPORA") == "" {
		suite = nil
	}
	n := 0
	for address, r := range w.addresses(post, patch) {
		if !strings.HasPrefix(address, apiPrefix) {
			continue
		}
		for _, body := range slices.Sorted(maps.Keys(badBodies)) {
			want := badBodies[body]
			a := w.by(r).send(r.Method, address, body)
			sound(t, address, a)
			if anyBody(r, body) {
				continue
			}
			// A label needs no reason, and a change of a user names its own
			// fields.
			if a.status != want && (a.status != 422 || !strings.Contains(body, `"reason"`)) {
				t.Errorf("%s %s with %.80q: %d, want %d: %.300s", r.Method, address, body, a.status, want, a.body)
			}
		}
		for i, file := range suite {
			if (i+n)%4 != 0 { // each file is sent to a quarter of the methods
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			a := w.by(r).send(r.Method, address, string(text))
			sound(t, file, a)
			if anyBody(r, string(text)) {
				continue
			}
			// One is an object without members. Its only errors are missing
			// fields.
			if name := filepath.Base(file); a.status != 400 &&
				(a.status != 422 || name[0] == 'n' && strings.TrimSpace(string(text)) != "") {
				t.Errorf("%s %s with %s: %d: %.300s", r.Method, address, name, a.status, a.body)
			}
		}
		n++
	}
}

// TestBadForms sends bodies that are not a form of the right fields.
func TestBadForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const boundary = "multipart/form-data; boundary=b"
	bodies := [][2]string{
		{"application/x-www-form-urlencoded", ""}, {"application/x-www-form-urlencoded", "%"},
		{"application/x-www-form-urlencoded", "reason=%zz"}, {"application/x-www-form-urlencoded", "reason=%ff%00"},
		{"application/x-www-form-urlencoded", ";;;"}, {"application/x-www-form-urlencoded", strings.Repeat("a=b&", 200_000)},
		{"application/x-www-form-urlencoded", "reason=" + strings.Repeat("x", 900_000)},
		{"application/x-www-form-urlencoded",
			"reason[]=a&reason[0]=b&labels[=1&labels[]=1&labels[spam]=NaN&labels[spam]=-1e999"},
		{"application/x-www-form-urlencoded", "labels[spam]=Inf"},
		{"application/x-www-form-urlencoded", "until=9999-12-31T23:59:59-14:00&for=date&reason=for+the+test"},
		{"application/x-www-form-urlencoded", "until=0001-01-01T00:00:00%2B14:00&for=date&reason=for+the+test"},
		{"application/json", `{"reason": "for the test"}`}, {"text/plain", "reason=x"}, {"", "reason=x"},
		{"nonsense", "\x00\xff"}, {"application/x-www-form-urlencoded; charset=utf-16", "r\x00e\x00"},
		{boundary, "--b\r\nContent-Disposition: form-data; name=\"reason\"; filename=\"../../x\"\r\n\r\n" +
			"for the test\r\n--b--\r\n"},
		{boundary, "--b\r\nContent-Disposition: form-data; name=\"reason\"\r\n\r\n\xff\x00\r\n--b--\r\n"},
	}
	for address, r := range w.addresses(post) {
		if strings.HasPrefix(address, apiPrefix) || r.Path == "/sign-out" {
			continue
		}
		for i, body := range bodies {
			a := w.by(r).do(post, address, strings.NewReader(body[1]), body[0])
			sound(t, fmt.Sprint(address, " with form ", i), a)
			shows := a.status == http.StatusOK && within(r.Path, staffPath) // a link, once
			if !shows && !slices.Contains([]int{303, 400, 401, 404, 409, 413, 422, 429}, a.status) {
				t.Errorf("%s with %.100q: %d", address, body, a.status)
			}
		}
	}
}

// TestBadSignIn sends invalid names and passwords.
func TestBadSignIn(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	c := newClient(t, newServer(t, s))
	for i, value := range append(slices.Clone(badValues), listed(t)...) {
		if i%3 > 0 || i >= len(badValues) && i%200 > 0 { // the check of a password is slow
			continue
		}
		storetest.Exec(t, s, "DELETE FROM sign_in_attempts")
		a := c.post("/sign-in", url.Values{"username": {value}, "password": {value}, "return": {value}})
		want := http.StatusUnauthorized
		if value == "" || !utf8.ValidString(value) || strings.ContainsRune(value, 0) || utf8.RuneCountInString(value) > 256 {
			want = http.StatusUnprocessableEntity
		}
		sound(t, "sign in as "+value, a)
		if a.status != want {
			t.Errorf("sign in as %.100q: %d, want %d", value, a.status, want)
		}
	}
}

// TestBadAccount changes a password and display settings to invalid values.
func TestBadAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, value := range badValues {
		for j, field := range []string{"old", "new", "again"} {
			if (i+j)%9 > 0 { // the check of a password is slow
				continue
			}
			form := goodForm(route{Path: "/account/password"})
			form.Set(field, value)
			a := w.mod.post("/account/password", form)
			sound(t, "password "+value, a)
			if a.status != http.StatusUnprocessableEntity && (field != "old" || a.status != http.StatusSeeOther) {
				t.Errorf("the password's %s %.100q: %d", field, value, a.status)
			}
			if a.status == http.StatusSeeOther { // a user without a password need not know it
				storetest.Exec(t, w.store, "UPDATE users SET password_hash = NULL")
			}
		}
		a := w.mod.post("/account/display", url.Values{"theme": {value}, "return": {value}})
		sound(t, "theme "+value, a)
		if want := map[bool]int{true: 303, false: 422}[value == ""]; a.status != want {
			t.Errorf("the theme %.100q: %d, want %d", value, a.status, want)
		}
		a = w.mod.post("/account/display", url.Values{"blur": {value}})
		sound(t, "blur "+value, a)
		if _, err := strconv.ParseBool(value); a.status != 303 && (err == nil || a.status != 422) || a.status == 303 &&
			err != nil && value != "" {
			t.Errorf("blurring %.100q: %d", value, a.status)
		}
	}
}

// TestBanEnds checks which ends of a ban are accepted, by the API and by the form.
func TestBanEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/users/" + w.user.String() + "/ban"
	year := time.Now().Year()
	for until, fine := range map[string]bool{
		fmt.Sprint(year+1, "-01-01T00:00:00Z"): true, fmt.Sprint(year+1, "-01-01T00:00:00.123456789+14:00"): true,
		fmt.Sprint(year+99, "-01-01T00:00:00Z"): true, fmt.Sprint(year+102, "-01-01T00:00:00Z"): true,
		"2001-01-01T00:00:00Z": false, "0000-01-01T00:00:00+14:00": false, "9999-12-31T23:59:59-14:00": false,
		fmt.Sprint(year+1, "-02-30T00:00:00Z"): false, fmt.Sprint(year+1, "-01-01T24:00:00Z"): false,
		fmt.Sprint(year+1, "-01-01t00:00:00z"): true, fmt.Sprint(year+1, "-01-01 00:00:00Z"): true, "tomorrow": false,
		"0": false,
	} {
		a := w.mod.send(post, apiPrefix+path, map[string]any{"preview": true, "until": until})
		if want := map[bool]int{true: 200, false: 422}[fine]; a.status != want || want == 422 &&
			a.field("error", "fields", "until") == nil {
			t.Errorf("until %s: %d by the API: %s", until, a.status, a.body)
		}
		f := w.mod.post(path, url.Values{"preview": {"true"}, "for": {"date"}, "until": {until}})
		if want := map[bool]int{true: 303, false: 422}[fine]; f.status != want {
			t.Errorf("until %s: %d by the form", until, f.status)
		}
	}
}
