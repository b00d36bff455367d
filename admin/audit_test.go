package admin

import (
	"encoding/csv"
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

// actions makes a ban and a delete by one moderator, and a ban by another.
func actions(t *testing.T, s *store.Store) (one, two store.Actor, ids []string) {
	t.Helper()
	one, two = storetest.Staff(t, s, policy.Moderator), storetest.Staff(t, s, policy.Moderator)
	author, messages := thread(t, s)
	for _, act := range []struct {
		by  store.Actor
		act store.Act
	}{
		{one, store.Act{Kind: "ban", Target: author, Reason: "=HYPERLINK(\"https://evil.example\")"}},
		{one, store.Act{Kind: "delete", Target: messages[1], Reason: "off topic"}},
		{two, store.Act{Kind: "ban", Target: storetest.User(t, s, "<b>Eve</b>"), Reason: "insults"}},
	} {
		if _, err := s.Act(t.Context(), act.by, act.act); err != nil {
			t.Fatal(err)
		}
	}
	return one, two, []string{author.String(), messages[1].String()}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	one, two, ids := actions(t, s)
	admin := staff(t, server, policy.Admin)

	page := admin.get("/audit").want(200)
	if rows := page.page().Find("tbody tr").Length(); rows != 3 {
		t.Errorf("%d rows, want 3", rows)
	}
	if text := page.text(".chain"); !strings.HasPrefix(text, "Chain verified up to 3") {
		t.Errorf("the chain: %q", text)
	}
	if strings.Contains(page.body, "<b>Eve") {
		t.Error("a name is not escaped")
	}
	for query, want := range map[string]int{
		"kind=ban": 2, "actor=" + one.UserID.String(): 2, "actor=" + two.UserID.String(): 1, "actor=me": 0,
		"target=" + ids[0]: 1, "target=" + ids[1]: 1, "since=2099-01-01": 0, "until=2001-01-01": 0,
		"since=" + time.Now().UTC().Format(time.DateOnly) + "&until=" + time.Now().UTC().Format(time.DateOnly): 3,
		"actor=" + url.QueryEscape(one.Name): 2, "actor=" + url.QueryEscape(strings.ToUpper(two.Name)): 1, "actor=+" +
			url.QueryEscape(two.Name) + "+&kind=delete": 0, "kind=undo": 0, "limit=2": 2,
		"kind=&actor=&target=&since=&until=": 3,
	} {
		if rows := admin.get("/audit?" + query).want(200).page().Find("tbody tr").Length(); rows != want {
			t.Errorf("?%s: %d rows, want %d", query, rows, want)
		}
	}
	if who := admin.get("/audit?actor=" + url.QueryEscape(one.Name)).text("#who option[selected]"); who != one.Name {
		t.Errorf("the filter shows %q, want %q", who, one.Name)
	}
	first := admin.get("/audit?limit=2").page()
	next := attr(first.Find("a[rel=next]"), "href")
	if rest := admin.get("/audit" + next).want(200).page(); rest.Find("tbody tr").Length() != 1 ||
		rest.Find("a[rel=prev]").Length() != 1 {
		t.Errorf("the next page %q: %d rows", next, rest.Find("tbody tr").Length())
	}
	for _, bad := range []string{"actor=nobody", "kind=explode", "target=nonsense", "since=soon", "limit=0x", "limit=201",
		"cursor=%ff", "cursor=nonsense", "target=%00"} {
		admin.get("/audit?" + bad).want(400)
		admin.get("/api/v1/audit?" + bad).want(400)
	}
}

// TestAuditOfOwn checks that a moderator sees only their own actions in the
// log, and all actions on the page of a target.
func TestAuditOfOwn(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	one, two, ids := actions(t, s)
	c := signedIn(t, server, two)
	if rows := c.get("/audit").want(200).page().Find("tbody tr").Length(); rows != 1 {
		t.Errorf("%d rows, want the own one", rows)
	}
	if rows := c.get("/audit?actor=" + one.UserID.String()).want(200).page().Find("tbody tr").Length(); rows != 0 {
		t.Errorf("%d rows of somebody else", rows)
	}
	if rows := c.get("/audit?actor=" + url.QueryEscape(one.Name)).want(200).page().Find("tbody tr").Length(); rows != 0 {
		t.Errorf("%d rows of somebody else by their name", rows)
	}
	looked := c.get("/audit?target=" + ids[0]).want(200).page()
	if looked.Find("tbody tr").Length() != 1 || looked.Find("a[href*='/undo']").Length() != 0 {
		t.Error("on what they look at, another's action is shown without an undo")
	}
	if !strings.Contains(c.get("/audit").text(".page-sub"), "Your own actions") {
		t.Error("the page does not say that it shows the own actions only")
	}
	lead := staff(t, server, policy.DataLead)
	if page := lead.get("/audit").want(200).page(); page.Find("tbody tr").Length() != 3 ||
		page.Find("a[href*='/undo']").Length() != 0 {
		t.Error("a data lead sees all and undoes nothing")
	}
}

func TestAuditCSV(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	actions(t, s)
	a := staff(t, server, policy.Admin).get("/audit?format=csv").want(200)
	if !strings.HasPrefix(a.header.Get("Content-Type"), "text/csv") ||
		!strings.Contains(a.header.Get("Content-Disposition"), "audit.csv") {
		t.Errorf("headers: %v", a.header)
	}
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	at := slices.Index(rows[0], "reason")
	if reason := rows[3][at]; reason != `'=HYPERLINK("https://evil.example")` {
		t.Errorf("a formula came through as %s", reason)
	}
}

func TestActionPage(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	one, _, ids := actions(t, s)
	c := signedIn(t, server, one)
	row := c.get("/audit?target=" + ids[1]).want(200).page().Find("tbody tr")
	address, _, _ := strings.Cut(attr(row.Find("a[data-open]"), "href"), "?")
	page := c.get(address).want(200)
	if h1 := page.text("h1"); h1 != "Deleted the message “Upside down.”" {
		t.Errorf("the head: %s", h1)
	}
	changed := page.text(".changes")
	if !strings.Contains(changed, "Deletion: deleted no yes") {
		t.Errorf("before and after: %s", changed)
	}
	if link := attr(page.page().Find("a[href^='/messages/']"), "href"); link != "/messages/"+ids[1] {
		t.Errorf("the target is %s", link)
	}
	if nav := page.text("nav [aria-current=page]"); !strings.HasPrefix(nav, "Audit") {
		t.Errorf("the navigation is at %q", nav)
	}
	form := c.get(address + "/undo").want(200)
	if numbers := form.text(".numbers"); !strings.Contains(numbers, "messages2") {
		t.Errorf("the undo would touch: %s", numbers)
	}
	to := c.post(address+"/undo", url.Values{"reason": {"a mistake"}}).want(303).header.Get("Location")
	if !strings.HasPrefix(to, address+"?done=") {
		t.Errorf("led to %s", to)
	}
	if text := c.get(address).want(200).text("main"); !strings.Contains(text, "This was undone") ||
		strings.Contains(text, "Undo…") {
		t.Errorf("after the undo: %s", text)
	}
	c.post(address+"/undo", url.Values{"reason": {"a mistake"}}).want(409)
	c.get(address + "/undo").want(409)
	c.get("/actions/999999").want(404)
	c.get("/actions/nonsense").want(400)
	if c.get("/api/v1"+address).want(200).field("hash") == "" {
		t.Error("the API shows no hash")
	}
}

// TestBrokenChain checks that the log's page names the first broken entry.
func TestBrokenChain(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	actions(t, s)
	storetest.Exec(t, s, "ALTER TABLE actions DISABLE TRIGGER actions_append_only")
	storetest.Exec(t, s, "UPDATE actions SET reason = 'nothing to see' WHERE seq = 2")
	if text := staff(t, server, policy.Admin).get("/audit").want(200).text(".badge-bad"); !strings.Contains(text,
		"entry 2") {
		t.Errorf("the page says %q", text)
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	before, after := `{"a": {"x": 1, "y": null}, "same": true, "list": [1, 2]}`,
		`{"a": {"x": 2, "y": "new"}, "same": true, "list": [1]}`
	var got []string
	for _, c := range changes(json.RawMessage(before), json.RawMessage(after)) {
		mark := " "
		if c.Same {
			mark = "="
		}
		got = append(got, c.Name+" "+c.Before+mark+c.After)
	}
	want := []string{"a.x 1 2", "a.y  new", "list.0 1=1", "list.1 2 ", "same true=true"}
	if !slices.Equal(got, want) {
		t.Errorf("changes: %q, want %q", got, want)
	}
	for _, odd := range []string{"", "null", "7", `"text"`, "{", "[[]]"} {
		changes(json.RawMessage(odd), json.RawMessage(odd)) // must not panic
	}
}

func TestHome(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	actor := storetest.Staff(t, s, policy.Moderator)
	c := signedIn(t, server, actor)
	if empty := c.get("/").want(200).page().Find(".empty").Length(); empty != 4 {
		t.Errorf("%d empty states on an empty database, want 4", empty)
	}
	author, ids := storetest.User(t, s, "Mallory"), []uuid.UUID(nil)
	_, ids = thread(t, s)
	reporter := storetest.User(t, s, "Grace")
	storetest.Report(t, s, ids[2], reporter, "Rude <script>", time.Now())
	until := time.Now().Add(48 * time.Hour)
	if _, err := s.Act(t.Context(), actor, store.Act{Kind: "ban", Target: author, Reason: "insults",
		Params: store.BanParams{Until: &until}}); err != nil {
		t.Fatal(err)
	}
	page := c.get("/").want(200)
	for _, want := range []string{"Queue: 1 case", "Nonsense!", "Rude <script>", "Grace", "Banned Mallory",
		"ends in 1 day"} {
		if !strings.Contains(page.text("main"), want) {
			t.Errorf("the page lacks %q: %s", want, page.text("main"))
		}
	}
	if strings.Contains(page.body, "<script>") {
		t.Error("a reason is not escaped")
	}
}

// TestOthersActions checks that a moderator reads the actions of others only from
// the user, message or tree that they are on, as in the list, and those on accounts
// and keys not at all.
func TestOthersActions(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	boss, keeper := storetest.Staff(t, s, policy.Admin), storetest.Staff(t, s, policy.Moderator)
	troll := storetest.User(t, s, "Trollo")
	message := storetest.Tree(t, s, storetest.Node{Author: troll, Text: "Buy now"})[0]
	act := func(actor store.Actor, a store.Act) store.Action {
		t.Helper()
		a.Reason = "a test"
		done, err := s.Act(t.Context(), actor, a)
		if err != nil {
			t.Fatal(err)
		}
		return done.Action
	}
	ban := act(boss, store.Act{Kind: "ban", Target: troll})
	deletion := act(boss, store.Act{Kind: "delete", Target: message})
	own := act(keeper, store.Act{Kind: "unban", Target: troll})
	if _, err := s.CreateKey(t.Context(), boss, "a key", policy.Collector, nil); err != nil {
		t.Fatal(err)
	}
	made, err := s.CreateStaff(t.Context(), boss, "colleague", policy.Moderator, "")
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.Actions(t.Context(), boss, store.ActionFilter{})
	if err != nil || len(all.Items) < 5 {
		t.Fatalf("%d actions, %v", len(all.Items), err)
	}
	moderator, admin := signedIn(t, server, keeper), signedIn(t, server, boss)
	none := uuid.NewString()
	for _, c := range []struct {
		action int64
		target string
		want   int
	}{
		{own.ID, "", 200},
		{ban.ID, "", 403}, {ban.ID, none, 403}, {ban.ID, message.String(), 403}, {ban.ID, troll.String(), 200},
		{deletion.ID, "", 403}, {deletion.ID, message.String(), 200}, {deletion.ID, troll.String(), 200},
		{99_999_999, "", 404}, {99_999_999, none, 404},
		{all.Items[0].ID, "", 403}, {all.Items[0].ID, all.Items[0].TargetID, 403}, // create_staff
		{all.Items[1].ID, "", 403}, {all.Items[1].ID, all.Items[1].TargetID, 403}, // create_key
	} {
		for _, path := range []string{"/actions/%d", apiPrefix + "/actions/%d", "/actions/%d/undo"} {
			path = fmt.Sprintf(path, c.action)
			if c.target != "" {
				path += "?target=" + c.target
			}
			want := c.want
			if want == http.StatusOK && strings.Contains(path, "/undo") && c.action != own.ID {
				want = http.StatusForbidden // they see it, but may not undo it
			}
			if a := moderator.get(path); a.status != want {
				t.Errorf("%s by a moderator: %d, want %d", path, a.status, want)
			}
			if c.action < 99_999_999 && c.target != none && !strings.Contains(path, "/undo") {
				admin.get(path).want(http.StatusOK)
			}
		}
	}
	list := moderator.get(apiPrefix + "/audit?target=" + made.UserID.String()).want(http.StatusOK)
	if strings.Contains(list.body, "create_staff") {
		t.Errorf("the list shows how an account came to be: %s", list.body)
	}
	// The links of the pages that they look at lead on.
	for _, path := range []string{"/messages/" + message.String(), "/users/" + troll.String() + "?tab=actions"} {
		links := 0
		moderator.get(path).want(http.StatusOK).page().Find(`a[href^="/actions/"]`).Each(func(_ int, a *goquery.Selection) {
			links++
			if to := a.AttrOr("href", ""); !strings.Contains(to, "/undo") {
				moderator.get(to).want(http.StatusOK)
			}
		})
		if links == 0 {
			t.Errorf("%s leads to no action", path)
		}
	}
}
