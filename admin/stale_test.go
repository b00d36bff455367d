package admin

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// typedForm returns the fields that a browser would send of a form, with the
// texts of text areas.
func typedForm(t *testing.T, a answer, selector string) url.Values {
	t.Helper()
	form := a.page().Find(selector).First()
	values := formFields(form)
	for _, group := range form.Find("input[type=radio][name]").EachIter() {
		if name := attr(group, "name"); len(values[name]) > 1 {
			values.Set(name, attr(form.Find(`input[name="`+name+`"][checked]`), "value"))
		}
	}
	form.Find("textarea[name]").Each(func(_ int, area *goquery.Selection) {
		text := strings.TrimPrefix(area.Text(), "\n")
		values.Set(attr(area, "name"), strings.ReplaceAll(text, "\n", "\r\n"))
	})
	if len(values) == 0 {
		t.Fatalf("there is no form %s: %.500s", selector, a.body)
	}
	return values
}

// TestStaleUserFormKeepsTheOthersChange (fault 3): a form that was opened before
// a colleague saved gives back what the colleague changed, keeps what its person
// changed, and shows both where both changed the same.
func TestStaleUserFormKeepsTheOthersChange(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	mine, theirs := staff(t, server, policy.Moderator), staff(t, server, policy.Moderator)
	id := storetest.User(t, s, "Mallory").String()
	page, api := "/users/"+id, "/api/v1/users/"+id
	open := func(c *client) url.Values { return typedForm(t, c.get(page).want(200), ".user-form") }

	// The colleague saves notes; I only take the user off the leaderboard.
	stale, other := open(mine), open(theirs)
	other.Set("notes", "seen in\r\nthree waves")
	theirs.post(page, other).want(303)
	stale.Set("show_on_leaderboard", "false")
	late := mine.post(page, stale).want(409)
	again := typedForm(t, late, ".user-form")
	if again.Get("notes") != "seen in\r\nthree waves" ||
		late.page().Find(".user-form input[type=checkbox][checked]").Length() != 0 {
		t.Errorf("the form comes back with %v", again)
	}
	if late.text(".user-form .notice") != "" {
		t.Errorf("nobody changed the same: %s", late.text(".user-form .notice"))
	}
	mine.post(page, again).want(303)
	now := mine.get(api).want(200)
	if now.field("notes") != "seen in\nthree waves" || now.field("show_on_leaderboard") != false ||
		now.field("display_name") != "Mallory" {
		t.Errorf("after both: %.300s", now.body)
	}

	// Both change the notes, and the colleague the name too.
	stale, other = open(mine), open(theirs)
	other.Set("notes", "a patient troll")
	other.Set("display_name", "Mallory II")
	theirs.post(page, other).want(303)
	stale.Set("notes", "harmless")
	late = mine.post(page, stale).want(409)
	again = typedForm(t, late, ".user-form")
	if again.Get("notes") != "harmless" || again.Get("display_name") != "Mallory II" ||
		!strings.Contains(late.text("#u-notes-more .notice"), "a patient troll") || late.text("#u-name-more .notice") != "" {
		t.Errorf("both changed the notes: %v, %s", again, late.text(".user-form"))
	}
	mine.post(page, again).want(303)
	if now := mine.get(api).want(200); now.field("notes") != "harmless" || now.field("display_name") != "Mallory II" {
		t.Errorf("after the second time: %.300s", now.body)
	}

	// A form without digests, as a program sends it: former notes are not new ones.
	theirs.send(http.MethodPatch, api, map[string]any{"notes": "new", "version": versionAt(mine, api)}).want(200)
	late = mine.post(page, url.Values{"display_name": {"Mallory II"}, "notes": {"harmless"},
		"show_on_leaderboard": {"true"}, "version": {"1"}}).want(409)
	if again := typedForm(t, late, ".user-form"); again.Get("notes") != "new" ||
		late.page().Find(".user-form input[type=checkbox][checked]").Length() != 1 {
		t.Errorf("a form without digests comes back with %v", again)
	}

	// A refused value keeps what the form knew.
	stale, other = open(mine), open(theirs)
	other.Set("notes", "newer")
	theirs.post(page, other).want(303)
	stale.Set("display_name", " ")
	refused := typedForm(t, mine.post(page, stale).want(422), ".user-form")
	refused.Set("display_name", "Mallory III")
	again = typedForm(t, mine.post(page, refused).want(409), ".user-form")
	if again.Get("notes") != "newer" || again.Get("display_name") != "Mallory III" {
		t.Errorf("after a refused name: %v", again)
	}
}

// versionAt returns the version of what an address of the API shows.
func versionAt(c *client, path string) any {
	c.t.Helper()
	return c.get(path).want(200).field("version")
}

// TestPatchNeedsTheVersion (fault 3): a change by the API names the version that
// it was made from.
func TestPatchNeedsTheVersion(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	key := program(t, newServer(t, s), policy.Admin)
	path := "/api/v1/users/" + storetest.User(t, s, "Mallory").String()
	for _, body := range []string{`{"notes": "x"}`, `{"notes": "x", "version": null}`, `{"notes": "x", "version": "1"}`,
		`{"notes": "x", "version": 1.5}`, `{"role": "moderator", "reason": "for the test"}`} {
		if a := key.send(http.MethodPatch, path, body).want(422); a.field("error", "fields", "version") == nil {
			t.Errorf("%s: %s", body, a.body)
		}
	}
	key.send(http.MethodPatch, path, `{"notes": "x", "version": 9}`).want(409)
	key.send(http.MethodPatch, path, `{"notes": "x", "version": 1}`).want(200)
	key.send(http.MethodPatch, path, `{"notes": "y", "version": 2.0}`).want(200)
	key.send(http.MethodPatch, path, `{"notes": "z", "version": 3e0}`).want(200)
}

// TestStaleListFormKeepsTheOthersChange (fault 3): the same for a list.
func TestStaleListFormKeepsTheOthersChange(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	mine, theirs := staff(t, server, policy.Moderator), staff(t, server, policy.Moderator)
	id := mine.send(http.MethodPost, "/api/v1/lists", map[string]any{"name": "Spam", "kind": "bad", "note": "May"}).
		want(200).field("list_id").(string)
	page := "/lists/" + id
	open := func(c *client) url.Values { return typedForm(t, c.get(page+"/edit").want(200), "form.act") }
	stale, other := open(mine), open(theirs)
	other.Set("note", "May and June")
	other.Set("kind", "custom")
	theirs.post(page, other).want(303)
	stale.Set("name", "Spam of spring")
	late := mine.post(page, stale).want(409)
	again := typedForm(t, late, "form.act")
	if again.Get("note") != "May and June" || again.Get("kind") != "custom" || again.Get("name") != "Spam of spring" {
		t.Errorf("the form comes back with %v", again)
	}
	mine.post(page, again).want(303)
	if a := mine.get("/api/v1" + page).want(200); a.field("note") != "May and June" || a.field("kind") != "custom" ||
		a.field("name") != "Spam of spring" {
		t.Errorf("after both: %s", a.body)
	}
	stale, other = open(mine), open(theirs)
	other.Set("note", "All of it")
	theirs.post(page, other).want(303)
	stale.Set("note", "None of it")
	late = mine.post(page, stale).want(409)
	if typedForm(t, late, "form.act").Get("note") != "None of it" ||
		!strings.Contains(late.text("#list-note-more"), "All of it") {
		t.Errorf("both changed the note: %s", late.text("form.act"))
	}
}

// TestStaleEditDoesNotRevert (fault 3): an edit form that was left as it was
// comes back with the newer text.
func TestStaleEditDoesNotRevert(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	mine, theirs := staff(t, server, policy.Moderator), staff(t, server, policy.Moderator)
	_, ids := thread(t, s)
	page := "/messages/" + ids[0].String() + "/edit"
	open := func(c *client) url.Values { return typedForm(t, c.get(page).want(200), "form.act") }
	stale, other := open(mine), open(theirs)
	other.Set("text", "How do wasps sleep?")
	other.Set("reason", "for the test")
	theirs.post(page, other).want(303)
	stale.Set("reason", "no other text")
	again := typedForm(t, mine.post(page, stale).want(409), "form.act")
	if again.Get("text") != "How do wasps sleep?" {
		t.Errorf("the form comes back with %q", again.Get("text"))
	}
	stale.Set("text", "How do ants sleep?")
	late := mine.post(page, stale).want(409)
	if typedForm(t, late, "form.act").Get("text") != "How do ants sleep?" || late.page().Find(".diff").Length() != 1 {
		t.Errorf("both changed the text: %s", late.text("form.act"))
	}
}

// TestStaleStaffFormKeepsTheOthersChange (fault 3): the same for an account.
func TestStaleStaffFormKeepsTheOthersChange(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	mine, theirs := staff(t, server, policy.Admin), staff(t, server, policy.Admin)
	id := storetest.Staff(t, s, policy.Moderator).UserID.String()
	page := staffPath + "/" + id
	change := func(c *client, field, value string) url.Values {
		t.Helper()
		form := typedForm(t, c.get(page+"/edit").want(200), `form[method="get"]`)
		form.Set(field, value)
		if field == "languages" {
			form.Set("limit", "some")
		}
		sent := typedForm(t, c.get(page+"/edit?"+form.Encode()).want(200), `form[action="`+page+`"]`)
		sent.Set("reason", "for the test")
		return sent
	}
	stale, other := change(mine, "name", "margaret"), change(theirs, "languages", "de, fr")
	theirs.post(page, other).want(303)
	late := mine.post(page, stale).want(409)
	again := typedForm(t, late, `form[action="`+page+`"]`)
	if again.Get("languages") != "de, fr" || again.Get("limit") != "some" || again.Get("name") != "margaret" {
		t.Errorf("the form comes back with %v", again)
	}
	again.Set("reason", "for the test")
	mine.post(page, again).want(303)
	stale, other = change(mine, "role", policy.DataLead), change(theirs, "name", "maggie")
	theirs.post(page, other).want(303)
	again = typedForm(t, mine.post(page, stale).want(409), `form[action="`+page+`"]`)
	if again.Get("name") != "maggie" || again.Get("role") != policy.DataLead || again.Get("languages") != "de, fr" {
		t.Errorf("the form comes back with %v", again)
	}
}

// TestStaleWeightsKeepTheOthersChange (fault 3): the same for the weights.
func TestStaleWeightsKeepTheOthersChange(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	mine, theirs := staff(t, server, policy.Admin), staff(t, server, policy.Admin)
	open := func(c *client) url.Values {
		return typedForm(t, c.get(scoringPath).want(200), `form[action="`+scoringPath+`"]`)
	}
	stale, other := open(mine), open(theirs)
	other.Set("weights[pii]", "7")
	other.Set("note", "for the test")
	saveFormula(theirs, other).want(303)
	stale.Set("weights[downvotes]", "5")
	stale.Set("note", "for the test")
	again := typedForm(t, mine.post(scoringPath, stale).want(409), `form[action="`+scoringPath+`"]`)
	if again.Get("weights[pii]") != "7" || again.Get("weights[downvotes]") != "5" {
		t.Errorf("the form comes back with %v", again)
	}
	saveFormula(mine, again).want(303)
	weights := mine.get("/api/v1/scoring").want(200)
	if weights.field("weights", "pii") != 7.0 || weights.field("weights", "downvotes") != 5.0 {
		t.Errorf("after both: %.400s", weights.body)
	}
}

// TestStaleRolesKeepTheOthersChange (fault 3): the same for the roles, also where
// somebody else added one.
func TestStaleRolesKeepTheOthersChange(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	mine, theirs := staff(t, server, policy.Admin), staff(t, server, policy.Admin)
	stale, at := rolesForm(t, mine.get(rolesPath).want(200))
	other, _ := rolesForm(t, theirs.get(rolesPath).want(200))
	lead, moderator := at(policy.DataLead), at(policy.Moderator)
	other.Add("may."+lead, string(policy.UserBan))
	other.Set("title."+lead, "lead of data")
	other.Set("new_name", "watcher")
	other.Set("new_title", "watcher")
	other.Set("new_rank", "1")
	other.Set("new_from", policy.Moderator)
	other.Set("do", "save")
	other.Set("reason", "for the test")
	theirs.post(rolesPath, other).want(303)
	stale.Set("title."+moderator, "keeper of peace")
	stale.Set("do", "save")
	stale.Set("reason", "for the test")
	again, at := rolesForm(t, mine.post(rolesPath, stale).want(409))
	if at("watcher") == "" {
		t.Fatalf("the role that a colleague added is gone: %v", again["role"])
	}
	again.Set("do", "save")
	again.Set("reason", "for the test")
	mine.post(rolesPath, again).want(303)
	roles := map[string]map[string]any{}
	for _, role := range mine.get("/api/v1/policy").want(200).field("roles").([]any) {
		role := role.(map[string]any)
		roles[role["name"].(string)] = role
	}
	if roles["watcher"] == nil || roles[policy.DataLead]["title"] != "lead of data" ||
		roles[policy.Moderator]["title"] != "keeper of peace" {
		t.Errorf("after both: %v", roles)
	}
}
