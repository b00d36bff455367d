package admin

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// shape holds the kind of each field of an answer: text, id, time, int, number,
// bool, list, object, or one of them with a ? if it can be null.
type shape map[string]string

// The shapes that the contract names.
var (
	actionShape = shape{"id": "int", "kind": "text", "undoable": "bool", "at": "time", "actor_id": "id?",
		"actor_name": "text", "actor_role": "text", "via": "text",
		"target_type": "text", "target_id": "id", "target_label": "text", "undoes": "int?", "undone_by": "int?",
		"affected": "object", "reason": "text", "hash": "text", "prev_hash": "text"}
	affectedShape = shape{"messages": "int", "others_messages": "int", "trees": "int", "users": "int"}
	boardShape    = shape{"rank": "int", "user_id": "id", "display_name": "text", "status": "text", "score": "number",
		"rate": "number", "red_flags": "int", "upvotes": "int", "downvotes": "int",
		"spam": "int", "toxicity": "number?", "messages": "int", "languages": "list", "last_activity": "time?"}
	listShape    = shape{"items": "list", "next": "text?", "prev": "text?"}
	messageShape = shape{"message_id": "id", "parent_id": "id?", "message_tree_id": "id", "user_id": "id?",
		"created_date": "time?", "text": "text", "role": "text", "lang": "text?", "review_count": "int?",
		"review_result": "bool?", "deleted": "bool", "rank": "int?", "synthetic": "bool", "model_name": "text?",
		"emojis": "object?", "labels": "object?", "detoxify": "object?", "classifiers": "object?",
		"edited": "bool", "depth": "int", "children_count": "int", "tree_state": "text", "version": "int"}
	treeShape = shape{"id": "id", "state": "text", "active": "bool", "goal_tree_size": "int?", "max_depth": "int?",
		"max_children_count": "int?", "origin": "text?", "lang": "text?",
		"created_date": "time?", "author": "id?"}
	userShape = shape{"user_id": "id", "display_name": "text", "auth_method": "text", "username": "text", "role": "text",
		"status": "text", "ban": "object?", "notes": "text", "show_on_leaderboard": "bool",
		"created_date": "time", "last_activity_date": "time?", "version": "int"}
	banShape   = shape{"since": "time", "until": "time?", "reason": "text", "by": "id?"}
	scoreShape = shape{"score": "number", "parts": "list", "evidence": "object"}
	partShape  = shape{"signal": "text", "count": "int", "weight": "number", "points": "number"}
)

// check fails the test unless a value has the shape.
func (s shape) check(t *testing.T, what string, value any) {
	t.Helper()
	object, ok := value.(map[string]any)
	if !ok {
		t.Errorf("%s is no object: %v", what, value)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		kind, optional := strings.CutSuffix(s[name], "?")
		field, there := object[name]
		if !there {
			t.Errorf("%s has no %s", what, name)
			continue
		}
		if field == nil && optional {
			continue
		}
		text, isText := field.(string)
		number, isNumber := field.(float64)
		switch kind {
		case "text":
			ok = isText
		case "id":
			ok = isText && canonicalID.MatchString(text)
		case "time":
			at, err := time.Parse(time.RFC3339Nano, text)
			ok = err == nil && strings.HasSuffix(text, "Z") && !at.IsZero()
		case "int":
			ok = isNumber && number == float64(int64(number))
		case "number":
			ok = isNumber
		case "bool":
			_, ok = field.(bool)
		case "list":
			_, ok = field.([]any)
		case "object":
			_, ok = field.(map[string]any)
		}
		if !ok {
			t.Errorf("the %s of %s is %v, and should be %s", name, what, field, s[name])
		}
	}
}

// items returns the items of a list after a check of each.
func (s shape) items(t *testing.T, what string, a answer) []any {
	t.Helper()
	a.want(http.StatusOK)
	var list map[string]any
	a.json(&list)
	listShape.check(t, what, list)
	items, _ := list["items"].([]any)
	if len(items) == 0 {
		t.Errorf("%s is empty", what)
	}
	for _, item := range items {
		s.check(t, what, item)
	}
	return items
}

// TestShapes checks every shape that the contract names, field by field.
func TestShapes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	storetest.Exec(t, w.store, "INSERT INTO classifier_models (name, outputs) VALUES ('detoxify', "+
		"'{toxicity,insult}'), ('other', '{x}')")
	storetest.Exec(t, w.store, `INSERT INTO classifier_outputs (tree_id, message_id, model_id, toxicity, scores)
		SELECT tree_id, message_id, model_id, CASE name WHEN 'detoxify' THEN 0.123456789012345 END,
			CASE name WHEN 'detoxify' THEN '{0.123456789012345,0.5}'::float8[] ELSE '{12.5}' END
		FROM message_trees, classifier_models WHERE message_id = $1`, w.reply)
	storetest.Vote(t, w.store, w.reply, w.user, "spam", 1, time.Now())
	one := func(path string) any {
		t.Helper()
		var value any
		w.mod.get(apiPrefix + path).want(http.StatusOK).json(&value)
		return value
	}
	part := func(value any, names ...string) any {
		for _, name := range names {
			object, _ := value.(map[string]any)
			value = object[name]
		}
		return value
	}
	user, banned, reply, prompt := "/users/"+w.user.String(), "/users/"+w.banned.String(), "/messages/"+w.reply.String(),
		"/trees/"+w.prompt.String()

	board := w.mod.get(apiPrefix + "/trollboard?status=all&parts=true")
	for _, row := range boardShape.items(t, "the trollboard", board) {
		for _, p := range part(row, "parts").([]any) {
			partShape.check(t, "a part on the trollboard", p)
		}
	}
	shape{"frame": "text", "formula": "text", "as_of": "time"}.check(t, "the trollboard", one("/trollboard"))
	userShape.items(t, "users", w.mod.get(apiPrefix+"/users"))
	userShape.check(t, "a user", one(user))
	shape{"stats": "object", "scores": "object"}.check(t, "a user alone", one(user))
	for _, window := range scoring.Windows {
		if _, ok := part(one(user), "scores", string(window)).(float64); !ok {
			t.Errorf("a user has no score in the frame %s", window)
		}
		shape{"messages": "int", "score": "number", "rate": "number"}.check(t, "stats",
			part(one(user), "stats", string(window)))
	}
	banShape.check(t, "a ban", part(one(banned), "ban"))
	if part(one(user), "ban") != nil || part(one(banned), "status") != "banned" {
		t.Error("who is not banned has a ban, or who is, none")
	}
	messageShape.items(t, "a user's messages", w.mod.get(apiPrefix+user+"/messages"))
	scoreShape.check(t, "a score", one(user+"/score"))
	for _, p := range part(one(user+"/score"), "parts").([]any) {
		partShape.check(t, "a part of a score", p)
	}
	for signal, ids := range part(one(user+"/score?formula=treewarden"), "evidence").(map[string]any) {
		for _, id := range ids.([]any) {
			if !canonicalID.MatchString(id.(string)) {
				t.Errorf("the evidence of %s holds %v", signal, id)
			}
		}
	}
	messageShape.items(t, "messages", w.mod.get(apiPrefix+"/messages"))
	message := one(reply)
	messageShape.check(t, "a message", message)
	shape{"value": "number", "count": "int"}.check(t, "a label", part(message, "labels", "spam"))
	if part(message, "emojis", "-1") != 1.0 || part(message, "detoxify", "toxicity") != 0.123456789012345 ||
		part(message, "classifiers", "other", "x") != 12.5 || part(message, "classifiers", "detoxify") != nil {
		t.Errorf("a message's figures are %v, %v, %v",
			part(message, "emojis"), part(message, "detoxify"), part(message, "classifiers"))
	}
	for _, name := range []string{"path", "replies"} {
		if _, ok := part(one(reply+"/thread"), name).([]any); !ok {
			t.Errorf("a thread has no %s", name)
		}
	}
	for _, m := range part(one(reply+"/thread"), "path").([]any) {
		messageShape.check(t, "a message of a thread", m)
	}
	w.mod.send(post, apiPrefix+reply+"/edit", map[string]any{"text": "Another", "reason": "for the test"}).want(200)
	shape{"text": "text", "at": "time?"}.items(t, "a history", w.mod.get(apiPrefix+reply+"/history"))
	treeShape.items(t, "trees", w.mod.get(apiPrefix+"/trees"))
	tree := one(prompt)
	treeShape.check(t, "a tree", tree)
	messageShape.check(t, "a tree's prompt", part(tree, "prompt"))
	for _, m := range part(tree, "prompt", "replies").([]any) {
		messageShape.check(t, "a reply in a tree", m)
		shape{"replies": "list"}.check(t, "a reply in a tree", m)
	}
	for _, action := range actionShape.items(t, "the audit log", w.mod.get(apiPrefix+"/audit")) {
		affectedShape.check(t, "what an action affected", part(action, "affected"))
	}
	actionShape.check(t, "an action", one(fmt.Sprint("/actions/", w.action)))
	actionShape.items(t, "what was done to a user", w.mod.get(apiPrefix+banned+"/actions"))
	shape{"kind": "text", "message_id": "id", "at": "time"}.items(t, "what a user gave",
		w.mod.get(apiPrefix+user+"/given"))

	// The answers of actions, and the refusals of a late and a wrong one.
	var patched any
	w.mod.send(patch, apiPrefix+user, map[string]any{"notes": "for the test", "version": part(one(user),
		"version")}).want(200).json(&patched)
	userShape.check(t, "a patched user", patched)
	if part(patched, "notes") != "for the test" {
		t.Errorf("a patched user answers with the notes %v", part(patched, "notes"))
	}
	for _, r := range actRoutes() {
		if r.Method != post {
			continue
		}
		body := goodBody(r)
		for _, preview := range []bool{true, false} {
			body["preview"] = preview
			var done any
			a := w.mod.send(post, apiPrefix+w.fill(r), body)
			if a.status == http.StatusConflict {
				continue // done above, by another kind
			}
			a.want(http.StatusOK).json(&done)
			if kind := kindOf(r).Name; !preview && (kind == "label" || kind == "react" || kind == "report") {
				messageShape.check(t, kind, done)
				continue
			}
			shape{"action": "object", "affected": "object"}.check(t, r.Path, done)
			affectedShape.check(t, r.Path, part(done, "affected"))
			shape{"kind": "text", "undoable": "bool"}.check(t, r.Path, part(done, "action"))
			if part(done, "action", "kind") != kindOf(r).Name || preview != (part(done, "preview") == true) {
				t.Errorf("%s answers %v", r.Path, done)
			}
			if !preview {
				actionShape.check(t, r.Path, part(done, "action"))
			}
		}
	}
	late := w.mod.send(patch, apiPrefix+user, map[string]any{"notes": "too late", "version": 1}).want(409)
	shape{"code": "text", "message": "text", "version": "int", "action": "object"}.check(t,
		"a conflict", late.field("error"))
	if late.field("error", "code") != "conflict" || late.field("error", "version") != part(one(user), "version") ||
		late.field("error", "action", "actor_name") != w.actor.Name {
		t.Errorf("a conflict says %s", late.body)
	}
	wrong := w.mod.send(patch, apiPrefix+user, map[string]any{"notes": 5, "display_name": " "}).want(422)
	shape{"code": "text", "message": "text", "fields": "object"}.check(t, "wrong fields", wrong.field("error"))
	for address, status := range map[string]int{"/users/x": 400, "/users/" + uuid.NewString(): 404, "/nothing": 404} {
		shape{"code": "text", "message": "text"}.check(t, address, w.mod.get(apiPrefix+address).want(status).field("error"))
	}
}

// TestAnswersAreAsDescribed compares the API's answers with its own
// description: every field has its type, and none is missing.
func TestAnswersAreAsDescribed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	description, err := openapi3.NewLoader().LoadFromData([]byte(w.mod.get("/api/openapi.json").want(200).body))
	if err != nil {
		t.Fatal(err)
	}
	for address, r := range w.addresses(get, post, put, patch) {
		if !strings.HasPrefix(address, apiPrefix) || r.Path == "/" {
			continue
		}
		var a answer
		if r.Method == get {
			a = w.by(r).get(address)
		} else {
			body := goodBody(r)
			// The preview and the action have different answers.
			if kindOf(r).Personal || r.Path == "/lists/:id/apply" || r.Path == bulkPath {
				delete(body, "preview")
			}
			maps.DeleteFunc(body, func(name string, _ any) bool { return !readBy(r, name) })
			a = w.by(r).send(r.Method, address, body)
		}
		if a.status != http.StatusOK {
			continue // the mail has come before
		}
		operation := description.Paths.Value(apiPrefix + describedPath(r.Path)).GetOperation(r.Method)
		media := operation.Responses.Value("200").Value.Content
		if media.Get("application/json") == nil { // a file
			if kind := a.header.Get("Content-Type"); media[kind] == nil {
				t.Errorf("%s %s answers with the type %s, which is not described", r.Method, r.Path, kind)
			}
			continue
		}
		var value any
		a.json(&value)
		schema := media.Get("application/json").Schema.Value
		if err := schema.VisitJSON(value, openapi3.MultiErrors(), openapi3.EnableJSONSchema2020()); err != nil {
			t.Errorf("%s %s: %.600v", r.Method, r.Path, err)
		}
		for _, name := range undescribed("", schema, value) {
			t.Errorf("%s %s answers %s, which is not described", r.Method, r.Path, name)
		}
	}
}

// undescribed returns the fields of a value that its schema does not have.
func undescribed(at string, schema *openapi3.Schema, value any) (names []string) {
	for _, one := range append(schema.OneOf, schema.AnyOf...) {
		if one.Value.Properties != nil {
			schema = one.Value
		}
	}
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			if schema.Items != nil {
				names = append(names, undescribed(at+"[]", schema.Items.Value, item)...)
			}
		}
	case map[string]any:
		if schema.Properties == nil {
			return nil
		}
		for name, inner := range value {
			if property := schema.Properties[name]; property != nil {
				names = append(names, undescribed(at+"."+name, property.Value, inner)...)
			} else {
				names = append(names, at+"."+name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// snapshot returns the whole content of the database, except for what reading
// leaves: the times when users were last seen, audits of lists, and which item of
// a sample a person sees.
func snapshot(t *testing.T, s *store.Store) string {
	t.Helper()
	var tables []string
	if err := storetest.DB(t, s).QueryRow(t.Context(), `SELECT array_agg(relname ORDER BY relname) FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
		AND relname NOT IN ('sessions', 'api_keys', 'sign_in_attempts', 'list_audits', 'sample_items')`).
		Scan(&tables); err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, table := range tables {
		var rows *string
		if err := storetest.DB(t, s).QueryRow(t.Context(),
			`SELECT string_agg(x::text || x.xmin::text, E'\n' ORDER BY x::text) FROM "`+table+`" x`).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&all, table)
		if rows != nil {
			fmt.Fprintln(&all, *rows)
		}
	}
	return all.String()
}

// TestPreviewsChangeNothing previews every kind of action by the API and opens
// every form. The database must not write a row, not even an unchanged one.
func TestPreviewsChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.asAdmin() // an account of its own
	before := snapshot(t, w.store)
	for address, r := range w.addresses(get, post) {
		kind := kindOf(r)
		if kind.Name == "" || kind.Name == "update_user" {
			continue
		}
		c := w.by(r)
		switch {
		case r.Method == get:
			c.get(address + "?reason=for+the+test&messages=delete&trees=halt&text=other").want(200)
			c.do(get, address, nil, "", "X-Partial", "dialog").want(200)
		case !slices.ContainsFunc(store.Kinds, func(k store.Kind) bool { return k.Name == kind.Name }) &&
			kind.Name != store.UndoKind.Name:
			continue // the acts on accounts and keys have no preview
		case strings.HasPrefix(address, apiPrefix):
			body := goodBody(r)
			if kind.Name == "ban" {
				body["messages"], body["trees"] = "delete", "halt"
			}
			a := w.mod.send(post, address, body).want(200)
			if a.field("preview") != true {
				t.Errorf("the preview of %s does not say that it is one: %.300s", kind.Name, a.body)
			}
			if kind.Name == "ban" && (a.field("affected", "messages") != 3.0 || a.field("affected", "others_messages") != 1.0 ||
				a.field("affected", "trees") != 1.0 || a.field("affected", "users") != 1.0) {
				t.Errorf("the preview of a ban counts %v", a.field("affected"))
			}
		default:
			w.mod.post(address, goodForm(r)).want(303)
		}
		if after := snapshot(t, w.store); after != before {
			t.Errorf("%s %s wrote rows", r.Method, address)
			before = after
		}
	}
}

// TestUnknownChoices checks that an invalid choice in a query is refused and
// not replaced by the default.
func TestUnknownChoices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := "/users/" + w.user.String()
	queries := map[string][]string{
		"/trollboard": {"frame=year", "frame=Day", "status=erased", "status=x", "sort=name",
			"sort=-score", "formula=x", "formula=Treewarden"},
		"/users":           {"role=king", "status=x", "sort=age", "sort=--name"},
		user:               {"formula=x"},
		user + "/messages": {"deleted=x", "spam=perhaps", "sort=age"},
		user + "/score":    {"frame=x", "formula=x"},
		"/messages": {"role=system", "tree_state=x", "deleted=yes", "review=x", "label=spam", "label=nothing>0.5",
			"toxicity=0.5", "classifier=toxicity>0.5", "has=x", "sort=x", "user=x", "since=x", "until=x"},
		"/trees": {"state=x", "author=x"},
		"/audit": {"kind=x", "actor=x", "target=x", "since=x", "until=x"},
	}
	for path, list := range queries {
		if path != user && path != user+"/score" {
			list = append(list, "limit=0", "limit=201", "limit=x", "limit=-1", "limit=1.5", "cursor=x")
		}
		for _, query := range list {
			for _, prefix := range []string{"", apiPrefix} {
				if a := w.mod.get(prefix + path + "?" + query); a.status != http.StatusBadRequest {
					t.Errorf("%s%s?%s: %d, want 400", prefix, path, query, a.status)
				}
			}
		}
	}
	for limit, want := range map[string]int{"1": 1, "2": 2, "200": 4, "": 4} {
		var list store.List[store.Message]
		if w.mod.get(apiPrefix + "/messages?limit=" + limit).want(200).json(&list); len(list.Items) != want {
			t.Errorf("limit=%s answers %d messages, want %d", limit, len(list.Items), want)
		}
	}
}
