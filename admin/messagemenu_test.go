package admin

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// TestMenuPage opens the menu of a row as a page and as a part of one.
func TestMenuPage(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	g := plant(t, s)
	c := staff(t, server, policy.Moderator)
	list := "/messages?deleted=include"
	place := list + "#m-" + g.first.String()

	link := c.get(list).want(200).page().Find("#m-" + g.first.String() + " [data-menu]")
	href, _ := link.Attr("href")
	if want := ActPath("message", g.first, "menu", list); href != want {
		t.Errorf("the … of a row leads to %s, want %s", href, want)
	}
	if keys, _ := link.Attr("data-keys"); keys != "lsdhb" {
		t.Errorf("the keys of a row are %q", keys)
	}
	if n := c.get(list).page().Find(".menu-items").Length(); n != 0 {
		t.Errorf("the list holds %d menus before one is opened", n)
	}
	page := c.get(href).want(200).page()
	if head := page.Find("h1").Text(); head != "Actions on a message" {
		t.Errorf("the page of a menu is %q", head)
	}
	form, _ := page.Find(".menu-items a:contains('Delete…')").Attr("href")
	if want := ActPath("message", g.first, "delete", place); form != want {
		t.Errorf("Delete leads to %s, want %s", form, want)
	}
	part := c.do("GET", href, nil, "", "X-Partial", "dialog").want(200)
	if !strings.HasPrefix(part.body, `<div class="menu-items">`) || strings.Contains(part.body, "<html") {
		t.Errorf("the part of a page is %.200s", part.body)
	}

	// Without scripts an act returns to the row.
	back, _ := c.get(form).want(200).page().Find("form.act input[name=return]").Attr("value")
	location := c.post(at(g.first, "/delete"), url.Values{"reason": {"vandalism"}, "return": {back}}).
		want(303).header.Get("Location")
	if !strings.HasSuffix(location, "#m-"+g.first.String()) ||
		!strings.HasPrefix(location, "/messages?deleted=include&done=") {
		t.Errorf("the act returns to %s", location)
	}
	menu := c.get(at(g.first, "/menu?return=//elsewhere.example")).want(200)
	if menu.page().Find("main [href*=elsewhere]").Length() != 0 {
		t.Error("the menu links to another host")
	}
	c.get(at(g.ann, "/menu")).want(404)
}

// TestFormOfBan shows what is known of the user, what a delete of their messages
// would take, and the lengths of a ban.
func TestFormOfBan(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	ann, bob := storetest.User(t, s, "Ann"), storetest.User(t, s, "Bob")
	storetest.Tree(t, s, storetest.Node{Author: bob, Text: "How do bees sleep?", Replies: []storetest.Node{
		{Author: ann, Text: "Upside down."}, {Author: bob, Text: "Standing."}}})
	c := staff(t, server, policy.Moderator)
	path := "/users/" + bob.String() + "/ban"
	c.post(path, url.Values{"reason": {"insults others"}}).want(303)
	c.post("/users/"+bob.String()+"/unban", url.Values{"reason": {"apologised"}}).want(303)

	page := c.get(path + "?for=week").want(200).page()
	choice := strings.Join(strings.Fields(page.Find("label:has(input[name=messages])").Text()), " ")
	if !strings.HasPrefix(choice, "Delete all their messages (2, and 1 reply by others)") {
		t.Errorf("the choice reads %q", choice)
	}
	known := strings.Join(strings.Fields(page.Find(".act-context").Text()), " ")
	for _, part := range []string{"Troll score today", "overall", "1 earlier ban", "Unbanned", "Banned",
		"“insults others”"} {
		if !strings.Contains(known, part) {
			t.Errorf("what is known of the user lacks %q: %s", part, known)
		}
	}
	if n := page.Find("input[type=radio][name=for]").Length(); n != 5 ||
		page.Find("[name=for][value=week][checked]").Length() != 1 {
		t.Errorf("%d lengths of a ban, or a week is not chosen", n)
	}
	c.post(path, url.Values{"reason": {"insults others"}, "for": {"week"}}).want(303)
	if n := c.get(path).want(200).page().Find("[name=for][value=''][checked]").Length(); n != 1 {
		t.Error("a ban for good is not the choice at first")
	}
	// Without the log there are no actions, but the form is there.
	if strings.Contains(c.get("/users/"+ann.String()+"/ban").want(200).page().Find(".act-context").Text(), "Banned") {
		t.Error("the form of another user shows these actions")
	}
}

// TestReviewIsNamedByItsResult checks that the entry of the menu, the form, its button and
// the log have one word for a result, and that the form offers the other results.
func TestReviewIsNamedByItsResult(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	c := staff(t, newServer(t, s), policy.Moderator)
	_, messages := thread(t, s)
	path := "/messages/" + messages[1].String()
	for _, r := range []struct{ word, past string }{{"Mark as spam", "Marked as spam"},
		{"Mark as not spam", "Marked as not spam"}} {
		entry := c.get(path + "/menu").want(200).page().Find(fmt.Sprintf(`.menu-items a:contains(%q)`, r.word+"…"))
		form := c.get(attr(entry, "href")).want(200)
		if form.text("#act-title") != r.word || form.text(".dialog-foot .btn-primary") != r.word {
			t.Errorf("%s leads to %q with the button %q", r.word, form.text("#act-title"),
				form.text(".dialog-foot .btn-primary"))
		}
		if n := form.page().Find("[type=radio]").Length(); n != 0 {
			t.Errorf("the form of %s has %d other results", r.word, n)
		}
		others := c.get(attr(form.page().Find("form.act a:contains('another result')"), "href")).want(200).page()
		if n := others.Find("[name=result][type=radio]").Length(); n != 3 {
			t.Errorf("the form without a result offers %d", n)
		}
		fields := formFields(form.page().Find("form.act"))
		fields.Set("reason", "")
		refused := c.post(path+"/review", fields).want(422)
		if refused.text("#act-title") != r.word || refused.text(".error") == "" {
			t.Errorf("without a reason: %q, %q", refused.text("#act-title"), refused.text(".error"))
		}
		fields.Set("reason", "as it is")
		done := c.post(path+"/review", fields).want(303).header.Get("Location")
		if toast := c.get(done).text(".toast"); !strings.HasPrefix(toast, r.past+": the message") {
			t.Errorf("done: %q", toast)
		}
		again := c.post(path+"/review", url.Values{"result": fields["result"], "reason": {"once more"}}).want(409)
		if want := "This message is marked" + strings.TrimPrefix(r.past, "Marked") + " already."; !strings.Contains(
			again.text("main"), want) {
			t.Errorf("again: %s", again.text("main"))
		}
	}
}
