package admin

import (
	"strings"
	"testing"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// TestBigTexts (fault 28) looks at a message of 3.7 MB: pages hold its beginning, the
// API and the page that asks for it the whole.
func TestBigTexts(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	c := staff(t, newServer(t, s), policy.Moderator)
	_, messages := thread(t, s)
	storetest.Exec(t, s, "UPDATE messages SET text = repeat('héllo ', 540000) || 'the end' WHERE message_id = $1",
		messages[0])
	path := "/messages/" + messages[0].String()
	for _, at := range []string{"/messages", path} {
		if n := len(c.get(at).want(200).body); n > 200_000 {
			t.Errorf("%s: %d bytes", at, n)
		}
	}
	link := attr(c.get(path).page().Find(`a:contains("Show all 3,780,007 bytes")`), "href")
	if body := c.get(link).want(200).body; link != path+"?full=1" || !strings.Contains(string(body), "the end") {
		t.Errorf("the link is %q, its page has %d bytes", link, len(body))
	}
	for _, at := range []string{apiPrefix + "/messages", apiPrefix + path, "/messages?format=csv"} {
		if !strings.Contains(string(c.get(at).want(200).body), "the end") {
			t.Errorf("%s cuts the text", at)
		}
	}
}
