package admin

import (
	"net/url"
	"strings"
	"testing"

	"treewarden/policy"
)

// TestABadFilterKeepsTheForm (fault 22) sends a wrong value of a filter to each
// page with a form of filters: the form comes back with what was typed, and the
// fault beside its field.
func TestABadFilterKeepsTheForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := staff(t, w.server, policy.Admin)
	user := "/users/" + w.user.String()
	for _, c := range []struct{ path, name, typed, why string }{
		{"/messages", "toxicity", "abc", "Toxicity is a comparison such as >0.5."},
		{"/messages", "label", "abc", "Label is a comparison such as spam>0.5, or spam.votes>=2."},
		{"/messages", "label", "abc>0.5", "The name in label is one of"},
		{"/messages", "classifier", "abc", "Classifier is a comparison"},
		{"/messages", "label", "abc.votes>=2", "The name in label is one of"},
		{"/messages", "author_messages", "spam<=5", "Author_messages is a comparison with a whole number"},
		{"/messages", "author_messages", "<=0.5", "Author_messages is a comparison with a whole number"},
		{"/messages", "q", strings.Repeat("x", 2001), "2000"},
		{"/messages", "since", "abc", ""},
		{"/messages", "tree_state", "abc", "Tree_state is one of"},
		{"/users", "q", strings.Repeat("x", 201), "200"},
		{"/users", "status", "abc", ""},
		{"/users", "role", "abc", "Role is one of"},
		{"/trees", "origin", strings.Repeat("x", 201), "200"},
		{"/trees", "state", "abc", "State is one of"},
		{"/audit", "target", "abc", "There is no user with this name."},
		{"/audit", "kind", "abc", "There is no kind of action abc."},
		{"/audit", "actor", "Nobody", "There is no member of staff"},
		{"/trollboard", "q", strings.Repeat("x", 201), "200"},
		{"/trollboard", "formula", "abc", "There is no formula"},
		{"/lists", "kind", "abc", ""},
		{user, "q", strings.Repeat("x", 2001), "2000"},
		{user, "deleted", "abc", ""},
	} {
		lang := url.Values{c.name: {c.typed}}
		if c.name != "q" && c.path != "/audit" {
			lang.Set("q", "tea")
		}
		page := admin.get(c.path + "?" + lang.Encode())
		if page.status != 400 {
			t.Errorf("%s %s: %d", c.path, c.name, page.status)
			continue
		}
		field := page.page().Find(`form.filters [name="` + c.name + `"]`)
		if field.Length() != 1 || attr(field, "aria-invalid") != "true" {
			t.Errorf("%s %s: the field is not marked", c.path, c.name)
			continue
		}
		if field.Is("input") && attr(field, "value") != c.typed {
			t.Errorf("%s %s: the form holds %.40q", c.path, c.name, attr(field, "value"))
		}
		if text := page.text("#" + attr(field, "aria-describedby")); text == "" || !strings.Contains(text, c.why) {
			t.Errorf("%s %s: beside it stands %q", c.path, c.name, text)
		}
		if q := page.page().Find(`form.filters [name="q"]`); c.name != "q" && q.Length() == 1 && attr(q, "value") != "tea" {
			t.Errorf("%s %s: the other field is lost", c.path, c.name)
		}
		if page.page().Find(".nav a").Length() == 0 {
			t.Errorf("%s %s: there is no navigation", c.path, c.name)
		}
	}
	// A parameter without a field stands in the notice: here the tab of feedback.
	for _, at := range []string{user + "?tab=given&cursor=abc", user + "?tab=given&limit=x", "/users?sort=abc"} {
		if text := admin.get(at).want(400).text(".notice-bad"); !strings.Contains(text, "A filter is not valid.") ||
			!strings.Contains(text, "abc") && !strings.Contains(text, "x:") {
			t.Errorf("%s: the notice is %q", at, text)
		}
	}
	// Two at once, and never for a file or the API.
	if n := admin.get("/messages?toxicity=abc&label=abc").want(400).page().Find("[aria-invalid]").Length(); n != 2 {
		t.Errorf("%d of two faults are shown", n)
	}
	w.mod.get(apiPrefix + "/messages?toxicity=abc").want(400)
	admin.get("/messages?toxicity=abc&format=csv").want(400)
}
