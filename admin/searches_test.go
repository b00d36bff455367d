package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/searches"
	"treewarden/store/storetest"
)

func init() {
	pageTypes["partials/searchform"] = searchFormPage{}
	pageTypes["partials/searchdelete"] = searchDeletePage{}
	pageTypes["partials/savedsearches"] = []savedSearch{}
}

const searchesAPI = apiPrefix + searchesPath

// saved returns the saved searches that a client sees, by name.
func (c *client) saved() map[string]searches.Search {
	c.t.Helper()
	var list store.List[searches.Search]
	c.get(searchesAPI).want(200).json(&list)
	all := map[string]searches.Search{}
	for _, s := range list.Items {
		all[s.Name] = s
	}
	if len(all) != len(list.Items) {
		c.t.Errorf("of %d searches, some have the same name", len(list.Items))
	}
	return all
}

// save saves a search and returns its id.
func (c *client) save(name, line string, shared bool) string {
	c.t.Helper()
	return c.send(post, searchesAPI, object{"name": name, "query": line, "shared": shared}).want(200).
		field("search_id").(string)
}

// wantNew checks the number of new results of a search; -1 stands for null.
func (c *client) wantNew(name string, want int) {
	c.t.Helper()
	s, ok := c.saved()[name]
	got := -1
	if s.New != nil {
		got = *s.New
	}
	if !ok || got != want {
		c.t.Errorf("%s (seen: %v) has %d new results, want %d", name, ok, got, want)
	}
}

// countRows returns the number of rows of a table.
func countRows(t *testing.T, s *store.Store, table string) (n int) {
	t.Helper()
	if err := storetest.DB(t, s).QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// write makes a message that was written now.
func write(t *testing.T, s *store.Store, text, lang string) {
	t.Helper()
	storetest.Tree(t, s, storetest.Node{Author: storetest.User(t, s, "an author"), Text: text, Lang: lang, At: time.Now()})
}

// TestSavedSearches saves, counts, opens, shares and deletes searches by the API.
func TestSavedSearches(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	ann, bob := staff(t, server, policy.Moderator), staff(t, server, policy.DataLead)
	admin := staff(t, server, policy.Admin)
	write(t, s, "an old watch", "en")
	a := ann.send(post, searchesAPI, object{"name": "  Watches ", "query": " watch  lang:en ", "shared": true}).want(200)
	if a.field("name") != "Watches" || a.field("query") != "watch  lang:en" || a.field("shared") != true ||
		a.field("new") != 0.0 || a.field("looked_at") == nil {
		t.Errorf("the new search: %s", a.body)
	}
	id := a.field("search_id").(string)
	own := ann.save("My own", "watch", false)
	// Bob never looked: what is new to him came after the search was saved.
	ann.wantNew("Watches", 0)
	bob.wantNew("Watches", 0)
	write(t, s, "a new watch", "en")
	write(t, s, "another word", "en")
	write(t, s, "eine watch", "de")
	ann.wantNew("Watches", 1)
	ann.wantNew("My own", 2)
	bob.wantNew("Watches", 1)
	if all := bob.saved(); len(all) != 1 || all["Watches"].LookedAt != nil ||
		all["Watches"].OwnerID.String() != a.field("owner_id") || all["Watches"].OwnerName == "" {
		t.Errorf("Bob sees %+v", all)
	}
	// Who opens a search has looked, and nobody else.
	var list store.List[store.Message]
	bob.get(apiPrefix + "/messages?search=" + id).want(200).json(&list)
	if len(list.Items) != 2 || len(list.Items[0].Marks) != 1 {
		t.Errorf("the search finds %+v", list.Items)
	}
	bob.wantNew("Watches", 0)
	ann.wantNew("Watches", 1)
	// Further pages and files are no look.
	write(t, s, "one more watch", "en")
	bob.get("/messages?format=csv&search=" + id).want(200)
	if rows := bob.get("/messages?format=csv&search=" + id).body; !strings.Contains(rows, "one more watch") ||
		strings.Contains(rows, "eine watch") {
		t.Errorf("the file of the search: %s", rows)
	}
	bob.wantNew("Watches", 1)
	bob.do(http.MethodHead, apiPrefix+"/messages?search="+id, strings.NewReader(""), "").want(200)
	bob.wantNew("Watches", 1)
	first := ann.get(apiPrefix + "/messages?limit=1&search=" + id).want(200).field("next").(string)
	write(t, s, "the last watch", "en")
	ann.get(apiPrefix + "/messages?limit=1&search=" + id + "&cursor=" + first).want(200)
	ann.wantNew("Watches", 1)

	// What others do not share is not there for anybody else, not even an admin.
	for _, c := range []*client{bob, admin} {
		c.get(apiPrefix + "/messages?search=" + own).want(404)
		c.send(del, searchesAPI+"/"+own, nil).want(404)
		c.get(searchesPath + "/" + own + "/remove").want(404)
		c.post(searchesPath+"/"+own+"/remove", url.Values{}).want(404)
	}
	bob.send(del, searchesAPI+"/"+id, nil).want(403)
	bob.get(searchesPath + "/" + id + "/remove").want(403)
	bob.post(searchesPath+"/"+id+"/remove", url.Values{}).want(403)
	if a := bob.get(apiPrefix + "/messages?q=other&search=" + id).want(400); !strings.Contains(a.body, "leave out") {
		t.Errorf("two lines: %s", a.body)
	}
	if a := admin.send(del, searchesAPI+"/"+id, nil).want(200); a.field("name") != "Watches" {
		t.Errorf("the deleted search: %s", a.body)
	}
	ann.send(del, searchesAPI+"/"+id, nil).want(404)
	ann.send(del, searchesAPI+"/"+own, nil).want(200)
	if len(ann.saved())+len(bob.saved()) > 0 {
		t.Error("a deleted search is listed")
	}
	if n := countRows(t, s, "saved_search_looks"); n != 0 {
		t.Errorf("%d looks at deleted searches are left", n)
	}
}

// TestSaveSearchRefuses checks what is refused, and that a wrong line has its place.
func TestSaveSearchRefuses(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	ann, bob := staff(t, server, policy.Moderator), staff(t, server, policy.Moderator)
	ann.save("a name", "word", false)
	bob.save("a name", "word", true) // a name is one person's
	ann.save(strings.Repeat("ж", searches.MaxName), "word", false)
	for _, body := range []struct{ name, line, field string }{
		{"a name", "another", "name"}, {" a name\n", "another", "name"}, {"ab", "word", "name"}, {"", "word", "name"},
		{strings.Repeat("ж", searches.MaxName+1), "word", "name"}, {"\u200b\u200b\u200b", "word", "name"},
		{"empty", " ", "query"}, {"empty", "", "query"}, {"quote", `a "b`, "query"}, {"an or", "a OR", "query"},
		{"no label", "nolabel>0.5", "query"}, {"no role", "role:nobody", "query"}, {"no date", "since:soon", "query"},
		{"regex", "/(/", "query"}, {"long", strings.Repeat("a", 2001), "query"}, {"not", "-deleted:include", "query"},
	} {
		a := ann.send(post, searchesAPI, object{"name": body.name, "query": body.line}).want(422)
		if fields, _ := a.field("error", "fields").(map[string]any); len(fields) != 1 || fields[body.field] == nil {
			t.Errorf("%q, %.30q: %s", body.name, body.line, a.body)
		}
		form := ann.post(searchesPath, url.Values{"name": {body.name}, "query": {body.line}}).want(422).page()
		// A form of HTML shows what was typed.
		name, line := form.Find("#search-"+body.field), form.Find("#search-query").AttrOr("value", "")
		if name.AttrOr("aria-invalid", "") != "true" || form.Find("#search-"+body.field+"-more .error").Text() == "" ||
			line != body.line {
			t.Errorf("%q, %.30q: the form says %q of %q", body.name, body.line, form.Find(".error").Text(), line)
		}
	}
	a := ann.send(post, searchesAPI, object{"name": "a place", "query": "word role:nobody"}).want(422)
	if a.field("error", "places", "query", "start") != 5.0 || a.field("error", "places", "query", "end") != 16.0 {
		t.Errorf("the place of the fault: %s", a.body)
	}
	form := ann.post(searchesPath, url.Values{"name": {"a place"}, "query": {"word role:nobody"}}).want(422)
	if marked := form.text("#search-query-more mark"); marked != "role:nobody" {
		t.Errorf("the form marks %q", marked)
	}
	for _, body := range []object{{"name": 5, "query": "word"}, {"name": "other", "query": "word", "shared": "maybe"},
		{"name": "other", "query": "word", "owner_id": "x"}} {
		if a := ann.send(post, searchesAPI, body); a.status != 400 && a.status != 422 {
			t.Errorf("%v: %d %s", body, a.status, a.body)
		}
	}
	// One person has a limited number, also if two are saved at once.
	for i := range searches.MaxOwn - 4 {
		ann.save(fmt.Sprint("search ", i), "word", false)
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() { ann.send(post, searchesAPI, object{"name": fmt.Sprint("at once ", i%4), "query": "word"}) })
	}
	group.Wait()
	a = ann.send(post, searchesAPI, object{"name": "too many", "query": "word"}).want(422)
	if n := countRows(t, s, "saved_searches"); n != searches.MaxOwn+1 || !strings.Contains(a.body, "100 saved") {
		t.Errorf("there are %d searches: %s", n, a.body)
	}
	bob.save("another", "word", false)
}

// TestSaveSearchOnce sends a form twice.
func TestSaveSearchOnce(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	c := staff(t, newServer(t, s), policy.Moderator)
	key := c.get(searchesPath+"/new?query=word").page().Find("[name=key]").AttrOr("value", "")
	form := url.Values{"name": {"a search"}, "query": {"word"}, "shared": {"true"}, "return": {"/messages?q=word"},
		"key": {key}}
	for range 2 {
		if to := c.post(searchesPath, form).want(303).header.Get("Location"); to != "/messages?notice=search-saved&q=word" {
			t.Errorf("it leads to %s", to)
		}
	}
	if all := c.saved(); len(all) != 1 || !all["a search"].Shared {
		t.Errorf("saved: %+v", all)
	}
	form.Set("name", "another")
	c.post(searchesPath, form).want(409)
}

// TestSavedSearchesOfOthers decides what becomes of the searches of people who leave.
func TestSavedSearchesOfOthers(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	account := storetest.Staff(t, s, policy.Moderator)
	ann, bob, admin := signedIn(t, server, account), staff(t, server, policy.Moderator), staff(t, server, policy.Admin)
	id := ann.save("left behind", "word", true)
	// The searches of a person without a role stay for the others.
	storetest.Exec(t, s, "UPDATE users SET role = 'general' WHERE user_id = $1", account.UserID)
	if a := ann.get(searchesAPI); a.status == 200 {
		t.Errorf("a contributor reads %s", a.body)
	}
	bob.wantNew("left behind", 0)
	bob.get(apiPrefix + "/messages?search=" + id).want(200)
	if page := admin.get(searchesPath).want(200).page(); page.Find("a.btn-danger").Length() != 1 {
		t.Error("an admin may not delete what is left behind")
	}
	if page := bob.get(searchesPath).want(200).page(); page.Find("a.btn-danger").Length() != 0 {
		t.Error("a moderator may delete what is left behind")
	}
	// Those of an erased person are seen by nobody.
	storetest.Exec(t, s, "UPDATE users SET erased_at = now() WHERE user_id = $1", account.UserID)
	if all := bob.saved(); len(all) != 0 {
		t.Errorf("of an erased person: %+v", all)
	}
	bob.get(apiPrefix + "/messages?search=" + id).want(404)
	for _, role := range []string{policy.Collector} {
		program(t, server, role).get(searchesAPI).want(403)
	}
	newClient(t, server).get(searchesAPI).want(401)
}

// TestSavedSearchesByLanguage checks that who may act on one language counts and opens
// only what is in it.
func TestSavedSearchesByLanguage(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	role := slices.IndexFunc(actingRoles(t, s), func(p person) bool { return p.languages != nil })
	if role < 0 {
		t.Fatal("no role is limited to a language")
	}
	german, ann := staff(t, server, "german"), staff(t, server, policy.Moderator)
	id := ann.save("watches", "watch", true)
	write(t, s, "a watch", "en")
	write(t, s, "eine watch", "de")
	write(t, s, "noch eine watch", "de-AT")
	german.wantNew("watches", 2)
	ann.wantNew("watches", 3)
	for query, want := range map[string]int{"": 2, "&lang=all": 3, "&lang=en": 1} {
		var list store.List[store.Message]
		german.get(apiPrefix + "/messages?search=" + id + query).want(200).json(&list)
		if len(list.Items) != want {
			t.Errorf("%q finds %d messages, want %d", query, len(list.Items), want)
		}
	}
	to := german.get("/messages?search=" + id).want(303).header.Get("Location")
	if rows := german.get(to).want(200).page().Find(".messages tbody tr").Length(); rows != 2 {
		t.Errorf("%s shows %d messages", to, rows)
	}
}

// TestSavedSearchesAreBounded checks what is counted of many results, in no time, and of
// a line that has become wrong.
func TestSavedSearchesAreBounded(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	c := staff(t, newServer(t, s), policy.Moderator)
	c.save("many", "watch", false)
	c.save("none", "nothing", false)
	c.save("by filters", "lang:en role:assistant", false)
	c.save("by regex", "/w.tch nothing/", false)
	replies := make([]storetest.Node, 150)
	for i := range replies {
		replies[i] = storetest.Node{Text: "a watch", At: time.Now()}
	}
	storetest.Tree(t, s, storetest.Node{Author: storetest.User(t, s, "an author"), Text: "a prompt", At: time.Now(),
		Replies: replies})
	c.wantNew("many", searches.MaxNew)
	c.wantNew("none", 0)
	c.wantNew("by filters", searches.MaxNew)
	c.wantNew("by regex", 0)
	if badges := c.get("/messages").want(200).text(".saved-searches .badge"); badges != "99+ new99+ new" {
		t.Errorf("the badges: %q", badges)
	}
	storetest.Exec(t, s, "UPDATE saved_searches SET query = 'role:nobody' WHERE name = 'none'")
	c.wantNew("none", -1)
	c.wantNew("by regex", 0)
	if row := c.get(searchesPath).want(200).text("tr:contains('role:nobody') [data-label='New results']"); row !=
		"Not counted" {
		t.Errorf("the page says %q", row)
	}
	s.SetSearchTime(time.Nanosecond)
	c.wantNew("by regex", -1)
	c.get("/messages").want(200)
}

// TestSavedSearchPages saves, opens and deletes a search by forms, with hostile names.
func TestSavedSearchPages(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	c := staff(t, newServer(t, s), policy.Moderator)
	write(t, s, "a watch", "en")
	page := c.get("/messages?q=watch&lang=en&deleted=include&label=spam%3C0.5&since=2001-01-01&user=" +
		storetest.User(t, s, "an author").String()).want(200).page()
	form, ok := page.Find(".actions a[href^='/searches/new']").Attr("href")
	if !ok {
		t.Fatal("no link saves the search")
	}
	if line := c.get(form).want(200).page().Find("#search-query").AttrOr("value", ""); !strings.HasPrefix(line,
		"watch lang:en deleted:include label:spam<0.5 user:") || !strings.HasSuffix(line, " since:2001-01-01T00:00:00Z") {
		t.Errorf("the line of the fields: %s", line)
	}
	tree := storetest.Tree(t, s, storetest.Node{Text: "a prompt"})[0].String()
	for _, address := range []string{"/messages", "/messages?sort=old", "/messages?q=a+OR",
		"/messages?q=watch&tree=" + tree} {
		if a := c.get(address); a.page().Find("a[href^='/searches/new']").Length() != 0 {
			t.Errorf("%s can be saved", address)
		}
	}
	names := []string{"<script>alert(1)</script>", "שלום עולם", "\u202eevil\u202c name",
		strings.Repeat("W", searches.MaxName), `a "quoted" name`, "{{.}} %s", "=1+1"}
	for i, name := range names {
		c.post(searchesPath, url.Values{"name": {name}, "query": {fmt.Sprint("watch OR x", i)},
			"return": {"//elsewhere.example/"}}).want(303)
	}
	all := c.saved()
	for i, name := range names {
		saved, ok := all[name]
		if !ok {
			t.Errorf("%q is not listed", name)
			continue
		}
		a := c.get("/messages?search=" + saved.SearchID.String()).want(303)
		to := a.header.Get("Location")
		if to != "/messages?"+(url.Values{"q": {fmt.Sprint("watch OR x", i)}}).Encode() {
			t.Errorf("%q opens %s", name, to)
		}
		shown := c.get(to).want(200)
		sound(t, to, shown)
		here := shown.page().Find(".saved-searches [aria-current]")
		if here.Length() != 1 || !strings.HasSuffix(here.AttrOr("href", ""), saved.SearchID.String()) {
			t.Errorf("%q is not marked as shown", name)
		}
		ask := searchesPath + "/" + saved.SearchID.String() + "/remove?return=" + url.QueryEscape(to)
		sound(t, ask, c.get(ask).want(200))
	}
	for _, address := range []string{"/messages", searchesPath, searchesPath + "?format=csv", searchesPath + "?limit=2"} {
		sound(t, address, c.get(address).want(200))
	}
	if link := c.get(searchesPath+"?limit=2").page().Find("#page-next").AttrOr("href", ""); c.get(searchesPath+link).
		want(200).page().Find("tbody tr").Length() != 2 {
		t.Errorf("the second page of two: %s", link)
	}
	for _, saved := range all {
		ask := c.get(searchesPath + "/" + saved.SearchID.String() + "/remove?return=/messages").want(200).page().
			Find("form.act")
		to := c.post(ask.AttrOr("action", ""), url.Values{"return": {ask.Find("[name=return]").AttrOr("value", "")}}).
			want(303).header.Get("Location")
		if to != "/messages?notice=search-deleted" || !strings.Contains(c.get(to).text("body"), "The search was deleted.") {
			t.Errorf("after deleting: %s", to)
		}
	}
	if left := c.get(searchesPath).want(200); left.page().Find("tbody tr").Length() != 0 ||
		!strings.Contains(left.text("main"), "No saved search yet") {
		t.Errorf("after all were deleted: %s", left.text("main"))
	}
}
