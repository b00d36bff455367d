package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// TestBulkAPI previews and performs bulk acts by the API, and reads its errors.
func TestBulkAPI(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	moderator, lead := staff(t, server, policy.Moderator), staff(t, server, policy.DataLead)
	troll := storetest.User(t, s, "Trollo")
	var ids []string
	for range 3 {
		ids = append(ids, storetest.Tree(t, s, storetest.Node{Author: troll, Text: "buy now"})[0].String())
	}
	own := storetest.Tree(t, s, storetest.Node{Author: moderator.self(), Text: "sell now"})[0].String()
	const path = apiPrefix + "/bulk"
	send := func(c *client, body object, status int) answer {
		t.Helper()
		return c.send(http.MethodPost, path, body).want(status)
	}
	on := object{"filter": object{"q": "buy now"}}
	preview := send(moderator, object{"kind": "delete", "on": on, "preview": true}, 200)
	counts, _ := preview.field("counts").(map[string]any)
	sample, _ := preview.field("sample").([]any)
	if preview.field("expected") != 3.0 || counts["messages"] != 3.0 || counts["trees"] != 3.0 || counts["users"] != 1.0 ||
		len(sample) != 3 || preview.field("preview") != true {
		t.Errorf("the preview is %s", preview.body)
	}
	ban := send(moderator, object{"kind": "ban", "on": object{"ids": []any{ids[0], own}}, "preview": true}, 200)
	counts, _ = ban.field("counts").(map[string]any)
	if protected, _ := counts["protected"].(map[string]any); ban.field("expected") != 1.0 || protected["self"] != 1.0 {
		t.Errorf("the preview of a ban is %s", ban.body)
	}
	for name, body := range map[string]object{
		"kind":     {"kind": "erase", "on": on},
		"on":       {"kind": "delete", "on": object{"filters": object{}}},
		"list":     {"kind": "list", "on": on},
		"until":    {"kind": "ban", "on": on, "until": "2001-01-01T00:00:00Z"},
		"reason":   {"kind": "delete", "on": on, "reason": "x"},
		"expected": {"kind": "delete", "on": on, "expected": -1},
		"when":     {"kind": "delete", "on": on, "when": "now"},
	} {
		if body["reason"] == nil {
			body["reason"] = "a test"
		}
		fields, _ := send(moderator, body, 422).field("error").(map[string]any)["fields"].(map[string]any)
		if fields[name] == nil {
			t.Errorf("%s is not named: %v", name, fields)
		}
	}
	for _, bad := range []object{{"ids": []any{"x"}}, {"filter": object{"lnag": "de"}}, {"ids": []any{}}, {},
		{"ids": []any{ids[0]}, "wave": uuid.NewString()}, {"filter": object{"label": "spam"}}} {
		fields, _ := send(moderator, object{"kind": "delete", "on": bad, "reason": "a test"}, 422).
			field("error").(map[string]any)["fields"].(map[string]any)
		if fields["on"] == nil {
			t.Errorf("%v is accepted, or not named: %v", bad, fields)
		}
	}
	send(lead, object{"kind": "list", "on": on, "reason": "a test", "list": uuid.NewString()}, 403)
	send(moderator, object{"kind": "delete", "on": object{"wave": uuid.NewString()}, "reason": "a test"}, 404)
	conflict, _ := send(moderator, object{"kind": "delete", "on": on, "reason": "a test", "expected": 2}, 409).
		field("error").(map[string]any)
	if conflict["expected"] != 3.0 {
		t.Errorf("the conflict is %v", conflict)
	}

	body := object{"kind": "delete", "on": object{"ids": []any{ids[0], strings.ToUpper(ids[1])}}, "reason": "a test",
		"expected": 2}
	once := func(status int) answer {
		t.Helper()
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		return moderator.do(http.MethodPost, path, bytes.NewReader(text), "application/json", "Idempotency-Key", "once").
			want(status)
	}
	done := once(200)
	if again := once(200); again.field("action").(map[string]any)["id"] !=
		done.field("action").(map[string]any)["id"] {
		t.Errorf("a repeated request acted again: %s", again.body)
	}
	body["reason"] = "another reason"
	once(409)
	action, _ := done.field("action").(map[string]any)
	actionShape.check(t, "the action", action)
	affected, _ := done.field("affected").(map[string]any)
	if affected["messages"] != 2.0 || action["target_type"] != "bulk" || action["undoable"] != true {
		t.Errorf("done: %s", done.body)
	}
	logged := lastAction(t, moderator, uuid.MustParse(ids[0]))
	if logged["id"] != action["id"] || logged["kind"] != "bulk" {
		t.Errorf("the log of a message has %v", logged)
	}
	if logged = lastAction(t, moderator, uuid.MustParse(action["target_id"].(string))); logged["id"] != action["id"] {
		t.Errorf("the log of the act has %v", logged)
	}
	undo := fmt.Sprintf("%s/actions/%v/undo", apiPrefix, action["id"])
	moderator.send(http.MethodPost, undo, object{"reason": "a mistake"}).want(200)
	wantDeleted(t, s, 0)
}

// wantDeleted checks the number of deleted messages.
func wantDeleted(t *testing.T, s *store.Store, want int) {
	t.Helper()
	var n int
	deleted := storetest.DB(t, s).QueryRow(t.Context(), "SELECT count(*) FROM messages WHERE deleted")
	if err := deleted.Scan(&n); err != nil {
		t.Fatal(err)
	}
	if n != want {
		t.Errorf("%d messages are deleted, want %d", n, want)
	}
}

// bulkForm returns the fields of a form, as a browser without scripts sends them.
func bulkForm(page answer, selector string) url.Values {
	values := url.Values{}
	page.page().Find(selector).Find("input[name], select[name]").Each(func(_ int, field *goquery.Selection) {
		name, _ := field.Attr("name")
		value, _ := field.Attr("value")
		if goquery.NodeName(field) == "select" {
			chosen := field.Find("option[selected]")
			if chosen.Length() == 0 {
				chosen = field.Find("option")
			}
			value, _ = chosen.First().Attr("value")
		}
		values.Add(name, value)
	})
	return values
}

// TestBulkPage selects rows of a search, previews what is done with them, does it and
// takes it back.
func TestBulkPage(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c := staff(t, server, policy.Moderator)
	troll := storetest.User(t, s, "Trollo")
	var ids []uuid.UUID
	for i := range 3 {
		ids = append(ids, storetest.Tree(t, s, storetest.Node{Author: troll, Text: fmt.Sprint("buy <b>now</b> ", i)})[0])
	}
	own := storetest.Tree(t, s, storetest.Node{Author: c.self(), Text: "do not buy now"})[0]
	lead := staff(t, server, policy.DataLead)
	if lead.get("/messages").want(200).page().Find("#bulk, [name=id]").Length() != 0 {
		t.Error("a data lead is shown the form")
	}
	search := c.get("/messages?q=buy+now").want(200)
	if boxes := search.page().Find("[name=id][form=bulk]"); boxes.Length() != 4 {
		t.Errorf("%d rows can be selected", boxes.Length())
	}
	form := bulkForm(search, "#bulk")
	form.Set("kind", "delete")
	form.Set("scope", "selected")
	if none := c.post("/bulk", form).want(422); !strings.Contains(none.text("main"), "Select at least one message") {
		t.Errorf("nothing is selected: %s", none.text("main"))
	}
	form["id"] = []string{ids[0].String(), own.String()}
	form.Set("kind", "ban")
	if ban := c.post("/bulk", form).want(200); !strings.Contains(ban.text("main"), "1 message by you") {
		t.Errorf("the preview of a ban says %s", ban.text("main"))
	}
	form["id"] = []string{ids[0].String(), ids[1].String()}
	form.Set("kind", "delete")
	preview := c.post("/bulk", form).want(200)
	if got := preview.text(".numbers"); got != "messages2 trees2 author1" {
		t.Errorf("the numbers are %q", got)
	}
	for _, want := range []string{"buy <b>now</b> 0", "buy <b>now</b> 1"} {
		if !strings.Contains(preview.text("main"), want) {
			t.Errorf("the page does not say %q: %s", want, preview.text("main"))
		}
	}
	confirm := bulkForm(preview, "main form")
	confirm.Set("reason", "x")
	refused := c.post("/bulk", confirm).want(422)
	if v, _ := refused.page().Find("#bulk-reason").Attr("value"); v != "x" || refused.text(".error") == "" {
		t.Errorf("a short reason: %s", refused.text("main"))
	}
	if _, err := s.Act(t.Context(), store.CommandLine,
		store.Act{Kind: "delete", Target: ids[1], Reason: "meanwhile"}); err != nil {
		t.Fatal(err)
	}
	confirm.Set("reason", "a wave of spam")
	changed := c.post("/bulk", confirm).want(409)
	if v, _ := changed.page().Find("#bulk-reason").Attr("value"); v != "a wave of spam" ||
		!strings.Contains(changed.text(".notice"), "changed from 2 to 1") ||
		changed.text(".form-foot button") != "Delete 1 message" {
		t.Errorf("after the number changed: %s", changed.text("main"))
	}
	wantDeleted(t, s, 1)
	confirm = bulkForm(changed, "main form")
	to := c.post("/bulk", confirm).want(303).header.Get("Location")
	wantDeleted(t, s, 2)
	done := c.get(to).want(200)
	if !strings.HasPrefix(to, "/messages?") || !strings.Contains(to, "q=buy+now") ||
		!strings.Contains(done.text(".toast"), "Acted in bulk: delete 1 message") {
		t.Errorf("it leads to %s: %s", to, done.text(".toast"))
	}
	if again := c.post("/bulk", confirm).want(303); again.header.Get("Location") != to {
		t.Errorf("a second click leads to %s", again.header.Get("Location"))
	}
	undo, _ := done.page().Find(".toast form").Attr("action")
	action := c.get(strings.TrimSuffix(undo, "/undo")).want(200)
	if !strings.Contains(action.text("main"), "delete 1 message") {
		t.Errorf("the action's page says %s", action.text("main"))
	}
	if log := c.get("/audit").want(200); !strings.Contains(log.text("main"), "Acted in bulk: delete 1 message") {
		t.Errorf("the log says %s", log.text("main"))
	}
	c.post(undo, url.Values{"reason": {"a mistake"}, "return": {"/messages"}}).want(303)
	wantDeleted(t, s, 1)
}

// TestBulkPageOnAll acts on all that a search finds: the person types the number, and a
// moderator may not act on so many.
func TestBulkPageOnAll(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	moderator, admin := staff(t, server, policy.Moderator), staff(t, server, policy.Admin)
	author := storetest.User(t, s, "Trollo")
	tree := storetest.Tree(t, s,
		storetest.Node{Author: author, Replies: slices.Repeat([]storetest.Node{{Author: author}}, 501)})
	search := "/messages?tree=" + tree[0].String()
	if all := moderator.get("/messages").want(200); all.page().Find("#bulk [value=all]").Length() != 0 {
		t.Error("without a filter, all messages are one click away")
	}
	ask := func(c *client, kind string) answer {
		form := bulkForm(c.get(search).want(200), "#bulk")
		form.Set("kind", kind)
		form.Set("scope", "all")
		return c.post("/bulk", form).want(200)
	}
	refused := ask(moderator, "delete")
	if refused.page().Find("main form").Length() != 0 || !strings.Contains(refused.text(".notice"), "up to 100 at once") {
		t.Errorf("a moderator is shown %s", refused.text("main"))
	}
	preview := ask(admin, "delete")
	confirm := bulkForm(preview, "main form")
	confirm.Set("reason", "a wave of spam")
	confirm.Set("typed", "501")
	if wrong := admin.post("/bulk", confirm).want(422); !strings.Contains(wrong.text("#bulk-typed-more"), "502") {
		t.Errorf("another number: %s", wrong.text("main"))
	}
	confirm.Set("typed", "502")
	job := admin.post("/bulk", confirm).want(303).header.Get("Location")
	if !strings.HasPrefix(job, "/jobs/") || !strings.Contains(admin.get(job).want(200).text("#job"), "0 of 502 messages") {
		t.Fatalf("it leads to %s", job)
	}
	if err := s.RunJobs(t.Context()); err != nil {
		t.Fatal(err)
	}
	page := admin.get(job).want(200)
	if !strings.Contains(page.text("#job"), "All of 502 messages") || page.page().Find("#job-undo").Length() != 1 {
		t.Errorf("then the job says %s", page.text("#job"))
	}
	wantDeleted(t, s, 502)
}

// TestBulkJobsNameWhatTheyCount looks at the pages of bulk acts on 501 trees and authors, and
// at those of their undos.
func TestBulkJobsNameWhatTheyCount(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	admin := staff(t, newServer(t, s), policy.Admin)
	for i := range 501 {
		author := storetest.User(t, s, fmt.Sprint("Author ", i))
		storetest.Tree(t, s, storetest.Node{Author: author, Text: "buy now"})
	}
	finished := func(to string) string {
		t.Helper()
		if err := s.RunJobs(t.Context()); err != nil {
			t.Fatal(err)
		}
		return admin.get(to).want(200).text("#job")
	}
	for kind, want := range map[string]string{"halt": "501 trees", "ban": "501 users"} {
		form := bulkForm(admin.get("/messages?q=buy").want(200), "#bulk")
		form.Set("kind", kind)
		form.Set("scope", "all")
		confirm := bulkForm(admin.post("/bulk", form).want(200), "main form")
		confirm.Set("reason", "a wave of spam")
		confirm.Set("typed", "501")
		to := admin.post("/bulk", confirm).want(303).header.Get("Location")
		if got := admin.get(to).want(200).text("#job"); !strings.Contains(got, "0 of "+want) {
			t.Errorf("the job of %s says %s", kind, got)
		}
		if got := finished(to); !strings.Contains(got, "All of "+want) {
			t.Errorf("after %s, its job says %s", kind, got)
		}
		href, _ := admin.get(to).page().Find("#job-undo").Attr("href")
		path, _, _ := strings.Cut(href, "?")
		undo := admin.post(path, url.Values{"reason": {"a mistake"}}).want(303).header.Get("Location")
		if got := admin.get(undo).want(200).text("#job"); !strings.Contains(got, "0 of "+want) {
			t.Errorf("the job of the undo of %s says %s", kind, got)
		}
		if got := finished(undo); !strings.Contains(got, "All of "+want) {
			t.Errorf("after the undo of %s, its job says %s", kind, got)
		}
	}
}

// TestBulkPageToList adds selected messages to a list that the page asks for, and bans
// with an end.
func TestBulkPageToList(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c := staff(t, server, policy.Moderator)
	troll := storetest.User(t, s, "Trollo")
	id := storetest.Tree(t, s, storetest.Node{Author: troll, Text: "buy now"})[0]
	name, kind, list := "Spam", "bad", uuid.New()
	if _, err := s.Act(t.Context(), store.CommandLine, store.Act{Kind: "create_list", Target: list,
		Params: store.ListParams{Name: &name, Kind: &kind}}); err != nil {
		t.Fatal(err)
	}
	form := bulkForm(c.get("/messages").want(200), "#bulk")
	form.Set("scope", "selected")
	form.Set("id", id.String())
	form.Set("kind", "list")
	choose := bulkForm(c.post("/bulk", form).want(200), "main form")
	choose.Set("list", list.String())
	choose.Set("preview", "true")
	confirm := bulkForm(c.post("/bulk", choose).want(200), "main form")
	confirm.Set("reason", "for later")
	c.post("/bulk", confirm).want(303)
	if page := c.get("/lists/" + list.String()).want(200); !strings.Contains(page.text("main"), "buy now") {
		t.Errorf("the list has %s", page.text("main"))
	}

	form.Set("kind", "ban")
	confirm = bulkForm(c.post("/bulk", form).want(200), "main form")
	confirm.Set("reason", "a wave of spam")
	confirm.Set("until", "2001-01-01T10:00")
	if wrong := c.post("/bulk", confirm).want(422); !strings.Contains(wrong.text("#bulk-until-more"), "in the future") {
		t.Errorf("an end in the past: %s", wrong.text("main"))
	}
	confirm.Set("until", "2999-01-01T10:00")
	c.post("/bulk", confirm).want(303)
	if user := c.get("/users/" + troll.String()).want(200); !strings.Contains(user.text("main"), "2999") {
		t.Errorf("the user is %s", user.text("main"))
	}
}

// TestBulkPageClosesCases closes the open cases of deleted messages unless the person
// unchecks the box, and refuses to act on others than those of the preview.
func TestBulkPageClosesCases(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c := staff(t, server, policy.Moderator)
	troll, rater := storetest.User(t, s, "Trollo"), storetest.User(t, s, "Rater")
	var ids []uuid.UUID
	for range 3 {
		id := storetest.Tree(t, s, storetest.Node{Author: troll, Text: "buy now"})[0]
		ids = append(ids, id)
		storetest.Report(t, s, id, rater, "spam", time.Now())
	}
	if err := s.RebuildScores(t.Context()); err != nil {
		t.Fatal(err)
	}
	open := func() (n int) {
		t.Helper()
		if err := storetest.DB(t, s).QueryRow(t.Context(),
			"SELECT count(*) FROM cases WHERE status = 'open'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	form := bulkForm(c.get("/messages?q=buy").want(200), "#bulk")
	form.Set("kind", "delete")
	form.Set("scope", "selected")
	form["id"] = []string{ids[0].String(), ids[1].String()}
	preview := c.post("/bulk", form).want(200)
	box := preview.page().Find("[name=close_cases]")
	if _, checked := box.Attr("checked"); !checked ||
		!strings.Contains(preview.text(".check"), "the 2 open cases that this") {
		t.Errorf("the form offers %q", preview.text(".check"))
	}
	confirm := bulkForm(preview, "main form")
	confirm.Del("close_cases")
	confirm.Set("reason", "x")
	refused := c.post("/bulk", confirm).want(422)
	if _, checked := refused.page().Find("[name=close_cases]").Attr("checked"); checked {
		t.Error("the refused form checks the box again")
	}

	// As many others: the second goes, and the third comes.
	confirm["id"] = []string{ids[0].String(), ids[2].String()}
	confirm.Set("reason", "a wave of spam")
	changed := c.post("/bulk", confirm).want(409)
	if !strings.Contains(changed.text(".notice"), "as many, but not the same") {
		t.Errorf("on others: %s", changed.text(".notice"))
	}
	confirm.Del("expected") // which only a program leaves out
	c.post("/bulk", confirm).want(409)
	wantDeleted(t, s, 0)
	confirm = bulkForm(changed, "main form")
	confirm.Set("close_cases", "true")
	to := c.post("/bulk", confirm).want(303).header.Get("Location")
	wantDeleted(t, s, 2)
	if n := open(); n != 1 {
		t.Errorf("%d cases are open, want 1", n)
	}
	undo, _ := c.get(to).want(200).page().Find(".toast form").Attr("action")
	c.post(undo, url.Values{"reason": {"a mistake"}, "return": {"/messages"}}).want(303)
	if n := open(); n != 3 {
		t.Errorf("after the undo %d cases are open, want 3", n)
	}

	// By the API the choice and the set are optional.
	body := object{"kind": "reject", "on": object{"ids": []any{ids[0], ids[1]}}, "preview": true}
	answer := c.send(http.MethodPost, apiPrefix+"/bulk", body).want(200)
	delete(body, "preview")
	body["reason"], body["expected"], body["set"] = "a test", answer.field("expected"), answer.field("set")
	body["close_cases"] = true
	body["on"] = object{"ids": []any{ids[0], ids[2]}}
	conflict, _ := c.send(http.MethodPost, apiPrefix+"/bulk", body).want(409).field("error").(map[string]any)
	if conflict["expected"] != 2.0 {
		t.Errorf("on others by the API: %v", conflict)
	}
	body["on"] = object{"ids": []any{ids[1], ids[0]}}
	c.send(http.MethodPost, apiPrefix+"/bulk", body).want(200)
	if n := open(); n != 1 {
		t.Errorf("by the API %d cases are left, want 1", n)
	}
}
