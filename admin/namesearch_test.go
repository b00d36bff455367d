package admin

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// nameLists are the lists with a field for names: the address in the API and the page,
// and the member of an item with its name.
var nameLists = []struct{ api, page, name string }{
	{"/users?role=general&", "/users?role=general&", "display_name"},
	{"/trollboard?", "/trollboard?", "display_name"},
	{"/staff?role=moderator&", "/settings/staff?role=moderator&", "display_name"},
	{"/lists?", "/lists?", "name"},
}

// namesOf returns the sorted names in an answer of the API.
func namesOf(a answer, member string) string {
	var names []string
	for _, item := range a.field("items").([]any) {
		names = append(names, item.(map[string]any)[member].(string))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// newNames makes a contributor on the board, an account and a list of each name.
func newNames(t *testing.T, names ...string) *client {
	t.Helper()
	s := storetest.New(t)
	admin := staff(t, newServer(t, s), policy.Admin)
	rater := storetest.User(t, s, "")
	storetest.Exec(t, s, "UPDATE users SET role = 'collector' WHERE user_id = $1", rater)
	for _, name := range names {
		user := storetest.User(t, s, name)
		storetest.Exec(t, s, "UPDATE users SET username = replace(username, '-', '') WHERE user_id = $1", user)
		tree := storetest.Tree(t, s, storetest.Node{Author: user})
		storetest.React(t, s, tree[0], rater, "-1", time.Now().Add(-time.Minute))
		storetest.Exec(t, s, "UPDATE users SET display_name = $1 WHERE user_id = $2", name,
			storetest.Staff(t, s, policy.Moderator).UserID)
		admin.send("POST", "/api/v1/lists", map[string]any{"name": name, "kind": "bad"}).want(200)
	}
	return admin
}

// TestNamesAreSearchedAsTexts finds users, accounts and lists by the same lines, on the
// pages as in the API.
func TestNamesAreSearchedAsTexts(t *testing.T) {
	t.Parallel()
	jose := norm.NFD.String("José Ñandú")
	admin := newNames(t, "xXspammer99", "Spam Bot", "Bot, Anna", "ÉMILE", jose, "שָׁלוֹם", "مُحَمَّد علي", "王小明", "สมชาย",
		"İstanbul", "a_b%", "Bob & Alice", "-x", "discord:foo")
	for line, want := range map[string]string{
		"spam": "Spam Bot, xXspammer99", "spam -bot": "xXspammer99", `"spam bot"`: "Spam Bot", `"bot spam"`: "",
		`"bot anna"`: "Bot, Anna", "bot anna": "Bot, Anna", `"spam"`: "Spam Bot", "émile OR 小明": "ÉMILE, 王小明",
		"e\u0301mile": "ÉMILE", "emile": "", "JOSÉ": jose, "ÑANDÚ josé": jose, "שלום": "שָׁלוֹם", "محمد": "مُحَمَّد علي",
		"مُحَمَّد": "مُحَمَّد علي", "明": "王小明", "ชาย": "สมชาย", "istanbul": "İstanbul", "ISTAN": "İstanbul",
		"İSTANBUL": "İstanbul", "a_b%": "a_b%", "%": "a_b%", "_": "a_b%", "&": "Bob & Alice", "bob & alice": "Bob & Alice",
		"alice bob": "Bob & Alice", "-": "-x", `"-x"`: "-x", "discord:foo": "discord:foo", `"`: "", "😀": "",
		"/^..spam/": "xXspammer99", "nobody": "",
	} {
		for _, list := range nameLists {
			q := "q=" + url.QueryEscape(line)
			if got := namesOf(admin.get(apiPrefix+"/"+list.api[1:]+q).want(200), list.name); got != want {
				t.Errorf("%s %s finds %q, want %q", list.api, line, got, want)
			}
			page := admin.get(list.page + q).want(200).page()
			rows := page.Find("tbody tr[data-row]").Length()
			if want := len(slices.DeleteFunc(strings.Split(strings.ReplaceAll(want, "Bot, Anna", "Bot Anna"), ", "),
				func(name string) bool { return name == "" })); rows != want {
				t.Errorf("%s %s: the page has %d rows, want %d", list.page, line, rows, want)
			}
			if typed := attr(page.Find(`form.filters [name="q"]`), "value"); typed != line {
				t.Errorf("%s %s: the field holds %q", list.page, line, typed)
			}
		}
	}
	for _, list := range nameLists {
		if got := namesOf(admin.get(apiPrefix+"/"+list.api[1:]+"q=-bot+-x+-a_b").want(200), list.name); strings.Contains(got,
			"Bot") || strings.Contains(got, "xX") || strings.Count(got, ",") != 8 {
			t.Errorf("%s: negations find %q", list.api, got)
		}
	}
}

// TestWrongLinesOfNames: a line that cannot be read is answered with its place, and the
// page marks it beside the field.
func TestWrongLinesOfNames(t *testing.T) {
	t.Parallel()
	admin := newNames(t, "Anna")
	for line, place := range map[string]string{
		"anna lang:de": "lang:de", "spam>0.5": "spam>0.5", `anna "two words`: `"two words`, "anna OR": "OR", "--anna": "--",
		"/(anna/": "/(anna/", "anna user:x": "user:x",
	} {
		for _, list := range nameLists {
			q := "q=" + url.QueryEscape(line)
			a := admin.get(apiPrefix + "/" + list.api[1:] + q).want(422)
			at, ok := a.field("error", "places", "q").(map[string]any)
			if !ok || line[int(at["start"].(float64)):int(at["end"].(float64))] != place ||
				a.field("error", "fields", "q") == "" {
				t.Errorf("%s %s: %s", list.api, line, a.body)
			}
			page := admin.get(list.page + q).want(422).page()
			field := page.Find(`form.filters [name="q"][aria-invalid=true]`)
			if attr(field, "value") != line || page.Find("#fault-q mark").Text() != place {
				t.Errorf("%s %s: the field holds %q, %q is marked", list.page, line, attr(field, "value"),
					page.Find("#fault-q mark").Text())
			}
			if page.Find("tbody tr[data-row]").Length() == 0 {
				t.Errorf("%s %s: the page is empty", list.page, line)
			}
			admin.get(list.page + "format=csv&" + q).want(422)
		}
	}
	admin.get("/trollboard/live?q=" + url.QueryEscape(`"x`)).want(422)
}

// TestPagesOfNames goes through the pages of what a line finds, forwards and back. Its
// cursors belong to the line, however it is spelled.
func TestPagesOfNames(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 7 {
		names = append(names, fmt.Sprintf("Spam %d", i), fmt.Sprintf("Ham %d", i))
	}
	admin := newNames(t, names...)
	for _, list := range nameLists {
		address := apiPrefix + "/" + list.api[1:] + "limit=3&"
		all := admin.get(apiPrefix + "/" + list.api[1:] + "q=pam").want(200).field("items").([]any)
		var forward, back []any
		var cursor, last string
		for {
			a := admin.get(address + "q=pam&cursor=" + cursor).want(200)
			forward = append(forward, a.field("items").([]any)...)
			next, more := a.field("next").(string)
			if !more {
				last, _ = a.field("prev").(string)
				break
			}
			cursor = next
		}
		for at, more := last, true; more; {
			a := admin.get(address + "q=pam&cursor=" + at).want(200)
			back = append(slices.Clone(a.field("items").([]any)), back...)
			at, more = a.field("prev").(string)
		}
		if len(all) != 7 || fmt.Sprint(forward) != fmt.Sprint(all) || fmt.Sprint(back) != fmt.Sprint(all[:6]) {
			t.Errorf("%s: %d names, forwards %d, back %d", list.api, len(all), len(forward), len(back))
		}
		admin.get(address + "q=++pam+&cursor=" + cursor).want(200)
		for _, other := range []string{"q=spam", "q=", `q="pam"`, "q=-pam"} {
			if a := admin.get(address + other + "&cursor=" + cursor); a.status != 400 || !strings.Contains(a.body, "cursor") {
				t.Errorf("%s takes a cursor of another line: %s %d", list.api, other, a.status)
			}
		}
	}
}

// TestUsersByIDAndUsername finds a user by the id in any spelling, and by the name they
// sign in with.
func TestUsersByIDAndUsername(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	admin := staff(t, newServer(t, s), policy.Admin)
	anna, eve := storetest.User(t, s, "Anna"), storetest.User(t, s, "Eve")
	storetest.Exec(t, s, "UPDATE users SET username = 'anna@example.com' WHERE user_id = $1", anna)
	storetest.Exec(t, s, "UPDATE users SET username = $1 WHERE user_id = $2", "id "+anna.String(), eve)
	for line, want := range map[string]string{
		anna.String(): "Anna, Eve", strings.ToUpper(eve.String()): "Eve", "{" + eve.String() + "}": "Eve",
		"urn:uuid:" + eve.String(): "Eve", strings.ReplaceAll(eve.String(), "-", ""): "Eve", eve.String()[:13]: "",
		"@example": "Anna", "anna@exam": "Anna", "anna -example": "", "eve id": "Eve",
	} {
		if got := namesOf(admin.get(apiPrefix+"/users?q="+url.QueryEscape(line)).want(200), "display_name"); got != want {
			t.Errorf("%s finds %q, want %q", line, got, want)
		}
	}
}
