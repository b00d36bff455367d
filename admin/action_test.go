package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// thread makes a tree by one author with replies by another, and returns the
// author and the ids: the prompt, its reply, and the reply's reply.
func thread(t *testing.T, s *store.Store) (author uuid.UUID, ids []uuid.UUID) {
	t.Helper()
	author = storetest.User(t, s, "Mallory")
	other := storetest.User(t, s, "Ada")
	return author, storetest.Tree(t, s, storetest.Node{Author: author, Text: "How do bees sleep?",
		Replies: []storetest.Node{
			{Author: other, Text: "Upside down.", Replies: []storetest.Node{{Author: author, Text: "Nonsense!"}}},
		}})
}

// TestActByForm follows an action in a browser: the form with its numbers, the
// act, the notice, and the undo.
func TestActByForm(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c := staff(t, server, policy.Moderator)
	_, ids := thread(t, s)
	path := "/messages/" + ids[1].String() + "/delete"

	form := c.get(path + "?return=/messages%3Fq%3Dbees").want(200)
	numbers := form.page().Find(".numbers dd")
	if numbers.Eq(0).Text() != "2" || numbers.Eq(1).Text() != "1" {
		t.Errorf("the form says %s", form.text(".numbers"))
	}
	if button := form.text(".dialog-foot button.btn-danger"); button != "Delete" {
		t.Errorf("the button is named %q", button)
	}
	send := url.Values{}
	form.page().Find("form[data-act] input").Each(func(_ int, input *goquery.Selection) {
		if name, ok := input.Attr("name"); ok {
			value, _ := input.Attr("value")
			send.Set(name, value)
		}
	})
	send.Set("reason", "no")
	short := c.post(path, send).want(422)
	if value, _ := short.page().Find("#act-reason").Attr("value"); value != "no" ||
		short.text("#act-reason-more .error") == "" {
		t.Errorf("a short reason comes back as %q with %q", value, short.text("#act-reason-more"))
	}

	send.Set("reason", "Rude and wrong")
	to := c.post(path, send).want(303).header.Get("Location")
	if !strings.HasPrefix(to, "/messages?") || !strings.Contains(to, "q=bees") || !strings.Contains(to, "done=") {
		t.Fatalf("led back to %s", to)
	}
	if again := c.post(path, send).want(303).header.Get("Location"); again != to {
		t.Errorf("a double click acted twice: %s, then %s", to, again)
	}
	page := c.get(to).want(200)
	if text := page.text(".toast"); !strings.Contains(text, "Deleted the message “Upside down.” (2 messages, 1 by "+
		"others)") || !strings.Contains(text, "Undo") {
		t.Errorf("the news: %s", text)
	}
	// Other people get no notice.
	if text := staff(t, server, policy.Admin).get(to).want(200).text(".toast"); text != "" {
		t.Errorf("somebody else is told %q", text)
	}
	undo := page.page().Find(".toast form")
	address, _ := undo.Attr("action")
	back, _ := undo.Find("input[name=return]").Attr("value")
	if back != "/messages?q=bees" {
		t.Errorf("the undo leads back to %s", back)
	}
	reason, _ := undo.Find("input[name=reason]").Attr("value")
	to = c.post(address, url.Values{"reason": {reason}, "return": {back}}).want(303).header.Get("Location")
	if text := c.get(to).want(200).text(".toast"); !strings.Contains(text, "Undid") || strings.Contains(text, "Undo ") {
		t.Errorf("after the undo: %s", text)
	}
	if m, err := s.Message(t.Context(), store.System, ids[2]); err != nil || m.Deleted {
		t.Errorf("the reply's reply is still deleted (%v)", err)
	}
	// The form offers the last used reason.
	if offered := c.get(path).want(200).page().Find("datalist option").First(); attr(offered,
		"value") != "Rude and wrong" {
		t.Errorf("offered: %q", attr(offered, "value"))
	}
}

// TestDialog checks that a script gets only the form, and after the act the
// next address.
func TestDialog(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c := staff(t, server, policy.Moderator)
	author, _ := thread(t, s)
	path := "/users/" + author.String() + "/ban"
	part := c.do(http.MethodGet, path+"?return=/trollboard&messages=delete&trees=halt",
		nil, "", "X-Partial", "dialog").want(200)
	if strings.Contains(part.body, "<html") || part.text("h2") != "Ban user" {
		t.Errorf("the dialog: %.300s", part.body)
	}
	if numbers := part.text(".numbers dd"); numbers != "1311" {
		t.Errorf("the numbers are %s (%s)", numbers, part.text(".numbers"))
	}
	send := func(reason string) answer {
		return c.do(http.MethodPost, path, strings.NewReader(url.Values{"reason": {reason},
			"return": {"/trollboard"}, "for": {"week"}}.Encode()),
			"application/x-www-form-urlencoded", "X-Partial", "dialog")
	}
	if bad := send("x").want(422); strings.Contains(bad.body, "<html") || bad.text(".error") == "" {
		t.Errorf("a wrong field in a dialog: %.300s", bad.body)
	}
	if to := send("Insults people").want(204).header.Get("X-Location"); !strings.HasPrefix(to, "/trollboard?done=") {
		t.Errorf("the dialog leads to %q", to)
	}
	user, err := s.User(t.Context(), store.System, author, scoring.Treewarden)
	if err != nil || user.Ban == nil || user.Ban.Until == nil {
		t.Fatalf("not banned for a time: %v", err)
	}
	if days := time.Until(*user.Ban.Until).Hours() / 24; days < 7 || days > 7.1 {
		t.Errorf("banned for %.2f days, want 7", days)
	}
	path = "/users/" + author.String() + "/unban"
	send("They apologised").want(204)
	if late := send("They apologised").want(409); strings.Contains(late.body, "<html") ||
		!strings.Contains(late.text(".notice"), "Unbanned Mallory") {
		t.Errorf("too late: %s", late.text("*"))
	}
}

// TestBanLengths checks the ends of bans that the form's choices result in.
func TestBanLengths(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c := staff(t, server, policy.Moderator)
	for _, test := range []struct {
		form   url.Values
		status int
		until  string
	}{
		{url.Values{}, 303, ""},
		{url.Values{"for": {"date"}, "until": {"2099-03-01T12:30"}}, 303, "2099-03-01T12:30:00Z"},
		{url.Values{"for": {"date"}}, 422, ""},
		{url.Values{"for": {"date"}, "until": {"next week"}}, 422, ""},
		{url.Values{"for": {"date"}, "until": {"2001-01-01T00:00"}}, 422, ""},
		{url.Values{"for": {"ever"}}, 422, ""},
		{url.Values{"messages": {"burn"}}, 422, ""},
	} {
		user := storetest.User(t, s, "Mallory")
		test.form.Set("reason", "Insults people")
		a := c.post("/users/"+user.String()+"/ban", test.form)
		if a.status != test.status {
			t.Errorf("%v: %d, want %d", test.form, a.status, test.status)
			continue
		}
		if a.status == 422 {
			if a.page().Find(".error").Length() == 0 {
				t.Errorf("%v: nothing is said beside a field: %s", test.form, a.text("main"))
			}
			continue
		}
		found, err := s.User(t.Context(), store.System, user, scoring.Treewarden)
		if err != nil || found.Ban == nil {
			t.Fatalf("%v: not banned (%v)", test.form, err)
		}
		until := ""
		if found.Ban.Until != nil {
			until = found.Ban.Until.UTC().Format(time.RFC3339)
		}
		if until != test.until {
			t.Errorf("%v: until %q, want %q", test.form, until, test.until)
		}
	}
}

// TestActByAPI checks the form of the API's answers.
func TestActByAPI(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c := staff(t, server, policy.Moderator)
	author, ids := thread(t, s)
	message := apiPrefix + "/messages/" + ids[0].String()

	preview := c.send("POST", message+"/delete", map[string]any{"reason": "a look first", "preview": true}).want(200)
	if preview.field("affected", "messages") != 3.0 || preview.field("affected", "others_messages") != 1.0 ||
		preview.field("preview") != true {
		t.Errorf("the preview: %s", preview.body)
	}
	if c.get(message).want(200).field("deleted") != false {
		t.Fatal("the preview deleted the message")
	}
	done := c.send("POST", message+"/delete", map[string]any{"reason": "off topic"}).want(200)
	id, ok := done.field("action", "id").(float64)
	if !ok || done.field("action", "kind") != "delete" || done.field("action", "undoable") != true ||
		done.field("affected", "messages") != 3.0 {
		t.Fatalf("the answer: %s", done.body)
	}
	late := c.send("POST", message+"/delete", map[string]any{"reason": "off topic"}).want(409)
	if late.field("error", "code") != "conflict" || late.field("error", "version") == nil ||
		late.field("error", "action", "id") != id {
		t.Errorf("the second of two: %s", late.body)
	}
	undone := c.send("POST", fmt.Sprintf("%s/actions/%.0f/undo", apiPrefix, id),
		map[string]any{"reason": "a mistake"}).want(200)
	if undone.field("action", "undoes") != id || undone.field("affected", "messages") != 3.0 {
		t.Errorf("the undo: %s", undone.body)
	}

	c.send("POST", message+"/edit", map[string]any{"reason": "a typo",
		"text": "How do bees dream?", "version": 1}).want(409)
	version := c.get(message).want(200).field("version")
	c.send("POST", message+"/edit", map[string]any{"reason": "a typo",
		"text": "How do bees dream?", "version": version}).want(200)
	if c.get(message).field("text") != "How do bees dream?" {
		t.Error("the text was not changed")
	}
	labelled := c.send("POST", message+"/labels", map[string]any{"labels": map[string]any{"spam": 1,
		"quality": 0.25}}).want(200)
	if labelled.field("labels", "spam", "value") != 1.0 || labelled.field("message_id") != ids[0].String() {
		t.Errorf("labels answer %s", labelled.body)
	}
	reacted := c.send("POST", message+"/reactions", map[string]any{"emoji": "+1", "op": "add"}).want(200)
	if reacted.field("emojis", "+1") != 1.0 {
		t.Errorf("reactions answer %s", reacted.body)
	}
	if reported := c.send("POST", message+"/report",
		map[string]any{"reason": "Look at this"}).want(200); reported.field("open_reports") != 1.0 {
		t.Errorf("report answers %s", reported.body)
	}
	c.send("POST", message+"/review", map[string]any{"reason": "spam", "result": "rejected"}).want(200)
	c.send("POST", apiPrefix+"/trees/"+ids[0].String()+"/halt", map[string]any{"reason": "runs away"}).want(200)
	c.send("POST", apiPrefix+"/trees/"+ids[0].String()+"/resume", map[string]any{"reason": "calmed down"}).want(200)
	c.send("POST", apiPrefix+"/users/"+author.String()+"/ban",
		map[string]any{"reason": "insults", "until": "2099-01-01T00:00:00Z"}).want(200)
	c.send("POST", apiPrefix+"/users/"+author.String()+"/unban", map[string]any{"reason": "apologised"}).want(200)
}

// TestIdempotencyKey checks that a repeated call acts once.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c := staff(t, server, policy.Moderator)
	user := storetest.User(t, s, "Mallory")
	send := func(key, reason string) answer {
		return c.do(http.MethodPost, apiPrefix+"/users/"+user.String()+"/ban", strings.NewReader(`{"reason": "`+reason+`"}`),
			"application/json", "Idempotency-Key", key)
	}
	first := send("k1", "insults").want(200).field("action", "id")
	if second := send("k1", "insults").want(200).field("action", "id"); second != first {
		t.Errorf("two actions: %v and %v", first, second)
	}
	send("k1", "another reason").want(409)
	if third := send("k2", "insults").want(200).field("action", "id"); third == first {
		t.Errorf("another key answers the same action: %v", third)
	}
	send("ключ", "insults").want(400)
	send(strings.Repeat("k", 201), "insults").want(400)
}

// TestWrongBodies sends invalid bodies to the API. The answer is a 4xx that
// names the field, never a 500.
func TestWrongBodies(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	c := staff(t, server, policy.Moderator)
	_, ids := thread(t, s)
	path := apiPrefix + "/messages/" + ids[0].String()
	for _, test := range []struct {
		verb, body string
		status     int
		field      string
	}{
		{"delete", ``, 422, "reason"},
		{"delete", `{}`, 422, "reason"},
		{"delete", `{"reason": "ab"}`, 422, "reason"},
		{"delete", `{"reason": "` + strings.Repeat("a", 501) + `"}`, 422, "reason"},
		{"delete", `{"reason": 7}`, 422, "reason"},
		{"delete", `{"reason": null}`, 422, "reason"},
		{"delete", `{"reason": "abc\u0000"}`, 422, "reason"},
		{"delete", `{"raeson": "abc"}`, 422, "raeson"},
		{"delete", `{"reason": "abc", "preview": "yes"}`, 422, "preview"},
		{"delete", `{"reason": "abc", "version": 1.5}`, 422, "version"},
		{"delete", `{"reason": "abc", "version": 99999999999999999999}`, 422, "version"},
		{"delete", `[]`, 400, ""},
		{"delete", `"abc"`, 400, ""},
		{"delete", `{"reason": "abc"`, 400, ""},
		{"delete", `{"reason": "abc"} {}`, 400, ""},
		{"delete", "{\"reason\": \"ab\xff\"}", 400, ""},
		{"delete", strings.Repeat("[", 100_000), 400, ""},
		{"edit", `{"reason": "abc"}`, 422, "text"},
		{"edit", `{"reason": "abc", "text": "a\u0000b"}`, 422, "text"},
		{"edit", `{"reason": "abc", "text": "   "}`, 422, "text"},
		{"review", `{"reason": "abc", "result": "great"}`, 422, "result"},
		{"review", `{"reason": "abc"}`, 422, "result"},
		{"labels", `{"labels": {"spam": 2}}`, 422, "labels"},
		{"labels", `{"labels": {"sp\u0000am": 1}}`, 422, "labels"},
		{"labels", `{"labels": {"spam": "much"}}`, 422, "labels"},
		{"labels", `{"labels": [1]}`, 422, "labels"},
		{"labels", `{"labels": {}}`, 422, "labels"},
		{"reactions", `{"emoji": "bomb", "op": "add"}`, 422, "emoji"},
		{"reactions", `{"emoji": "+1", "op": "toggle"}`, 422, "op"},
		{"report", `{}`, 422, "reason"},
	} {
		a := c.send("POST", path+"/"+test.verb, test.body)
		name := fmt.Sprintf("%s %.80s", test.verb, test.body)
		if a.status != test.status {
			t.Errorf("%s: %d, want %d: %.300s", name, a.status, test.status, a.body)
			continue
		}
		if test.field != "" {
			if fields, _ := a.field("error", "fields").(map[string]any); fields[test.field] == nil {
				t.Errorf("%s: %s is not named: %s", name, test.field, a.body)
			}
		}
	}
	if c.get(path).field("deleted") != false {
		t.Error("one of these deleted the message")
	}
	for _, body := range []string{`{"reason": "abc", "until": "tomorrow"}`, `{"reason": "abc", "until": 7}`,
		`{"reason": "abc", "until": "2001-01-01T00:00:00Z"}`, `{"reason": "abc", "messages": "burn"}`,
		`{"reason":"abc","trees":true}`} {
		user := storetest.User(t, s, "Mallory")
		if a := c.send("POST", apiPrefix+"/users/"+user.String()+"/ban", body); a.status != 400 && a.status != 422 {
			t.Errorf("ban %s: %d", body, a.status)
		}
	}
	for _, id := range []string{"0", "-1", "abc", "99999999999999999999", "%00"} {
		c.send("POST", apiPrefix+"/actions/"+id+"/undo", map[string]any{"reason": "abc"}).want(400)
	}
	c.send("POST", apiPrefix+"/actions/12345/undo", map[string]any{"reason": "abc"}).want(404)
}

// TestEditConflict checks that the second of two editors sees the change of the
// first and keeps the typed text.
func TestEditConflict(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	first, second := staff(t, server, policy.Moderator), staff(t, server, policy.Moderator)
	_, ids := thread(t, s)
	path := "/messages/" + ids[0].String() + "/edit"
	seen := attr(second.get(path).want(200).page().Find("input[name=version]"), "value")
	first.post(path, url.Values{"text": {"The first text"}, "reason": {"a typo"}, "version": {seen}}).want(303)
	late := second.post(path, url.Values{"text": {"The second text"},
		"reason": {"another typo"}, "version": {seen}}).want(409)
	if text := late.text(".notice"); !strings.Contains(text, "Edited") || !strings.Contains(text, "a typo") {
		t.Errorf("the second is told %q", text)
	}
	if typed := late.text("textarea"); typed != "The second text" {
		t.Errorf("what was typed comes back as %q", typed)
	}
	now := attr(late.page().Find("input[name=version]"), "value")
	if now == seen {
		t.Error("the form still speaks of the old version")
	}
	second.post(path, url.Values{"text": {"The second text"}, "reason": {"another typo"}, "version": {now}}).want(303)
}

// TestRankRulesOnPages checks that pages explain the rank rules.
func TestRankRulesOnPages(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	actor := storetest.Staff(t, s, policy.Moderator)
	c := signedIn(t, server, actor)
	other := storetest.Staff(t, s, policy.Moderator)
	if text := c.get("/users/" + other.UserID.String() + "/ban").want(403).text("main"); !strings.Contains(text,
		"rank is not below yours") {
		t.Errorf("says %s", text)
	}
	if text := c.get("/users/" + actor.UserID.String() + "/ban").want(403).text("main"); !strings.Contains(text,
		"Nobody may act on themselves") {
		t.Errorf("says %s", text)
	}
}
