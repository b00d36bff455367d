package admin

import (
	"net/url"
	"strings"
	"testing"

	"treewarden/store/storetest"

	"github.com/PuerkitoBio/goquery"
)

// TestCandidatePages previews a rule by its form, runs it, and decides candidates
// by the forms of the page.
func TestCandidatePages(t *testing.T) {
	t.Parallel()
	c := newCurator(t)
	author := storetest.User(t, c.store, "Author")
	storetest.Tree(t, c.store, storetest.Node{Author: author, Text: "A harmless prompt", Replies: []storetest.Node{
		{Author: author, Text: "an <b>IDIOT</b> wrote this"}, {Author: author, Text: "the idiot again"},
		{Author: author, Text: "a third idiot", Lang: "de"},
		{Author: author, Text: strings.Repeat("before ", 200) + "idiot" + strings.Repeat(" after", 200)},
	}})
	empty := c.get(c.list + "/candidates").want(200)
	if !strings.Contains(empty.text("main"), "No rule has been run for this list yet") {
		t.Errorf("without a rule: %s", empty.text("main"))
	}
	rule := url.Values{"words": {"idiot\r\nmoron\r\n"}, "lang": {"en"}, "key": {"k2"}}
	rule.Set("preview", "true")
	preview := c.post(c.list+"/rule", rule).want(200)
	if preview.text(".rule-preview h2") != "The rule finds 3 new candidates" ||
		preview.text("#r-words") != "idiot moron" ||
		!strings.Contains(preview.text("form.rule-form"), "Add 3 candidates") {
		t.Errorf("the preview: %s; %s", preview.text(".rule-preview"), preview.text("form.rule-form"))
	}
	rule.Del("preview")
	path := c.post(c.list+"/rule", rule).want(303).header.Get("Location")
	if again := c.post(c.list+"/rule", rule).want(303).header.Get("Location"); again != path {
		t.Errorf("the form sent twice leads to %s and %s", path, again)
	}
	page := c.get(path).want(200)
	rows := page.page().Find(".candidates > li")
	if rows.Length() != 3 || !strings.Contains(page.text(".toast"), "Found candidates for") ||
		!strings.Contains(page.text(".runs"), "words “idiot”, “moron”; in English") {
		t.Errorf("%d rows, toast %s, runs %s", rows.Length(), page.text(".toast"), page.text(".runs"))
	}
	marks, long := 0, false
	page.page().Find(".candidates mark").Each(func(_ int, s *goquery.Selection) { marks += len(s.Text()) })
	long = page.page().Find(".candidates details").Length() == 1
	if marks != 4*len("idiot") || !long || page.page().Find(".candidates b").Length() != 0 {
		t.Errorf("%d letters are marked; a long text is cut: %t", marks, long)
	}
	form := rows.First().Find("form[data-verdict]")
	action, _ := form.Attr("action")
	back := c.post(action, url.Values{"verdict": {"accept"}, "return": {c.list + "/candidates"}}).want(303)
	page = c.get(back.header.Get("Location")).want(200)
	if page.page().Find(".candidates > li").Length() != 2 || page.page().Find(".toast form").Length() != 1 ||
		!strings.Contains(page.text(".states"), "Waiting 2") || !strings.Contains(page.text(".states"), "Accepted 1") {
		t.Errorf("after one verdict: %s, toast %s", page.text(".states"), page.text(".toast"))
	}
	all := url.Values{"verdict": {"refuse"}}
	page.page().Find(".all-shown input[name=items]").Each(func(_ int, s *goquery.Selection) {
		value, _ := s.Attr("value")
		all.Add("items", value)
	})
	c.post(c.list+"/verdicts", all).want(303)
	page = c.get(c.list + "/candidates?verdict=refuse").want(200)
	if page.page().Find(".candidates > li").Length() != 2 || !strings.Contains(page.text(".candidates"), "Refused") {
		t.Errorf("refused: %s", page.text(".candidates"))
	}
	if list := c.get(c.list).want(200); list.page().Find("tr[data-row]").Length() != 1 {
		t.Errorf("the list: %s", list.text("main"))
	}

	c.post(c.list+"/verdicts", url.Values{"verdict": {"refuse"}}).want(422)
	wrong := c.post(c.list+"/rule", url.Values{"regex": {"(a"}, "shorter_than": {"many"}}).want(422)
	if !strings.Contains(wrong.text("#r-shorter-more"), "whole number") {
		t.Errorf("a wrong length: %s", wrong.text("form.rule-form"))
	}
	wrong = c.post(c.list+"/rule", url.Values{"regex": {"(a"}}).want(422)
	if !strings.Contains(wrong.text("#r-regex-more"), "a ( has no )") {
		t.Errorf("a wrong expression: %s", wrong.text("form.rule-form"))
	}
	wrong = c.post(c.list+"/rule", url.Values{"preview": {"true"}}).want(422)
	if !strings.Contains(wrong.text(".notice-bad"), "has no condition") {
		t.Errorf("an empty rule: %s", wrong.text("form.rule-form"))
	}
}
