package admin

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// TestLimitedPages shows a German moderator what they may act on, everything with
// one click, and what they ask for in any case. The API shows everything.
func TestLimitedPages(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	write := func(name, lang string) uuid.UUID {
		author := storetest.User(t, s, name)
		ids := storetest.Tree(t, s, storetest.Node{Author: author, Lang: lang, Text: "by " + name,
			Replies: []storetest.Node{{Author: author, Lang: lang, Text: "more by " + name}}})
		storetest.Tree(t, s, storetest.Node{Author: author, Lang: "en", Text: "hello"})
		reporter := storetest.User(t, s, "Reporter of "+lang)
		storetest.Exec(t, s, `INSERT INTO reports (tree_id, message_id, user_id, reason, at)
			SELECT tree_id, message_id, $2, 'Have a look.', now() FROM messages WHERE message_id = $1`, ids[0], reporter)
		return author
	}
	write("Anna", "de-CH")
	write("Béatrice", "fr")
	if err := s.RebuildScores(t.Context()); err != nil {
		t.Fatal(err)
	}
	keeper := storetest.Staff(t, s, policy.Moderator)
	c := signedIn(t, server, keeper)
	sees := func(path string, anna, beatrice bool) {
		t.Helper()
		body := c.get(path).want(200).body
		if strings.Contains(body, "Anna") != anna || strings.Contains(body, "Béatrice") != beatrice {
			t.Errorf("%s shows Anna: %v, Béatrice: %v", path, strings.Contains(body, "Anna"),
				strings.Contains(body, "Béatrice"))
		}
	}
	pages := []string{"/trollboard", "/users", "/messages", "/trees", "/"}
	for _, page := range pages {
		sees(page, true, true)
		if strings.Contains(c.get(page).want(200).body, "you may act on") {
			t.Errorf("%s has a limit for somebody without one", page)
		}
	}
	storetest.Exec(t, s, "UPDATE users SET languages = '{de,it}' WHERE user_id = $1", keeper.UserID)
	for _, page := range pages {
		sees(page, true, false)
		all := attr(c.get(page).want(200).page().Find("p.limited a"), "href")
		if u, err := url.Parse(all); err != nil || u.Query().Get("lang") != "all" {
			t.Errorf("%s offers %s", page, all)
		}
		sees(page+"?lang=all", true, true)
		if page != "/" {
			sees("/api/v1"+page, true, true)
		}
	}
	for _, page := range pages[:4] {
		sees(page+"?lang=fr", false, true)
	}
}
