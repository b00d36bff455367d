package admin

import (
	"net/http"
	"net/url"
	"testing"

	"treewarden/policy"
	"treewarden/store/storetest"
)

func init() { pageTypes["leave"] = leavePage{} }

// TestLinksAskBeforeTheyLeave follows a link in the text of a contributor.
func TestLinksAskBeforeTheyLeave(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	moderator := staff(t, server, policy.Moderator)
	const target = `https://example.org/a?b=c&d=x#e`
	author := storetest.User(t, s, "Author")
	message := storetest.Tree(t, s, storetest.Node{Author: author, Text: "[here](<" + target + ">)"})[0]

	link := moderator.get("/messages/" + message.String()).want(http.StatusOK).page().Find(".text a").First()
	href, err := url.Parse(link.AttrOr("href", ""))
	if err != nil || href.Path != leavePath || href.Host != "" {
		t.Fatalf("the text links to %s: %v", href, err)
	}
	page := moderator.get(href.String()).want(http.StatusOK).page()
	open := page.Find("main a.btn-primary")
	if got, err := url.Parse(open.AttrOr("href", "")); err != nil || got.Host != "example.org" || got.Fragment != "e" ||
		open.AttrOr("rel", "") != "noreferrer nofollow" {
		t.Errorf("the button leads to %v, rel %q: %v", got, open.AttrOr("rel", ""), err)
	}
	if got := page.Find("main strong").Text(); got != "example.org" {
		t.Errorf("the site is %q", got)
	}
	for _, wrong := range []string{"", "javascript:alert(1)", "/users", "//example.org", "data:text/html,x", "https://",
		"ftp://example.org", "https://[", "x"} {
		moderator.get(leavePath + "?to=" + url.QueryEscape(wrong)).want(http.StatusBadRequest)
	}
	newClient(t, server).get(leavePath + "?to=https://example.org").want(http.StatusSeeOther)
}
