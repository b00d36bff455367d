package admin

import (
	"bufio"
	"bytes"
	"fmt"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// curator is a person with a session who made a list by its form.
type curator struct {
	*client
	store *store.Store
	list  string // the path of the list's page
}

func newCurator(t *testing.T) curator {
	t.Helper()
	s := storetest.New(t)
	c := staff(t, newServer(t, s), policy.Moderator)
	form := url.Values{"name": {" Before release "}, "kind": {"bad"}, "note": {"for the audit"}, "key": {"k1"}}
	made := c.post("/lists", form).want(303).header.Get("Location")
	if again := c.post("/lists", form).want(303).header.Get("Location"); again != made {
		t.Errorf("the form sent twice leads to %s and %s", made, again)
	}
	path, _, ok := strings.Cut(made, "?done=")
	if !ok || !strings.HasPrefix(path, "/lists/") {
		t.Fatalf("a new list leads to %s", made)
	}
	page := c.get(made).want(200)
	if page.text("h1") != "Before release" || page.page().Find(".toast form").Length() != 1 ||
		!strings.Contains(page.text(".toast"), "Created the list “Before release”") ||
		!strings.Contains(page.text("main"), "Nothing is on this list yet") {
		t.Errorf("the page of a new list: %s, toast %s", page.text("main"), page.text(".toast"))
	}
	return curator{c, s, path}
}

// upload sends the form that adds messages, with a text and a file.
func (c curator) upload(text, file string) answer {
	c.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range map[string]string{"items": text, "reason": "from the sheet", "key": uuid.NewString()} {
		if err := w.WriteField(name, value); err != nil {
			c.t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", "ids.csv")
	if err == nil {
		_, err = part.Write([]byte(file))
	}
	if err != nil || w.Close() != nil {
		c.t.Fatal(err)
	}
	return c.do(http.MethodPost, c.list+"/add", &body, w.FormDataContentType())
}

// TestListForms makes, changes and undoes lists by their forms.
func TestListForms(t *testing.T) {
	t.Parallel()
	c := newCurator(t)
	for _, path := range []string{"/lists/new", "/lists/new?return=/lists"} {
		c.get(path).want(200)
	}
	for field, form := range map[string]url.Values{
		"#list-name":      {"name": {"\u200b"}, "kind": {"good"}, "note": {"typed & kept"}},
		"#list-kind-more": {"name": {"A name"}, "kind": {"ugly"}, "note": {"typed & kept"}},
	} {
		a := c.post("/lists", form).want(422)
		if a.page().Find(field).Length() != 1 || a.page().Find("p.error").Length() != 1 ||
			!strings.Contains(a.text("#list-note"), "typed & kept") {
			t.Errorf("%v is answered by %s", form, a.text("main"))
		}
	}
	part := c.do(http.MethodGet, c.list+"/edit?return=/lists", nil, "", "X-Partial", "dialog").want(200)
	if part.page().Find("form.act[data-act] h2#act-title").Length() != 1 || strings.Contains(part.body, "<html") {
		t.Errorf("the part for a dialog: %s", part.body)
	}
	form := url.Values{"name": {"Renamed"}, "kind": {"good"}, "note": {""}, "archived": {"false", "true"},
		"version": {"1"}, "return": {"/lists?archived=include"}}
	to := c.post(c.list, form).want(303).header.Get("Location")
	if !strings.HasPrefix(to, "/lists?archived=include&done=") {
		t.Errorf("a change leads to %s", to)
	}
	table := c.get(to).want(200)
	if row := table.text("tbody tr"); !strings.HasPrefix(row, "Renamed") || !strings.Contains(row, "Good Archived") {
		t.Errorf("the lists show %q", row)
	}
	late := c.post(c.list, url.Values{"name": {"Mine"}, "version": {"1"}}).want(409)
	if v, _ := late.page().Find("#list-name").Attr("value"); v != "Mine" ||
		!strings.Contains(late.text(".notice"), "of the list “Before release”") {
		t.Errorf("a late change: %s", late.text("main"))
	}
	c.get(c.list + "/add").want(200)
	c.upload(uuid.NewString(), "").want(409) // archived
	if empty := c.get("/lists").want(200); !strings.Contains(empty.text(".empty"), "A list holds messages") {
		t.Errorf("without lists: %s", empty.text("main"))
	}
	if none := c.get("/lists?q=nothing").want(200); !strings.Contains(none.text(".empty"), "No lists match") {
		t.Errorf("a filter without lists: %s", none.text("main"))
	}
	if csv := c.get("/lists?archived=only&format=csv").want(200).body; !strings.Contains(csv, ",Renamed,good,,0,") {
		t.Errorf("CSV: %s", csv)
	}
}

// TestListItemsPage pastes ids into a list, audits it, and removes one.
func TestListItemsPage(t *testing.T) {
	t.Parallel()
	c := newCurator(t)
	author := storetest.User(t, c.store, "Author\u202e")
	ids := storetest.Tree(t, c.store, storetest.Node{Author: author, Text: "How do bees sleep?", Replies: []storetest.Node{
		{Author: author, Text: "Upside down."}, {Author: author, Text: "Standing on <b>one</b> leg."}}})
	missing := uuid.NewString()
	var long strings.Builder
	for range 105 {
		long.WriteString(uuid.NewString() + "\n")
	}
	got := c.upload(ids[0].String()+" a note\r\n"+ids[0].String()+"\r\nnonsense <i>\r\n"+missing,
		"id;note\n"+ids[1].String()+";in the file\n"+ids[2].String()+"\nbroken\n"+long.String()).want(200)
	if numbers := got.text(".added .numbers dd"); numbers != "311062" {
		t.Errorf("the numbers are %s", numbers)
	}
	if faults := got.text(".faults tbody"); !strings.Contains(faults, "3 nonsense <i>") || !strings.Contains(faults,
		"file 4 broken") {
		t.Errorf("the malformed lines are %s", faults)
	}
	if n := got.page().Find(".missing-ids li").Length(); n != 100 || got.page().Find(".toast form").Length() != 1 ||
		!strings.Contains(got.text("main"), "the first 100 of 106") {
		t.Errorf("%d missing ids are named: %s", n, got.text("main"))
	}
	for _, act := range []store.Act{{Kind: "delete", Target: ids[1], Reason: "because"},
		{Kind: "edit", Target: ids[2], Reason: "because", Params: store.EditParams{Text: "Standing on both legs."}}} {
		if _, err := c.store.Act(t.Context(), storetest.Staff(t, c.store, policy.Moderator), act); err != nil {
			t.Fatal(err)
		}
	}
	if head := c.get(c.list).want(200).text(".audit-line"); !strings.Contains(head, "Never audited") {
		t.Errorf("before an audit: %s", head)
	}
	to := c.post(c.list+"/audit", nil).want(303).header.Get("Location")
	page := c.get(to).want(200)
	if tabs := page.text(".states"); tabs != "All 109 Present 1 Deleted 1 Edited since 1 Tree stopped 0 Author banned 0 "+
		"Missing 106" {
		t.Errorf("the states are %s", tabs)
	}
	deleted := c.get(c.list + "?state=deleted").want(200)
	if row := deleted.text("tbody"); !strings.Contains(row, "Upside down.") || !strings.Contains(row, "Deleted action") ||
		!strings.Contains(row, "in the file") || strings.Contains(deleted.body, "\u202e") {
		t.Errorf("the deleted item: %s", row)
	}
	edited := c.get(c.list + "?state=edited_since").want(200)
	if diff := edited.text(".item-diff .diff"); !strings.Contains(diff, "both") {
		t.Errorf("the edit is shown as %s", diff)
	}
	if none := c.get(c.list + "?state=halted").want(200).text(".empty"); !strings.Contains(none, "No items match") {
		t.Errorf("a state without items: %s", none)
	}
	if csv := c.get(c.list + "?q=bees&format=csv").want(200).body; !strings.Contains(csv, ids[0].String()+",present,,") {
		t.Errorf("CSV: %s", csv)
	}
	form := url.Values{"item": {ids[0].String()}, "return": {c.list + "?q=bees"}}
	to = c.post(c.list+"/remove", form).want(303).header.Get("Location")
	page = c.get(to).want(200)
	if !strings.Contains(page.text(".empty"), "No item") ||
		!strings.Contains(page.text(".toast"), "Removed messages from") {
		t.Errorf("after the removal: %s, %s", page.text("main"), page.text(".toast"))
	}
	undo, _ := page.page().Find(".toast form").Attr("action")
	to = c.post(undo, url.Values{"reason": {"a mistake"}, "return": {c.list + "?q=bees"}}).want(303).header.Get("Location")
	if rows := c.get(to).want(200).text("tbody"); !strings.Contains(rows, "bees") {
		t.Errorf("after the undo: %s", rows)
	}
}

// TestRemoveSelected removes several items of a list by its form, and undoes that.
func TestRemoveSelected(t *testing.T) {
	t.Parallel()
	c := newCurator(t)
	author := storetest.User(t, c.store, "Author")
	ids := storetest.Tree(t, c.store, storetest.Node{Author: author, Text: "How do bees sleep?",
		Replies: []storetest.Node{{Text: "Upside down."}}})
	c.upload(ids[0].String()+"\n"+ids[1].String()+"\n"+uuid.NewString(), "").want(200)
	page := c.get(c.list + "?q=").want(200).page()
	form := url.Values{}
	page.Find("#remove-selected input[type=hidden], [form=remove-selected]").Each(func(_ int, field *goquery.Selection) {
		form.Add(field.AttrOr("name", ""), field.AttrOr("value", ""))
	})
	if len(form["item"]) != 3 || page.Find("tbody tr [type=checkbox][aria-label]").Length() != 3 ||
		form.Get("return") != c.list+"?q=" {
		t.Fatalf("the form is %v", form)
	}
	form["item"] = []string{ids[0].String(), ids[1].String(), ids[1].String(), uuid.NewString()}
	after := c.get(c.post(c.list+"/remove", form).want(303).header.Get("Location")).want(200)
	undo, ok := after.page().Find(".toast form").Attr("action")
	if !ok || after.page().Find("tbody tr").Length() != 1 || !strings.Contains(after.text(".toast"), "(2 messages)") {
		t.Errorf("after the removal: %s, %s", after.text("tbody"), after.text(".toast"))
	}
	to := c.post(undo, url.Values{"reason": {"a mistake"}, "return": {c.list}}).want(303).header.Get("Location")
	if n := c.get(to).want(200).page().Find("tbody tr").Length(); n != 3 {
		t.Errorf("after the undo the list has %d items", n)
	}
	if none := c.post(c.list+"/remove", nil).want(422); !strings.Contains(none.text("main"), "Select at least one") {
		t.Errorf("nothing selected: %s", none.text("main"))
	}
	c.post(c.list+"/remove", url.Values{"item": {"nonsense"}}).want(422)
}

// TestListWithoutIDs sends texts that hold no id.
func TestListWithoutIDs(t *testing.T) {
	t.Parallel()
	c := newCurator(t)
	for text, want := range map[string]string{"": "Paste at least one message id",
		" \n# a comment\n": "Paste at least one message id", "spam and eggs": "Nothing was added"} {
		a := c.upload(text, "").want(422)
		typed := a.page().Find("#add-items").Text()
		if !strings.Contains(a.text("#add-items-more .error"), want) || strings.TrimSpace(typed) != strings.TrimSpace(text) {
			t.Errorf("%q is answered by %s", text, a.text("main"))
		}
	}
	c.post(c.list+"/add", url.Values{"items": {uuid.NewString()}, "reason": {"x"}}).want(422)
	c.post(c.list+"/add", url.Values{"items": {uuid.NewString()}}).want(200) // a form without a file
}

// TestLargeListUpload sends 100,000 ids, which is more than other forms may send,
// and one more.
func TestLargeListUpload(t *testing.T) {
	t.Parallel()
	c := newCurator(t)
	var ids strings.Builder
	for range store.MaxListItems {
		ids.WriteString(uuid.NewString() + "\r\n")
	}
	a := c.upload("", ids.String()).want(200)
	if !strings.Contains(a.text("main"), "the first 100 of 100,000") {
		t.Errorf("the answer is %.300s", a.text("main"))
	}
	a = c.upload(uuid.NewString(), ids.String()).want(422)
	if !strings.Contains(a.text(".error"), "at most 100000") {
		t.Errorf("one id more is answered by %.300s", a.text("main"))
	}
	address := listen(t, c.server)
	for _, r := range []struct {
		path, cookie string
		length       int
	}{
		{c.list, c.cookie, bodyLimit + 1}, {c.list + "/add", "theme=dark", bodyLimit + 1},
		{c.list + "/add", c.cookie, ingestLimit + 1},
	} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nCookie: %s\r\nContent-Length: %d\r\n\r\n", r.path, r.cookie,
			r.length)
		got, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%d bytes to %s answer %d", r.length, r.path, got.StatusCode)
		}
		got.Body.Close()
		conn.Close()
	}
}

// TestCompareLists compares a list with what staff deleted, and with another one.
func TestCompareLists(t *testing.T) {
	t.Parallel()
	c := newCurator(t)
	ids := storetest.Tree(t, c.store, storetest.Node{Author: storetest.User(t, c.store, "Author"), Text: "Both of them",
		Replies: []storetest.Node{{Text: "Only deleted"}}})
	actor := storetest.Staff(t, c.store, policy.Moderator)
	act := store.Act{Kind: "delete", Target: ids[0], Reason: "because"}
	if _, err := c.store.Act(t.Context(), actor, act); err != nil {
		t.Fatal(err)
	}
	gone := uuid.NewString()
	c.upload(ids[0].String()+"\n"+gone, "").want(200)
	page := c.get(c.list + "/compare").want(200)
	for id, want := range map[string]string{"both": "Both of them", "only_this": gone, "only_other": "Only deleted"} {
		if part := page.text("section[aria-labelledby=part-" + id + "]"); !strings.Contains(part, want) ||
			!strings.Contains(part, "1 ") {
			t.Errorf("%s: %s", id, part)
		}
	}
	other := c.post("/lists", url.Values{"name": {"Other"}, "kind": {"custom"}}).want(303).header.Get("Location")
	otherID := strings.TrimPrefix(other[:strings.Index(other, "?")], "/lists/")
	page = c.get(c.list + "/compare?with=" + otherID).want(200)
	if page.text("option[selected]") != "Other (custom, 0 items)" || !strings.Contains(page.text("main"), "None.") {
		t.Errorf("with an empty list: %s", page.text("main"))
	}
	c.get(c.list + "/compare?with=" + uuid.NewString()).want(404)
}

// TestAddToChosenList adds a message by its menu, and what a filter finds.
func TestAddToChosenList(t *testing.T) {
	t.Parallel()
	c := newCurator(t)
	author := storetest.User(t, c.store, "Author")
	ids := storetest.Tree(t, c.store, storetest.Node{Author: author, Text: "How do bees sleep?", Replies: []storetest.Node{
		{Author: author, Text: "Upside down."}, {Author: author, Text: "Standing."}}})
	path := "/messages/" + ids[0].String()
	second := c.post("/lists", url.Values{"name": {"Second & last"}, "kind": {"good"}}).want(303).header.Get("Location")
	second, _, _ = strings.Cut(second, "?")

	link, ok := c.get(path + "/menu").want(200).page().Find(".message-menu a:contains('Add to list…')").Attr("href")
	if !ok {
		t.Fatal("the menu has no entry for lists")
	}
	form := c.get(link).want(200)
	if form.text("option[selected]") != "" || !strings.Contains(form.text(".act-target"), "How do bees sleep?") ||
		form.text("#choose-to option:nth-child(2)") != "Second & last (good, 0 items)" {
		t.Errorf("the form: %s", form.text("main"))
	}
	add := url.Values{"message": {ids[0].String()}, "note": {"asks twice"}, "return": {path}}
	refused := c.post("/lists/choose", add).want(422)
	if v, _ := refused.page().Find("#choose-note").Attr("value"); v != "asks twice" ||
		refused.text("#choose-to-more .error") != "Choose a list." {
		t.Errorf("without a list: %s", refused.text("main"))
	}
	add.Set("to", strings.TrimPrefix(c.list, "/lists/"))
	page := c.get(c.post("/lists/choose", add).want(303).header.Get("Location")).want(200)
	if page.text(".on-lists a") != "Before release" || page.page().Find(".toast form").Length() != 1 {
		t.Errorf("after it was added: %s, %s", page.text(".kv"), page.text(".toast"))
	}
	if row := c.get(c.list).want(200).text("tbody"); !strings.Contains(row, "asks twice") {
		t.Errorf("the item is %s", row)
	}

	found := c.get("/messages?q=BEES&user=" + author.String() + "&list=" + strings.TrimPrefix(c.list, "/lists/")).want(200)
	if found.page().Find("tbody tr").Length() != 1 || !strings.Contains(found.text(".page-head"), "Before release") {
		t.Errorf("messages of a list: %s", found.text("main"))
	}
	if page := c.get("/messages?list=" + uuid.NewString()).want(200); !strings.Contains(page.text(".page-head"),
		"a list that does not exist") {
		t.Errorf("messages of no list: %s", page.text("main"))
	}
	if n := c.get("/messages").want(200).page().Find("a:contains('Add these to a list')").Length(); n != 0 {
		t.Error("all messages can be added to a list")
	}
	link, _ = c.get("/messages?sort=old&role=assistant").want(200).page().Find("a:contains('Add these')").Attr("href")
	form = c.get(link).want(200)
	if !strings.Contains(form.text(".act-target"), "2 messages are found") ||
		form.text("option[selected]") != "Before release (bad, 1 item)" { // the last used one
		t.Errorf("the form for a filter: %s", form.text("main"))
	}
	all := url.Values{"role": {"assistant"}, "to": {strings.TrimPrefix(second, "/lists/")}, "return": {second}}
	page = c.get(c.post("/lists/choose", all).want(303).header.Get("Location")).want(200)
	if page.page().Find("tbody tr").Length() != 2 || !strings.Contains(page.text(".toast"), "(2 messages)") {
		t.Errorf("after a filter was added: %s", page.text("main"))
	}
	if none := c.get("/lists/choose?q=qwertzuiop").want(200); none.page().Find("button[disabled]").Length() != 1 {
		t.Error("nothing can be added to a list")
	}
	c.get("/lists/choose?label=nonsense").want(400)
	// Without a filter the person confirms that all messages are meant.
	confirm := c.get("/lists/choose?deleted=include").want(200)
	if confirm.page().Find("input[name=all][required]").Length() != 1 {
		t.Errorf("the form for all messages: %s", confirm.text("main"))
	}
	all = url.Values{"to": {strings.TrimPrefix(second, "/lists/")}, "q": {" "}}
	if refused := c.post("/lists/choose", all).want(422); refused.text("#choose-all-more .error") == "" {
		t.Errorf("all messages without a confirmation: %s", refused.text("main"))
	}
	all.Set("all", "true")
	c.post("/lists/choose", all).want(303)
}
