package admin

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/lists"
	"treewarden/store/storetest"
)

// lead is the API key of a data lead who has a list.
type lead struct {
	*client
	store *store.Store
	list  string // the path of the list in the API
}

func newLead(t *testing.T) lead {
	t.Helper()
	s := storetest.New(t)
	c := newClient(t, newServer(t, s))
	var err error
	if c.key, err = s.CreateKey(t.Context(), store.CommandLine, "lead", policy.DataLead, nil); err != nil {
		t.Fatal(err)
	}
	var list lists.List
	c.send(http.MethodPost, apiPrefix+"/lists", `{"name": "Before release", "kind": "bad", "note": "for the audit"}`).
		want(200).json(&list)
	if list.Name != "Before release" || list.Kind != "bad" || list.Items != 0 || list.Version != 1 || list.Owner == nil {
		t.Errorf("the new list is %+v", list)
	}
	return lead{c, s, apiPrefix + "/lists/" + list.ListID.String()}
}

// paste sends lines as text.
func (l lead) paste(lines string) itemsAnswer {
	l.t.Helper()
	var got itemsAnswer
	l.do(http.MethodPost, l.list+"/items", strings.NewReader(lines), "text/plain; charset=utf-8").want(200).json(&got)
	return got
}

// TestThousandLines pastes 1,000 lines, of which 100 name no message, 50 are
// edited since, 70 deleted, and 10 malformed in ten ways.
func TestThousandLines(t *testing.T) {
	t.Parallel()
	l := newLead(t)
	author := storetest.User(t, l.store, "Author")
	ids := storetest.Tree(t, l.store, storetest.Node{Author: author, Replies: slices.Repeat(
		[]storetest.Node{{Author: author}}, 889)})
	replies := ids[1:]
	var lines []string
	for _, id := range ids {
		lines = append(lines, id.String())
	}
	var unknown []uuid.UUID
	for range 100 {
		unknown = append(unknown, uuid.New())
		lines = append(lines, unknown[len(unknown)-1].String())
	}
	id := uuid.NewString()
	malformed := []string{
		id + uuid.NewString(), // two ids grown together
		id[:35], id + "0", strings.Replace(id, id[3:4], "O", 1), "1.23E+35", id[:8] + "…", "spam",
		uuid.Nil.String(), "\xff\xfe\xfd", "a\x00b",
	}
	lines = append(lines, malformed...)
	if len(lines) != 1000 {
		t.Fatalf("%d lines", len(lines))
	}
	got := l.paste(strings.Join(lines, "\n"))
	if got.Added.Added != 890 || got.Duplicate != 0 || !slices.Equal(got.Missing, unknown) {
		t.Errorf("added %d, duplicate %d, %d missing", got.Added.Added, got.Duplicate, len(got.Missing))
	}
	if len(got.Malformed) != len(malformed) {
		t.Errorf("malformed: %+v", got.Malformed)
	}
	for i, fault := range got.Malformed {
		if fault.Line != 991+i || fault.Why == "" {
			t.Errorf("malformed line %d: %+v", 991+i, fault)
		}
	}
	moderator := storetest.Staff(t, l.store, policy.Moderator)
	for i, id := range replies {
		act := store.Act{Kind: "edit", Target: id, Reason: "because", Params: store.EditParams{Text: "edited"}}
		if i < 70 {
			act = store.Act{Kind: "delete", Target: id, Reason: "because"}
		} else if i >= 120 {
			break
		}
		if _, err := l.store.Act(t.Context(), moderator, act); err != nil {
			t.Fatal(err)
		}
	}
	var audit lists.Audit
	l.get(l.list + "/audit").want(200).json(&audit)
	want := map[string]int64{"missing": 100, "deleted": 70, "edited_since": 50, "halted": 0, "author_banned": 0,
		"present": 770}
	if !maps.Equal(audit.Counts, want) || audit.Items != 990 {
		t.Errorf("the audit counts %v, want %v", audit.Counts, want)
	}
	for state, n := range want {
		var page store.List[lists.Item]
		l.get(l.list + "/items?limit=200&state=" + state).want(200).json(&page)
		if len(page.Items) != int(min(n, 200)) {
			t.Errorf("%d items are %s, want %d", len(page.Items), state, n)
		}
	}
}

// TestAddItemsAsJSON adds and removes items as JSON, with bad ones among them.
func TestAddItemsAsJSON(t *testing.T) {
	t.Parallel()
	l := newLead(t)
	ids := storetest.Tree(t, l.store, storetest.Node{Author: storetest.User(t, l.store, "Author")})
	id := ids[0].String()
	var got itemsAnswer
	l.send(http.MethodPost, l.list+"/items", object{"reason": "from the sheet", "items": []object{
		{"message_id": strings.ToUpper(id), "note": "spam"}, {"message_id": "{" + id + "}"}, {"message_id": "7"},
		{"message_id": uuid.NewString(), "note": strings.Repeat("x", 501)},
	}}).want(200).json(&got)
	if got.Added.Added != 1 || got.Duplicate != 1 || len(got.Malformed) != 2 || got.Malformed[0].Line != 3 ||
		got.Action.ID == 0 || got.Unchanged || !got.Action.Undoable || got.Affected.Messages != 1 {
		t.Errorf("%+v", got)
	}
	var page store.List[lists.Item]
	l.get(l.list + "/items").want(200).json(&page)
	if len(page.Items) != 1 || page.Items[0].Note != "spam" || page.Items[0].MessageID != ids[0] {
		t.Errorf("%+v", page.Items)
	}
	l.send(http.MethodPost, l.list+"/items", object{"filter": object{"role": "prompter", "colour": "red"}}).want(422)
	l.send(http.MethodPost, l.list+"/items", object{"filter": object{"lang": []int{1}}}).want(422)
	l.send(http.MethodPost, l.list+"/items", object{}).want(422)
	l.send(http.MethodPost, l.list+"/items", object{"filter": object{"role": "prompter"}}).want(200).json(&got)
	if got.Added.Added != 0 || got.Duplicate != 1 || got.Action.ID != 0 || !got.Unchanged {
		t.Errorf("the same by a filter: %+v", got)
	}
	var removed removeAnswer
	l.send(http.MethodDelete, l.list+"/items", object{"items": []string{id, uuid.NewString()}}).want(200).json(&removed)
	if removed.Removed != 1 || removed.Action.ID == 0 {
		t.Errorf("%+v", removed)
	}
	l.send(http.MethodDelete, l.list+"/items", object{"items": []string{"7"}}).want(422)
	l.send(http.MethodPatch, l.list, object{"archived": true, "version": 7}).want(409)
	var changed listAnswer
	l.send(http.MethodPatch, l.list, object{"archived": true, "version": 1}).want(200).json(&changed)
	if !changed.Archived || changed.Version != 2 || changed.Action.Kind != "update_list" {
		t.Errorf("%+v", changed)
	}
	l.send(http.MethodPost, l.list+"/items", object{"items": []object{{"message_id": id}}}).want(409)
	var all store.List[lists.List]
	l.get(apiPrefix + "/lists").want(200).json(&all)
	if len(all.Items) != 0 {
		t.Errorf("an archived list stands among %+v", all.Items)
	}
	l.get(apiPrefix + "/lists?archived=only&kind=bad&q=release").want(200).json(&all)
	if len(all.Items) != 1 {
		t.Errorf("it is not found: %+v", all.Items)
	}
}

// TestNullOfList sends null for the note of a list. The answer names the note.
func TestNullOfList(t *testing.T) {
	t.Parallel()
	l := newLead(t)
	a := l.send(http.MethodPatch, l.list, object{"note": nil}).want(422)
	if a.field("error", "fields", "note") == nil || a.field("error", "fields", "name") != nil {
		t.Errorf("null for the note: %s", a.body)
	}
	if a := l.send(http.MethodPatch, l.list, object{}).want(422); a.field("error", "fields", "name") == nil {
		t.Errorf("nothing to change: %s", a.body)
	}
	l.send(http.MethodPatch, l.list, object{"name": "Renamed", "note": nil}).want(200)
}
