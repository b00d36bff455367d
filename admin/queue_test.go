package admin

import (
	"fmt"
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

// flagged is a store with a queue of three cases: two of a troll, one of another author.
type flagged struct {
	server     *Server
	troll      uuid.UUID
	messages   []uuid.UUID // the troll's two, the other one's
	rater      uuid.UUID
	moderator  *client
	moderator2 *client
}

func newFlagged(t *testing.T) flagged {
	t.Helper()
	s := storetest.New(t)
	f := flagged{server: newServer(t, s), troll: storetest.User(t, s, "Troll"), rater: storetest.User(t, s, "Rater")}
	other, second := storetest.User(t, s, "Other"), storetest.User(t, s, "Second")
	first := storetest.Tree(t, s, storetest.Node{Author: f.troll, Text: "buy pills",
		Replies: []storetest.Node{{Author: other, Text: "no"}, {Author: f.troll, Text: "buy more pills"}}})
	f.messages = []uuid.UUID{first[0], first[2], first[1]}
	for i, message := range f.messages {
		storetest.Report(t, s, message, f.rater, fmt.Sprint("reason ", i), time.Now())
	}
	storetest.Report(t, s, first[0], second, "really", time.Now())
	storetest.React(t, s, first[0], second, "red_flag", time.Now())
	f.moderator, f.moderator2 = staff(t, f.server, policy.Moderator), staff(t, f.server, policy.Moderator)
	return f
}

// cases returns the ids of the open cases by message.
func (f flagged) cases(t *testing.T) map[uuid.UUID]int64 {
	t.Helper()
	var list store.List[store.Case]
	f.moderator.get("/api/v1/queue").want(200).json(&list)
	found := map[uuid.UUID]int64{}
	for _, c := range list.Items {
		found[c.MessageID] = c.ID
	}
	return found
}

// TestQueueByAPI claims, releases, decides and undoes cases by the API.
func TestQueueByAPI(t *testing.T) {
	t.Parallel()
	f := newFlagged(t)
	open := f.cases(t)
	if len(open) != 3 {
		t.Fatalf("%d cases are open", len(open))
	}
	path := fmt.Sprintf("/api/v1/queue/%d", open[f.messages[0]])
	var c store.Case
	f.moderator.send("POST", path+"/claim", "").want(200).json(&c)
	if c.ClaimedBy == nil || c.ClaimedUntil == nil || c.Reporters != 2 || len(c.Reports) != 2 || c.Priority == nil {
		t.Errorf("claimed: %+v", c)
	}
	f.moderator2.send("POST", path+"/claim", "").want(409)
	resolve := map[string]any{"outcome": "delete", "reason": "spam"}
	f.moderator2.send("POST", path+"/resolve", resolve).want(409)
	f.moderator.send("POST", path+"/release", "").want(200)
	f.moderator2.send("POST", path+"/claim", "").want(200)
	f.moderator.send("POST", path+"/resolve", resolve).want(409)
	f.moderator2.send("POST", path+"/resolve", map[string]any{"outcome": "delete"}).want(422)
	f.moderator2.send("POST", path+"/resolve", map[string]any{"outcome": "forget", "reason": "spam"}).want(422)
	preview := f.moderator2.send("POST", path+"/resolve", map[string]any{"outcome": "delete", "preview": true}).want(200)
	done := f.moderator2.send("POST", path+"/resolve", resolve).want(200)
	if preview.field("affected", "messages") != done.field("affected", "messages") ||
		done.field("affected", "messages") != 3.0 {
		t.Errorf("previewed %v, done %v", preview.field("affected"), done.field("affected"))
	}
	if left := f.cases(t); len(left) != 2 {
		t.Errorf("%d cases are left, want 2", len(left))
	}
	if status := f.moderator.get(path).want(200).field("status"); status != "decided" {
		t.Errorf("the case is %v", status)
	}
	f.moderator.send("POST", path+"/claim", "").want(409)
	f.moderator2.send("POST", fmt.Sprintf("/api/v1/actions/%v/undo", done.field("action", "id")),
		map[string]any{"reason": "a mistake"}).want(200)
	if back := f.cases(t); len(back) != 3 || back[f.messages[0]] != open[f.messages[0]] {
		t.Errorf("after the undo %v are open", back)
	}
	for query, want := range map[string]int{
		"": 3, "?kind=red_flag": 1, "?kind=report": 3, "?user=" + f.troll.String(): 2, "?lang=de": 0, "?limit=2": 2,
		"?sort=oldest": 3, "?assigned=me": 0, "?frame=day": 3,
	} {
		var list store.List[store.Case]
		f.moderator.get("/api/v1/queue" + query).want(200).json(&list)
		if len(list.Items) != want {
			t.Errorf("%q finds %d cases, want %d", query, len(list.Items), want)
		}
	}
	for _, query := range []string{"?sort=newest", "?kind=x", "?assigned=x", "?frame=year", "?cursor=x", "?what=x"} {
		f.moderator.get("/api/v1/queue" + query).want(400)
	}
	lead := staff(t, f.server, policy.DataLead)
	lead.get("/api/v1/queue").want(200)
	lead.send("POST", path+"/claim", "").want(403)
	lead.send("POST", path+"/resolve", resolve).want(403)
	f.moderator.send("POST", "/api/v1/queue/999999/claim", "").want(404)
	f.moderator.get("/api/v1/queue/x").want(400)
}

// TestQueueByForms works through the queue without scripts: each decision opens the
// next case, until none is left.
func TestQueueByForms(t *testing.T) {
	t.Parallel()
	f := newFlagged(t)
	page := f.moderator.get("/queue").want(200)
	if lines := page.page().Find(".queue-line").Length(); lines != 2 {
		t.Errorf("%d lines, want one for each author", lines)
	}
	if text := page.text(".queue-lines"); !strings.Contains(text, "2 cases · 2 reporters") {
		t.Errorf("the lines say %q", text)
	}
	at := f.moderator.post("/queue/next", nil).want(303).header.Get("Location")
	var decided []string
	for at != "" && strings.Contains(at, "/queue/") {
		shown := f.moderator.get(at).want(200)
		panel := shown.page().Find("[data-case]")
		if _, mine := panel.Attr("data-mine"); !mine {
			t.Fatalf("nobody holds the case at %s", at)
		}
		form := panel.Find("form[data-decide]")
		if refused := f.moderator.post(attr(form, "action"), url.Values{"outcome": {"dismiss"}}).want(422); !strings.Contains(
			refused.text(".error"), "reason") {
			t.Errorf("a decision without a reason: %s", refused.text(".error"))
		}
		decided = append(decided, attr(panel, "data-case"))
		sent := url.Values{"outcome": {"dismiss"}, "reason": {"Nothing wrong"},
			"key": {attr(form.Find("[name=key]"), "value")}}
		at = f.moderator.post(attr(form, "action"), sent).want(303).header.Get("Location")
		// A double click decides nothing more, and claims no other case.
		again := f.moderator.post(attr(form, "action"), sent).want(303).header.Get("Location")
		var held store.List[store.Case]
		f.moderator.get("/api/v1/queue?assigned=me").want(200).json(&held)
		if !strings.HasPrefix(again, "/queue?done=") || len(held.Items) > 1 {
			t.Errorf("after a double click %s is open, and %d cases are held", again, len(held.Items))
		}
	}
	if len(decided) != 3 || !strings.HasPrefix(at, "/queue?done=") {
		t.Errorf("decided %v, then %s", decided, at)
	}
	last := f.moderator.get(at).want(200)
	if last.page().Find(".queue-line").Length() != 0 || !strings.Contains(last.text(".toast"), "Undo") {
		t.Errorf("the end of the queue: %s", last.text("main"))
	}
	if _, differences, err := f.server.store.VerifyLog(t.Context(), nil); err != nil || len(differences) > 2 {
		t.Errorf("the log: %v, %v", differences, err)
	}
}

// TestCaseShowsWhatItIsAbout checks the parts of an open case.
func TestCaseShowsWhatItIsAbout(t *testing.T) {
	t.Parallel()
	f := newFlagged(t)
	id := f.cases(t)[f.messages[0]]
	panel := f.moderator.get(fmt.Sprintf("/queue/%d", id)).want(200)
	for selector, want := range map[string]string{
		".case .thread":     "buy pills",
		".case-side":        "reason 0",
		".priority":         "Author's score",
		".author-card":      "Troll",
		".case-decide":      "The same for all 2 open cases of the author",
		".case-head":        "Work on this case",
		".case-side .small": "no decided case yet",
	} {
		if text := panel.text(selector); !strings.Contains(text, want) {
			t.Errorf("%s says %q, want %q", selector, text, want)
		}
	}
	f.moderator2.send("POST", fmt.Sprintf("/api/v1/queue/%d/claim", id), "").want(200)
	held := f.moderator.get(fmt.Sprintf("/queue/%d", id)).want(200)
	if !strings.Contains(held.text(".case-head"), "works on this case") || held.page().Find(".case-decide").Length() != 0 {
		t.Errorf("a case that somebody else holds: %s", held.text(".case"))
	}
}

// TestMyDecisions checks the page of a person's own decisions, and that signing out
// leaves their cases to others.
func TestMyDecisions(t *testing.T) {
	t.Parallel()
	f := newFlagged(t)
	open := f.cases(t)
	resolve := func(message uuid.UUID, outcome string) float64 {
		path := fmt.Sprintf("/api/v1/queue/%d/resolve", open[message])
		done := f.moderator.send("POST", path, map[string]any{"outcome": outcome, "reason": "a reason"}).want(200)
		id, _ := done.field("action", "id").(float64)
		return id
	}
	dismissed := resolve(f.messages[0], "dismiss")
	resolve(f.messages[2], "delete")
	admin := staff(t, f.server, policy.Admin)
	admin.send("POST", fmt.Sprintf("/api/v1/actions/%v/undo", dismissed),
		map[string]any{"reason": "they were right"}).want(200)
	page := f.moderator.get("/queue/mine").want(200)
	if rows := page.page().Find("#today-title").Closest("section").Find("[data-row]").Length(); rows != 2 {
		t.Errorf("%d decisions today, want 2", rows)
	}
	if text := page.text("main"); !strings.Contains(text, "Message deleted: 1") ||
		!strings.Contains(text, "they were right") ||
		!strings.Contains(text, "Dismissed the reports and red flags on the message “buy pills”") {
		t.Errorf("the page says %q", text)
	}
	path := fmt.Sprintf("/api/v1/queue/%d/claim", open[f.messages[1]])
	f.moderator.send("POST", path, "").want(200)
	f.moderator2.send("POST", path, "").want(409)
	f.moderator.post("/sign-out", nil).want(303)
	f.moderator2.send("POST", path, "").want(200)
}

// TestQueueOfALanguage checks that a moderator who is limited to a language sees the
// cases in it by default, all with one click, and works on no other.
func TestQueueOfALanguage(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server, author, rater := newServer(t, s), storetest.User(t, s, "Author"), storetest.User(t, s, "Rater")
	other := storetest.User(t, s, "Other author")
	german := storetest.Tree(t, s, storetest.Node{Author: author, Lang: "de", Text: "Unsinn"})[0]
	english := storetest.Tree(t, s, storetest.Node{Author: other, Lang: "en", Text: "nonsense"})[0]
	for _, message := range []uuid.UUID{german, english} {
		storetest.Report(t, s, message, rater, "spam", time.Now())
	}
	account := storetest.Staff(t, s, policy.Moderator)
	storetest.Exec(t, s, "UPDATE users SET languages = '{de}' WHERE user_id = $1", account.UserID)
	moderator, admin := signedIn(t, server, account), staff(t, server, policy.Admin)
	if text := moderator.get("/queue").want(200).text(".queue-lines"); !strings.Contains(text, "Unsinn") ||
		strings.Contains(text, "nonsense") {
		t.Errorf("the queue of a German moderator: %s", text)
	}
	if text := moderator.get("/queue?lang=all").want(200).text(".queue-lines"); !strings.Contains(text, "nonsense") {
		t.Errorf("the queue of all languages: %s", text)
	}
	var list store.List[store.Case]
	admin.get("/api/v1/queue").want(200).json(&list)
	for _, c := range list.Items {
		want := 403
		if c.MessageID == german {
			want = 200
		}
		path := fmt.Sprintf("/api/v1/queue/%d", c.ID)
		moderator.send("POST", path+"/claim", "").want(want)
		moderator.send("POST", path+"/resolve", map[string]any{"outcome": "delete", "reason": "spam"}).want(want)
	}
	at := moderator.post("/queue/next", nil).want(303).header.Get("Location")
	if strings.HasPrefix(at, "/queue/") {
		t.Errorf("the next case of a German moderator is at %s, want none", at)
	}
}

// TestWhatOthersDid checks that the page of a person's decisions tells what others did
// about the same messages later: undid, decided otherwise, deleted.
func TestWhatOthersDid(t *testing.T) {
	t.Parallel()
	f := newFlagged(t)
	s := f.server.store
	resolve := func(who *client, message uuid.UUID, outcome string) any {
		path := fmt.Sprintf("/api/v1/queue/%d/resolve", f.cases(t)[message])
		return who.send("POST", path, map[string]any{"outcome": outcome, "reason": "reason of " + outcome}).want(200).
			field("action", "id")
	}
	marks := func() []string {
		page := f.moderator.get("/queue/mine").want(200).page()
		var all []string
		page.Find("#later-title").Closest("section").Find("[data-row]").Each(func(_ int, row *goquery.Selection) {
			all = append(all, strings.Join(strings.Fields(row.Find(".feed-text").Text()), " "))
		})
		return append(all, strings.Join(strings.Fields(page.Find("#later-title").Closest("section").
			Find(".feed-total").Text()), " "))
	}
	if got, want := marks(), []string{"No decision of yours stands"}; !slices.Equal(got, want) {
		t.Errorf("before any decision: %q, want %q", got, want)
	}
	again := storetest.User(t, s, "Reporter")
	undone := resolve(f.moderator, f.messages[0], "dismiss")
	f.moderator2.send("POST", fmt.Sprintf("/api/v1/actions/%v/undo", undone),
		map[string]any{"reason": "too mild"}).want(403)
	admin := staff(t, f.server, policy.Admin)
	admin.send("POST", fmt.Sprintf("/api/v1/actions/%v/undo", undone), map[string]any{"reason": "too mild"}).want(200)
	resolve(f.moderator, f.messages[1], "dismiss")
	storetest.Report(t, s, f.messages[1], again, "it is still there", time.Now())
	resolve(f.moderator2, f.messages[1], "reject")
	resolve(f.moderator, f.messages[2], "reject")
	admin.send("POST", fmt.Sprintf("/api/v1/messages/%s/delete", f.messages[2]),
		map[string]any{"reason": "an insult"}).want(200)
	want := []string{
		"Marked as spam: “no” Agreed", "Dismissed: “buy more pills” Differed", "Dismissed: “buy pills” Undone",
		"Your decisions on 2 cases stand · agreed: 1 · differed: 1 · undone: 1",
	}
	if got := marks(); !slices.Equal(got, want) {
		t.Errorf("what others did:\n%q\nwant\n%q", got, want)
	}
}

// TestEveryOutcomeByAPI decides a case by each outcome and takes it back, and looks at
// the message, its tree and its author each time.
func TestEveryOutcomeByAPI(t *testing.T) {
	t.Parallel()
	f := newFlagged(t)
	message := f.messages[0] // a prompt with two replies
	id := f.cases(t)[message]
	path := fmt.Sprintf("/api/v1/queue/%d", id)
	state := func() string {
		m := f.moderator.get("/api/v1/messages/" + message.String()).want(200)
		tree := f.moderator.get("/api/v1/trees/" + message.String()).want(200)
		user := f.moderator.get("/api/v1/users/" + f.troll.String()).want(200)
		return fmt.Sprint(m.field("deleted"), " ", m.field("review_result"), " ", tree.field("state"), " ",
			user.field("status"))
	}
	before := state()
	for _, test := range []struct {
		body map[string]any
		want string
	}{
		{map[string]any{"outcome": "dismiss"}, before},
		{map[string]any{"outcome": "delete"}, "true true growing active"},
		{map[string]any{"outcome": "reject"}, "false false growing active"},
		{map[string]any{"outcome": "halt"}, "false true halted_by_moderator active"},
		{map[string]any{"outcome": "ban", "messages": "delete", "trees": "halt"}, "true true halted_by_moderator banned"},
	} {
		test.body["reason"] = "a reason"
		done := f.moderator.send("POST", path+"/resolve", test.body).want(200)
		if got := state(); got != test.want {
			t.Errorf("%v leaves %s, want %s", test.body, got, test.want)
		}
		if c := f.moderator.get(path).want(200); c.field("status") != "decided" ||
			c.field("outcome") != test.body["outcome"] {
			t.Errorf("after %v the case is %v by %v", test.body, c.field("status"), c.field("outcome"))
		}
		f.moderator.send("POST", fmt.Sprintf("/api/v1/actions/%v/undo", done.field("action", "id")),
			map[string]any{"reason": "a mistake"}).want(200)
		if got := state(); got != before {
			t.Errorf("the undo of %v leaves %s, want %s", test.body, got, before)
		}
		if f.cases(t)[message] != id {
			t.Errorf("after the undo of %v the case is not open", test.body)
		}
	}
}
