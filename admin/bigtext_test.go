package admin

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"treewarden/store"
	"treewarden/store/lists"
	"treewarden/store/storetest"
)

// TestBigTexts (fault 28) looks at a message of 3.7 MB: pages hold its beginning, the
// API and the page that asks for it the whole.
func TestBigTexts(t *testing.T) {
	t.Parallel()
	c := newCurator(t)
	author, messages := thread(t, c.store)
	c.upload(messages[0].String(), "").want(200)
	storetest.Exec(t, c.store, "UPDATE messages SET text = repeat('héllo ', 540000) || 'the end' WHERE message_id = $1",
		messages[0])
	path, tree := "/messages/"+messages[0].String(), "/trees/"+messages[0].String()
	user := "/users/" + author.String()
	for _, at := range []string{"/messages", path, tree, user, c.list} {
		if n := len(c.get(at).want(200).body); n > 200_000 {
			t.Errorf("%s: %d bytes", at, n)
		}
	}
	link := attr(c.get(path).page().Find(`a:contains("Show all 3,780,007 bytes")`), "href")
	if body := c.get(link).want(200).body; link != path+"?full=1" || !strings.Contains(body, "the end") {
		t.Errorf("the link is %q, its page has %d bytes", link, len(body))
	}
	for _, at := range []string{apiPrefix + "/messages", apiPrefix + path, "/messages?format=csv", apiPrefix + tree,
		apiPrefix + user + "/messages", user + "/messages?format=csv", apiPrefix + c.list + "/items",
		c.list + "?format=jsonl"} {
		if !strings.Contains(c.get(at).want(200).body, "the end") {
			t.Errorf("%s cuts the text", at)
		}
	}
}

// TestPagesReadBeginnings checks what pages read of a text of 3.7 MB.
func TestPagesReadBeginnings(t *testing.T) {
	t.Parallel()
	c := newCurator(t)
	_, messages := thread(t, c.store)
	c.upload(messages[0].String(), "").want(200)
	storetest.Exec(t, c.store, "UPDATE messages SET text = repeat('héllo ', 540000) WHERE message_id = $1", messages[0])
	list := uuid.MustParse(strings.TrimPrefix(c.list, "/lists/"))
	ctx := t.Context()
	named, err := c.store.MessagesNamed(ctx, store.CommandLine, messages)
	if err != nil || len([]rune(named[messages[0]].Text)) != shownText+1 {
		t.Errorf("by its id: %d bytes, %v", len(named[messages[0]].Text), err)
	}
	tree, err := c.store.Tree(ctx, store.CommandLine, messages[0], outlineText)
	if err != nil || len([]rune(tree.Prompt.Text)) != outlineText {
		t.Errorf("the outline: %v", err)
	}
	items, err := c.store.ListItems(ctx, store.CommandLine, list, lists.ItemFilter{TextLimit: 500})
	if err != nil || len(items.Items) != 1 || len([]rune(*items.Items[0].Text)) != 500 ||
		items.Items[0].State != lists.EditedSince {
		t.Errorf("the items: %v", err)
	}
}

// TestDiffOfBigTexts edits a big message that is on a list, at its beginning: the page of
// the list shows the change and says that it compares only the beginnings.
func TestDiffOfBigTexts(t *testing.T) {
	t.Parallel()
	c := newCurator(t)
	_, messages := thread(t, c.store)
	storetest.Exec(t, c.store, "UPDATE messages SET text = repeat('word ', 8000) WHERE message_id = $1", messages[0])
	c.upload(messages[0].String(), "").want(200)
	c.post("/messages/"+messages[0].String()+"/edit", url.Values{"text": {"Replaced. " + strings.Repeat("word ", 3990)},
		"version": {"1"}, "reason": {"too long"}, "key": {"edit-1"}}).want(303)
	page := c.get(c.list).want(200)
	if ins := page.text("ins"); !strings.Contains(ins, "Replaced.") ||
		!strings.Contains(page.text("main"), "Only the beginnings of the two long texts are compared") {
		t.Errorf("the change is %q", ins)
	}
}
