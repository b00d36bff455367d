package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

func init() {
	pageTypes["user"] = userPage{}
	pageTypes["users"] = usersPage{}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	crowd := makeCrowd(t, s)
	moderator := staff(t, server, policy.Moderator)
	ban(t, s, crowd.old)

	wantNames(t, moderator.get("/users?q=gis"), "Gisela Gut")
	wantNames(t, moderator.get("/users?q="+crowd.good.String()), "Gisela Gut")
	wantNames(t, moderator.get("/users?lang=de&sort=name"), "Gisela Gut", "Trollo")
	wantNames(t, moderator.get("/users?lang=de&sort=-name"), "Trollo", "Gisela Gut")
	wantNames(t, moderator.get("/users?status=banned"), "Methuselah")
	if all := names(moderator.get("/users?role=general").want(http.StatusOK)); len(all) != 5 {
		t.Errorf("contributors: %q", all)
	}
	a := moderator.get("/users?q=nobody+at+all")
	if text := a.text(".empty"); !strings.Contains(text, "No users match") {
		t.Errorf("an empty list says %q", text)
	}
	page := moderator.get("/users").page()
	if sorted := page.Find("th[aria-sort]"); sorted.Text() != "Last active" ||
		sorted.AttrOr("aria-sort", "") != "descending" ||
		!strings.HasSuffix(sorted.Find("a").AttrOr("href", ""), "sort=activity") {
		t.Errorf("sorted by %q, and turned by %q", sorted.Text(), sorted.Find("a").AttrOr("href", ""))
	}
	scores := map[string]string{}
	page.Find("tbody tr").Each(func(_ int, row *goquery.Selection) {
		scores[row.Find("th bdi").Text()] = strings.TrimSpace(row.Find("td[data-label=Score]").Text())
	})
	for name, want := range map[string]string{"Trollo": "5", "Gisela Gut": "−2", "Judge": "–"} {
		if scores[name] != want {
			t.Errorf("the score of %s is %q, want %q", name, scores[name], want)
		}
	}
	if head := page.Find("thead th").Eq(1).Text(); head != "Troll score" {
		t.Errorf("the second column is %q", head)
	}
	var list store.List[store.User]
	moderator.get("/api/v1/users?limit=2&sort=created").want(http.StatusOK).json(&list)
	if len(list.Items) != 2 || list.Next == nil || list.Prev != nil {
		t.Errorf("the first page is %+v", list)
	}
	moderator.get("/api/v1/users?limit=2&sort=created&cursor=" + *list.Next).want(http.StatusOK)
	for _, query := range []string{"role=king", "status=x", "sort=age", "cursor=x", "cursor=" + *list.Next, "limit=0x"} {
		moderator.get("/api/v1/users?" + query).want(http.StatusBadRequest)
		moderator.get("/users?" + query).want(http.StatusBadRequest)
	}
}

func TestUserPage(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	crowd := makeCrowd(t, s)
	self := "/users/" + crowd.troll.String()
	moderator := staff(t, server, policy.Moderator)

	a := moderator.get(self).want(http.StatusOK)
	if got := a.text("h1"); got != "Trollo" {
		t.Errorf("the head is %q", got)
	}
	if got := a.text(".user-marks"); !strings.Contains(got, "Active") || !strings.Contains(got, "general") ||
		!strings.Contains(got, crowd.troll.String()) {
		t.Errorf("beside the name stands %q", got)
	}
	page := a.page()
	var scores []string
	page.Find(".scores strong").Each(func(_ int, score *goquery.Selection) {
		scores = append(scores, strings.TrimSuffix(score.Text(), ".00"))
	})
	if fmt.Sprint(scores) != "[5 5 5 5]" {
		t.Errorf("the scores are %v", scores)
	}
	if text := page.Find(".signals svg").AttrOr("aria-label", ""); text != "Signals of the last 30 days: 3 against "+
		"this user, 0 for them, on 1 day." {
		t.Errorf("the chart says %q", text)
	}
	if text := a.text(".messages tbody"); !strings.Contains(text, "Ihr seid alle dumm") ||
		!strings.Contains(text, "Root") {
		t.Errorf("their messages: %q", text)
	}
	if link := page.Find(`.page-head a[data-dialog]`).AttrOr("href", ""); link != self+"/ban?return="+
		url.QueryEscape(self) && link != self+"/ban?return="+strings.ReplaceAll(self, "/", "%2f") {
		t.Errorf("the ban link is %q", link)
	}
	if page.Find(".kv dt:contains(IP), .kv dt:contains(E-mail)").Length() != 0 {
		t.Error("a moderator sees private data")
	}
	if page.Find("a[href*='/role?']").Length() != 0 {
		t.Error("a moderator is offered to give roles")
	}
	boss := staff(t, server, policy.Admin).get(self).page()
	if boss.Find(".kv dt:contains(E-mail)").Length() != 1 || boss.Find("a[href*='/role?']").Length() == 0 {
		t.Error("an admin does not see private data, or may not give roles")
	}
	lead := staff(t, server, policy.DataLead).get(self).page()
	if lead.Find(".user-form button").Length() != 0 || lead.Find(".page-head a[data-dialog]").Length() != 0 ||
		lead.Find("textarea[readonly]").Length() != 1 {
		t.Error("a data lead is offered to change or ban")
	}

	moderator.get("/users/" + uuid.NewString()).want(http.StatusNotFound)
	moderator.get("/users/not-an-id").want(http.StatusBadRequest)
	moderator.get("/api/v1/users/" + strings.ToUpper(uuid.NewString())[:35]).want(http.StatusBadRequest)
	moderator.get(self + "?tab=secrets").want(http.StatusBadRequest)
}

// TestBannedUser checks that the page shows the author, the reason and the end
// of a ban.
func TestBannedUser(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	user := storetest.User(t, s, "Trollo")
	boss := storetest.Staff(t, s, policy.Admin)
	until := time.Now().AddDate(0, 0, 3)
	if _, err := s.Act(t.Context(), boss, store.Act{Kind: "ban", Target: user, Reason: "insults <b>everybody</b>",
		Params: store.BanParams{Until: &until}}); err != nil {
		t.Fatal(err)
	}
	a := staff(t, server, policy.Moderator).get("/users/" + user.String()).want(http.StatusOK)
	notice := a.text(".notice-bad")
	for _, part := range []string{boss.Name, "insults <b>everybody</b>", until.UTC().Format("2 Jan 2006, 15:04:05 UTC")} {
		if !strings.Contains(notice, part) {
			t.Errorf("the notice %q lacks %q", notice, part)
		}
	}
	if link := a.page().Find(`.page-head a[data-dialog]`).AttrOr("href", ""); !strings.Contains(link, "/unban?") {
		t.Errorf("the button leads to %q", link)
	}
}

// TestUpdateUser changes a user by the form: saved, refused, and too late.
func TestUpdateUser(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	user := storetest.User(t, s, "Trollo")
	self := "/users/" + user.String()
	moderator, other := staff(t, server, policy.Moderator), staff(t, server, policy.Moderator)
	form := func(version, name, notes string) url.Values {
		return url.Values{"version": {version}, "display_name": {name}, "notes": {notes}, "show_on_leaderboard": {"false"}}
	}
	versionIn := func(a answer) string { return a.page().Find(".user-form input[name=version]").AttrOr("value", "") }

	a := moderator.post(self, form("1", "Trollo", "first\r\nnote")).want(http.StatusSeeOther)
	if to := a.header.Get("Location"); !strings.HasPrefix(to, self+"?done=") {
		t.Errorf("leads to %q", to)
	}
	a = moderator.get(a.header.Get("Location")).want(http.StatusOK)
	if text := a.text(".toast"); !strings.Contains(text, "Changed the notes and leaderboard setting of Trollo") ||
		!strings.Contains(text, "Undo") {
		t.Errorf("the toast says %q", text)
	}
	if got := a.page().Find("textarea[name=notes]").Text(); strings.TrimPrefix(got, "\n") != "first\nnote" {
		t.Errorf("the notes are %q", got)
	}
	if a.page().Find("input[type=checkbox][name=show_on_leaderboard][checked]").Length() != 0 {
		t.Error("still on the leaderboard")
	}
	saved := versionIn(a)
	if saved == "1" || saved == "" {
		t.Errorf("the form carries version %q", saved)
	}

	for _, invisible := range []string{"   ", "\u202e\u200b", "\u3164"} {
		a = moderator.post(self, form(saved, invisible, "first\r\nnote")).want(http.StatusUnprocessableEntity)
	}
	if text := a.text("#u-name-more .error"); !strings.Contains(text, "at least one visible character") {
		t.Errorf("beside the name stands %q", text)
	}
	if a.page().Find("#u-name[aria-invalid=true]").Length() != 1 {
		t.Error("the field is not marked")
	}

	other.post(self, form(saved, "Renamed", "theirs")).want(http.StatusSeeOther)
	a = moderator.post(self, form(saved, "Trollo", "mine")).want(http.StatusConflict)
	if text := a.text(".notice-warn"); !strings.Contains(text, "Changed the name and notes of Trollo") {
		t.Errorf("the conflict says %q", text)
	}
	if got := a.page().Find("textarea[name=notes]").Text(); strings.TrimPrefix(got, "\n") != "mine" {
		t.Errorf("what was typed is lost: %q", got)
	}
	moderator.post(self, form(versionIn(a), "Trollo", "mine")).want(http.StatusSeeOther)
	a = moderator.get(self)
	a.page().Find(".notes-history .note").Each(func(i int, note *goquery.Selection) {
		if want := []string{"mine", "theirs", "first\nnote"}[i]; note.Text() != want {
			t.Errorf("note %d in the history is %q, want %q", i, note.Text(), want)
		}
	})
	if n := a.page().Find(".notes-history .note").Length(); n != 3 {
		t.Errorf("%d notes in the history", n)
	}
	a = moderator.post(self, form(versionIn(a), "Trollo", "mine")).want(http.StatusSeeOther)
	if to := a.header.Get("Location"); to != self+"?notice=nothing" {
		t.Errorf("an empty change leads to %q", to)
	}
	staff(t, server, policy.DataLead).post(self, form("", "x", "")).want(http.StatusForbidden)
	moderator.post(self, url.Values{"role": {"moderator"}}).want(http.StatusForbidden)
	moderator.post(self, url.Values{"notes": {"a\x00b"}}).want(http.StatusUnprocessableEntity)
	staff(t, server, policy.Admin).post(self, url.Values{"role": {"moderator"}}).want(http.StatusSeeOther)
	a = moderator.get(self).want(http.StatusOK)
	if text := a.text(".user-form"); !strings.Contains(text, "may not act on a moderator") {
		t.Errorf("why a moderator is out of reach: %q", text)
	}
	moderator.post(self, url.Values{"notes": {"x"}}).want(http.StatusForbidden)
}

// TestTheFormOfAUserSentTwiceActsOnce checks that a double click does not cause
// a conflict.
func TestTheFormOfAUserSentTwiceActsOnce(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	self := "/users/" + storetest.User(t, s, "Trollo").String()
	moderator := staff(t, newServer(t, s), policy.Moderator)
	fields := url.Values{"display_name": {"Trollo"}, "notes": {"seen"}, "show_on_leaderboard": {"true"}}
	for _, name := range []string{"version", "key"} {
		fields.Set(name, moderator.get(self).page().Find(".user-form input[name="+name+"]").AttrOr("value", ""))
	}
	first := moderator.post(self, fields).want(http.StatusSeeOther).header.Get("Location")
	if second := moderator.post(self, fields).want(http.StatusSeeOther).header.Get("Location"); second != first {
		t.Errorf("sent once it leads to %s, sent twice to %s", first, second)
	}
}

// TestNotesOnTheNameless checks that staff can write notes on a user with an
// invalid name: the form sends the name unchanged.
func TestNotesOnTheNameless(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	moderator := staff(t, newServer(t, s), policy.Moderator)
	for _, name := range []string{"", "   ", "\u202e\u200b", " Trollo "} {
		self := "/users/" + storetest.User(t, s, name).String()
		form := moderator.get(self).page().Find(".user-form")
		fields := url.Values{"notes": {"seen"}, "show_on_leaderboard": {"true"}}
		for _, field := range []string{"version", "key", "display_name"} {
			fields.Set(field, form.Find("input[name="+field+"]").AttrOr("value", ""))
		}
		moderator.post(self, fields).want(http.StatusSeeOther)
		a := moderator.get("/api/v1" + self)
		if a.field("notes") != "seen" || a.field("display_name") != name {
			t.Errorf("%q: name %q, notes %q", name, a.field("display_name"), a.field("notes"))
		}
	}
}

func TestPatchUser(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	path := "/api/v1/users/" + storetest.User(t, s, "Trollo").String()
	moderator := staff(t, server, policy.Moderator)

	a := moderator.send(http.MethodPatch, path, map[string]any{"notes": "seen", "version": 1}).want(http.StatusOK)
	if a.field("notes") != "seen" || a.field("version") != 2.0 || a.field("display_name") != "Trollo" ||
		a.field("show_on_leaderboard") != true {
		t.Errorf("the user is %.600s", a.body)
	}
	for _, name := range []string{"user_id", "auth_method", "username", "role", "status", "ban", "created_date",
		"last_activity_date", "stats", "scores", "languages"} {
		if !strings.Contains(a.body, `"`+name+`":`) {
			t.Errorf("the user lacks %s", name)
		}
	}
	a = moderator.send(http.MethodPatch, path, map[string]any{"notes": "late", "version": 1}).want(http.StatusConflict)
	if a.field("error", "code") != "conflict" || a.field("error", "version") != 2.0 ||
		a.field("error", "action", "kind") != "update_user" {
		t.Errorf("the conflict is %s", a.body)
	}
	moderator.send(http.MethodPatch, path, map[string]any{"notes": "seen", "version": 2}).want(http.StatusOK)
	for _, body := range []string{`{"display_name":""}`, `{"nots":"x"}`, `{"notes":7}`, `{}`, `{"notes":"\u0000"}`} {
		if a := moderator.send(http.MethodPatch, path, body).want(http.StatusUnprocessableEntity); a.field("error",
			"fields") == nil {
			t.Errorf("%s names no field: %s", body, a.body)
		}
	}
	moderator.send(http.MethodPatch, path, `{`).want(http.StatusBadRequest)
	moderator.send(http.MethodPatch, path, map[string]any{"role": "moderator"}).want(http.StatusForbidden)
	staff(t, server, policy.DataLead).send(http.MethodPatch, path, map[string]any{"notes": "x"}).want(http.StatusForbidden)
	moderator.send(http.MethodPatch, "/api/v1/users/"+uuid.NewString(),
		map[string]any{"notes": "x"}).want(http.StatusNotFound)
	moderator.send(http.MethodPatch, "/api/v1/users/1", map[string]any{"notes": "x"}).want(http.StatusBadRequest)
	staff(t, server, policy.Admin).send(http.MethodPatch, path,
		map[string]any{"role": "moderator", "version": 2}).want(http.StatusOK)
}

// TestUserTabs checks the tabs of a user's messages and feedback, and of the
// actions on the user.
func TestUserTabs(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	crowd := makeCrowd(t, s)
	boss := storetest.Staff(t, s, policy.Admin)
	if _, err := s.Act(t.Context(), boss, store.Act{Kind: "delete", Target: crowd.flagged,
		Reason: "an insult"}); err != nil {
		t.Fatal(err)
	}
	storetest.Tree(t, s, storetest.Node{Author: crowd.troll, Lang: "en", Text: "a kind word",
		At: time.Now().Add(-time.Minute)})
	self := "/users/" + crowd.troll.String()
	admin := signedIn(t, server, boss)

	rows := func(path string) int {
		return admin.get(path).want(http.StatusOK).page().Find(".messages tbody tr").Length()
	}
	for path, want := range map[string]int{self: 2, self + "?deleted=only": 1, self + "?deleted=exclude": 1, self +
		"?lang=en": 1, self + "?q=kind": 1,
		self + "?spam=only": 0, self + "/messages": 1, self + "?sort=old&limit=1": 1} {
		if got := rows(path); got != want {
			t.Errorf("%s shows %d messages, want %d", path, got, want)
		}
	}
	var messages store.List[store.Message]
	admin.get("/api/v1" + self + "/messages").want(http.StatusOK).json(&messages)
	if len(messages.Items) != 1 || messages.Items[0].Text != "a kind word" {
		t.Errorf("without the deleted: %+v", messages.Items)
	}
	admin.get("/api/v1" + self + "/messages?deleted=include&sort=old").want(http.StatusOK).json(&messages)
	if len(messages.Items) != 2 || !messages.Items[0].Deleted {
		t.Errorf("with the deleted, from the oldest: %+v", messages.Items)
	}
	if a := admin.get(self + "/messages?format=csv&deleted=include").want(http.StatusOK); strings.Count(a.body,
		"\n") != 3 {
		t.Errorf("the CSV: %s", a.body)
	}

	given := admin.get("/users/" + crowd.judge.String() + "?tab=given").want(http.StatusOK)
	for _, part := range []string{"🚩", "👍", "Ihr seid alle dumm", "Nein"} {
		if !strings.Contains(given.text(".feedback tbody"), part) {
			t.Errorf("what was given lacks %q: %s", part, given.text(".feedback tbody"))
		}
	}
	var list store.List[store.Feedback]
	admin.get("/api/v1/users/" + crowd.judge.String() + "/given").want(http.StatusOK).json(&list)
	if len(list.Items) != 4 {
		t.Errorf("%d things given, want 4", len(list.Items))
	}
	ban(t, s, crowd.troll)
	done := admin.get("/users/" + crowd.troll.String() + "?tab=actions").want(http.StatusOK)
	if link := done.page().Find(".done a[data-dialog]").First().AttrOr("href", ""); !strings.HasPrefix(link,
		"/actions/") || !strings.Contains(link, "/undo?target="+crowd.troll.String()+"&return=") {
		t.Errorf("the undo link is %q", link)
	}
	for _, tab := range []string{"messages", "given", "actions"} {
		admin.get("/api/v1/users/" + uuid.NewString() + "/" + tab).want(http.StatusNotFound)
		admin.get("/api/v1/users/7/" + tab).want(http.StatusBadRequest)
	}
}

// TestPeopleParameters puts strings that break programs into every parameter
// and field. None may cause an internal error or become an element.
func TestPeopleParameters(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	crowd := makeCrowd(t, s)
	admin := staff(t, server, policy.Admin)
	self := "/users/" + crowd.troll.String()
	harmless := func(what, bad string, a answer) {
		t.Helper()
		if a.status >= 500 {
			t.Fatalf("%s with %q answered %d", what, bad, a.status)
		}
		if a.status == http.StatusOK && strings.Contains(a.header.Get("Content-Type"), "html") &&
			a.page().Find("main script, main iframe, main [onerror], main [onload]").Length() != 0 {
			t.Fatalf("%s: %q became an element", what, bad)
		}
	}
	builtIn, corpora := nastyStrings(t)
	for path, parameters := range map[string]string{
		"/trollboard": "frame status lang q sort formula open limit cursor", "/users": "q role status lang sort limit cursor",
		self: "tab formula deleted spam lang q sort limit cursor", self + "/score": "frame formula", self +
			"/given": "cursor",
	} {
		for _, parameter := range strings.Fields(parameters) {
			for _, bad := range builtIn {
				harmless(path+" "+parameter, bad, admin.get(path+"?"+url.Values{parameter: {bad}}.Encode()))
			}
		}
	}
	for _, bad := range append(builtIn, corpora...) {
		harmless("the search", bad, admin.get("/users?"+url.Values{"q": {bad}}.Encode()))
		harmless("the form", bad, admin.post(self, url.Values{"display_name": {bad}, "notes": {bad}, "reason": {bad}}))
		harmless("the page", bad, admin.get(self))
	}
}

// nastyStrings returns a few strings that break programs, and a sample of the
// corpora if they are available.
func nastyStrings(t *testing.T) (builtIn, corpora []string) {
	t.Helper()
	builtIn = []string{"", "\x00", "\xff\xfe", "<script>alert(1)</script>", `"><svg onload=alert(1)>`, "' OR 1=1 --", `\`,
		"%", "_", "\u202e\u2066", "🏳️‍🌈", "{{.}}",
		strings.Repeat("a", 5000), "9223372036854775808", "-1", "../../etc/passwd", "\r\nSet-Cookie: a=b", "{\"o\":1}",
		"eyJvIjoiYm9hcmQgc2NvcmUiLCJrIjpbIngiLCJ5Il19"}
	root := os.Getenv("TREEWARDEN_CORPORA")
	if root == "" {
		t.Log("TREEWARDEN_CORPORA is not set: only the built-in strings were tried")
		return builtIn, nil
	}
	for _, pattern := range []string{"*", "*/*"} {
		files, err := filepath.Glob(filepath.Join(root, "bad-input", pattern+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(string(text), "\n")
			for i := 0; i < len(lines); i += max(1, len(lines)/40) {
				corpora = append(corpora, lines[i])
			}
		}
	}
	t.Logf("%d strings of the corpora were tried", len(corpora))
	return builtIn, corpora
}
