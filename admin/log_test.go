package admin

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// acted does an action and returns it.
func acted(t *testing.T, s *store.Store, actor store.Actor, a store.Act) store.Action {
	t.Helper()
	a.Reason = "for the test"
	outcome, err := s.Act(t.Context(), actor, a)
	if err != nil {
		t.Fatal(a.Kind, err)
	}
	return outcome.Action
}

// TestHomeGroups checks that reports on one message are one entry, that the author
// with the highest score times reporters comes first, and that what was decided is
// left out.
func TestHomeGroups(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	actor := storetest.Staff(t, s, policy.Moderator)
	people := map[string]uuid.UUID{}
	for _, name := range []string{"Calm", "Wild", "Banned", "Gone"} {
		people[name] = storetest.User(t, s, name)
	}
	messages := map[string]uuid.UUID{}
	for _, text := range []string{"Calm one", "Wild one", "Wild two", "Banned one", "Gone one"} {
		name, _, _ := strings.Cut(text, " ")
		messages[text] = storetest.Tree(t, s, storetest.Node{Author: people[name], Text: text})[0]
	}
	for i := range 6 {
		storetest.Report(t, s, messages["Wild one"], storetest.User(t, s, "Reporter"), fmt.Sprintf("wild %d", i), time.Now())
	}
	storetest.Report(t, s, messages["Wild two"], storetest.User(t, s, "Reporter"), "wild again", time.Now())
	for _, text := range []string{"Calm one", "Banned one", "Gone one"} {
		storetest.Report(t, s, messages[text], storetest.User(t, s, "Reporter"), "a reason", time.Now())
	}
	acted(t, s, actor, store.Act{Kind: "ban", Target: people["Banned"]})
	acted(t, s, actor, store.Act{Kind: "delete", Target: messages["Gone one"]})
	page := signedIn(t, server, actor).get("/").want(200)
	if total := page.text(".feed-total"); total != "8 reports on 3 messages of 2 contributors" {
		t.Errorf("the total: %q", total)
	}
	reported := page.page().Find(".reported")
	if reported.Length() != 2 || reported.Eq(0).Find("h3").Text() != "Wild" || reported.Eq(1).Find("h3").Text() != "Calm" {
		t.Errorf("the authors: %q", reported.Find("h3").Text())
	}
	if rows := reported.Eq(0).Find("li[data-row]"); rows.Length() != 2 ||
		rows.Eq(0).Find(".reasons > ul > li").Length() != 6 {
		t.Errorf("%d messages, the first with %d reasons", rows.Length(), rows.Eq(0).Find(".reasons > ul > li").Length())
	}
}

// TestLogSentences checks that the log says what an action changed.
func TestLogSentences(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	boss := storetest.Staff(t, s, policy.Admin)
	user := storetest.User(t, s, "Trollo")
	message := storetest.Tree(t, s, storetest.Node{Author: user, Text: "Buy now"})[0]
	notes, role, name := "a note", policy.Moderator, "Renamed"
	until := time.Now().Add(time.Hour)
	for _, c := range []struct {
		act  store.Act
		want string
	}{
		{store.Act{Kind: "update_user", Target: user, Params: store.UserPatch{Notes: &notes}}, "Changed the notes of Trollo"},
		{store.Act{Kind: "update_user", Target: user, Params: store.UserPatch{Role: &role}},
			"Made Trollo a moderator (was general)"},
		{store.Act{Kind: "ban", Target: user}, "Banned Trollo"},
		{store.Act{Kind: "ban", Target: user, Params: store.BanParams{Until: &until}}, "Changed the ban of Trollo"},
		{store.Act{Kind: "update_user", Target: user, Params: store.UserPatch{DisplayName: &name}},
			"Renamed Trollo to Renamed"},
		{store.Act{Kind: "review", Target: message, Params: store.ReviewParams{Result: "rejected"}},
			"Marked as spam: the message “Buy now”"},
		{store.Act{Kind: "delete", Target: message}, "Deleted the message “Buy now”"},
	} {
		action := acted(t, s, boss, c.act)
		if got := signedIn(t, server, boss).get(fmt.Sprintf("/actions/%d", action.ID)).want(200).text("h1"); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
		if c.act.Kind == "delete" || c.want == "Changed the notes of Trollo" {
			undo, err := s.Undo(t.Context(), boss, action.ID, "a mistake", false, "")
			if err != nil {
				t.Fatal(err)
			}
			want := "Undid “" + innerQuotes.Replace(c.want) + "”"
			if got := signedIn(t, server, boss).get("/audit").want(200).page().Find("td.what a").First().Text(); got != want {
				t.Errorf("action %d: %q, want %q", undo.Action.ID, got, want)
			}
		}
	}
}

// TestLogFilters checks the choice of staff, names under On, and what a person who
// sees their own actions reads about those of others.
func TestLogFilters(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	one, two, _ := actions(t, s)
	admin := staff(t, server, policy.Admin)
	page := admin.get("/audit").want(200).page()
	for _, actor := range []store.Actor{one, two} {
		if page.Find(`#who option[value="`+actor.UserID.String()+`"]`).Text() != actor.Name {
			t.Errorf("%s is not among the choices", actor.Name)
		}
	}
	if n := admin.get("/audit?target=mallory").want(200).page().Find("tbody tr").Length(); n != 1 {
		t.Errorf("%d actions on a user by their name", n)
	}
	first, second := storetest.User(t, s, "Twin"), storetest.User(t, s, "Twin")
	twins := admin.get("/audit?target=Twin").want(200).page()
	for _, twin := range []uuid.UUID{first, second} {
		if twins.Find(`.called a[href*="target=`+twin.String()+`"]`).Length() != 1 {
			t.Errorf("one of several users of a name is not offered: %s", twins.Find(".called").Text())
		}
	}
	if text := admin.get("/audit?target=Nobody+here").want(400).text("#target-wrong"); !strings.Contains(text, "no user") {
		t.Errorf("beside the field: %q", text)
	}
	own := signedIn(t, server, two)
	if text := own.get("/audit?actor=" + one.UserID.String()).want(200).text(".empty"); !strings.Contains(text,
		"You see your own actions. When you open a user, message or tree") {
		t.Errorf("a moderator reads %q", text)
	}
	done := `.page-head a[href="/audit?actor=` + one.UserID.String() + `"]`
	if admin.get("/users/"+one.UserID.String()).want(200).page().Find(done).Length() != 1 {
		t.Error("the page of a member of staff has no link to what they did")
	}
	if own.get("/users/"+one.UserID.String()).want(200).page().Find(done).Length() != 0 {
		t.Error("a moderator is led to a list that they may not see")
	}
}

// TestActionTouched checks the list of what an action touched, in pages, and the
// numbers of its undo.
func TestActionTouched(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	boss := storetest.Staff(t, s, policy.Admin)
	troll, other := storetest.User(t, s, "Trollo"), storetest.User(t, s, "Ada")
	replies := make([]storetest.Node, 57)
	for i := range replies {
		replies[i] = storetest.Node{Author: other, Text: fmt.Sprintf("reply %d", i)}
	}
	tree := storetest.Tree(t, s, storetest.Node{Author: troll, Text: "Buy now", Replies: replies})[0]
	ban := acted(t, s, boss,
		store.Act{Kind: "ban", Target: troll, Params: store.BanParams{Messages: "delete", Trees: "halt"}})
	c := signedIn(t, server, boss)
	address := fmt.Sprintf("/actions/%d", ban.ID)
	page := c.get(address).want(200)
	if text := page.text("main"); !strings.Contains(text, "58 messages that it touched") {
		t.Errorf("the total: %.300s", text)
	}
	rows := page.page().Find("table.touched tbody tr")
	next := attr(page.page().Find("a[rel=next]"), "href")
	rest := c.get(address + next).want(200).page().Find("table.touched tbody tr")
	if rows.Length() != 50 || rest.Length() != 8 {
		t.Errorf("%d and %d rows", rows.Length(), rest.Length())
	}
	all := rows.Text() + rest.Text()
	if n := strings.Count(all, "By others"); n != 57 {
		t.Errorf("%d by others, want 57", n)
	}
	if n := strings.Count(all, "Deleted"); n != 58 || !strings.Contains(all, "Buy now") {
		t.Errorf("%d deleted: %.300s", n, all)
	}
	if page.page().Find(`a[data-open][href="/trees/`+tree.String()+`"]`).Length() != 1 {
		t.Error("the tree is not listed")
	}
	changed := page.text("table.changes")
	if !strings.Contains(changed, "Ban: by – "+boss.Name) ||
		!strings.Contains(changed, fmt.Sprintf("Ban: action – action %d", ban.ID)) {
		t.Errorf("the values: %s", changed)
	}
	if numbers := c.get(address + "/undo").want(200).text(".numbers"); !strings.Contains(numbers, "user1") ||
		!strings.Contains(numbers, "messages58") || !strings.Contains(numbers, "others57") ||
		!strings.Contains(numbers, "tree1") {
		t.Errorf("the undo says %q", numbers)
	}
	notes := "a note"
	note := acted(t, s, boss, store.Act{Kind: "update_user", Target: other, Params: store.UserPatch{Notes: &notes}})
	undo := c.get(fmt.Sprintf("/actions/%d/undo", note.ID)).want(200)
	if text := undo.text(".act-numbers"); !strings.Contains(text, "user1") ||
		!strings.Contains(text, "the notes of 1 user") {
		t.Errorf("the undo of a note says %q", text)
	}
	later := "a later note"
	acted(t, s, boss, store.Act{Kind: "update_user", Target: other, Params: store.UserPatch{Notes: &later}})
	blocked := c.post(fmt.Sprintf("/actions/%d/undo", note.ID), url.Values{"reason": {"a mistake"}}).want(409)
	if text := blocked.text("main"); !strings.Contains(text, "A later change blocks this") ||
		!strings.Contains(text, "Changed the notes of Ada") {
		t.Errorf("the obstacle: %s", text)
	}
}

// TestChangeRole checks the form of a change of role: what each role permits, a
// reason, and the notice.
func TestChangeRole(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	user := storetest.User(t, s, "Trollo")
	path := "/users/" + user.String() + "/role"
	staff(t, server, policy.Moderator).get(path).want(403)
	c := staff(t, server, policy.Admin)
	form := c.get(path).want(200)
	option := form.page().Find("label:has(input[name=role][value=moderator])").Text()
	if !strings.Contains(form.text(".dialog-body"), "Role now: General") || !strings.Contains(option, "May also") {
		t.Errorf("the form: %s", form.text(".dialog-body"))
	}
	send := browserForm(form.page().Find("form[data-act]"))
	send.Set("role", policy.Moderator)
	if text := c.post(path, send).want(422).text("#act-reason-more"); !strings.Contains(text, "reason") {
		t.Errorf("without a reason: %q", text)
	}
	send.Set("reason", "a good one")
	to := c.post(path, send).want(303).header.Get("Location")
	if text := c.get(to).want(200).text(".toast"); !strings.Contains(text, "Made Trollo a moderator (was general)") {
		t.Errorf("the notice: %s", text)
	}
	send.Set("role", "emperor")
	send.Del("version")
	send.Set("key", "another")
	c.post(path, send).want(422)
}
