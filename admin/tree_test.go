package admin

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"treewarden/corpus/spreadsheet"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

func TestTreesList(t *testing.T) {
	s := storetest.New(t)
	server := newServer(t, s)
	g := plant(t, s)
	storetest.Tree(t, s, storetest.Node{Author: g.bob, Text: "Wie geht das?", Lang: "de"})
	c := staff(t, server, policy.Moderator)
	for query, want := range map[string]int{"": 2, "lang=de": 1, "state=growing": 2, "state=ranking": 0, "author=" +
		g.ann.String(): 1, "origin=x": 0, "author=" + uuid.NewString(): 0} {
		page := c.get("/trees?" + query).want(200).page()
		if n := page.Find("tbody tr").Length(); n != want {
			t.Errorf("?%s: %d rows, want %d", query, n, want)
		}
		if want == 0 && page.Find(".empty").Length() != 1 {
			t.Errorf("?%s: no word about the empty list", query)
		}
		var list store.List[store.Tree]
		if c.get("/api/v1/trees?" + query).want(200).json(&list); len(list.Items) != want {
			t.Errorf("?%s: the API answers %d items, want %d", query, len(list.Items), want)
		}
	}
	for _, query := range []string{"state=dead", "author=ann", "limit=-1", "cursor=%21", "origin=%00"} {
		c.get("/trees?" + query).want(400)
		c.get("/api/v1/trees?" + query).want(400)
	}
	if csv := c.get("/trees?format=csv").want(200).body; !strings.HasPrefix(csv, spreadsheet.ByteOrderMark+"id,state,") ||
		strings.Count(csv, "\n") != 3 {
		t.Errorf("the CSV is %q", csv)
	}
}

func TestTreePage(t *testing.T) {
	s := storetest.New(t)
	server := newServer(t, s)
	g := plant(t, s)
	c := staff(t, server, policy.Moderator)
	path := "/trees/" + g.prompt.String()

	page := c.get(path).want(200).page()
	if n := page.Find(".outline > li > details > ul > li").Length(); n != 2 {
		t.Errorf("the prompt has %d replies in the outline, want 2", n)
	}
	if n := page.Find(".outline .leaf .message-menu").Length(); n != 4 {
		t.Errorf("%d messages have a menu, want 4", n)
	}
	var tree store.TreeDetail
	c.get("/api/v1" + path).want(200).json(&tree)
	if tree.Prompt == nil || len(tree.Prompt.Replies) != 2 || tree.Prompt.Replies[0].Replies[0].MessageID != g.below {
		t.Errorf("the API's tree is %+v", tree)
	}

	c.post(at(g.first, "/delete"), url.Values{"reason": {"vandalism"}, "return": {path}}).want(303)
	page = c.get(path).page()
	if n := page.Find(".outline .leaf.deleted").Length(); n != 2 {
		t.Errorf("%d messages are struck through, want the deleted one and its reply", n)
	}
	c.post(path+"/halt", url.Values{"reason": {"vandals here"}}).want(303)
	halted := c.get(path)
	if text := halted.text(".notice-warn"); !strings.Contains(text, "stopped") || !strings.Contains(text, "growing") {
		t.Errorf("a halted tree says %q", text)
	}
	last := c.get("/audit").page().Find(`main tbody a[href^="/actions/"]`).First()
	action := c.get(attr(last, "href")).want(200)
	if text := action.text("main table"); !strings.Contains(text, "stopped by a moderator") ||
		strings.Contains(text, "halted by") {
		t.Errorf("the action shows the states %q", text)
	}
	if head := action.text("#objects-title"); head != "Trees that it touched" {
		t.Errorf("the tree of the action stands below %q", head)
	}
	if badges := c.get("/trees").text("td[data-label=State]"); !strings.Contains(badges, "stopped by a moderator") {
		t.Errorf("the list of trees shows %q", badges)
	}
	if halted.page().Find(`.page-head a[href*="/resume"]`).Length() != 1 {
		t.Error("a halted tree cannot be restarted from its page")
	}
	if done := halted.text(".recent-actions"); !strings.Contains(done, "Stopped") ||
		!strings.Contains(done, "vandals here") {
		t.Errorf("what was done to the tree reads %q", done)
	}
	lead := staff(t, server, policy.DataLead).get(path).want(200).page()
	if n := lead.Find(".page-head [data-dialog]").Length(); n != 0 {
		t.Error("a data lead is offered to restart a tree")
	}
	c.get("/trees/" + uuid.NewString()).want(404)
	c.get("/trees/oak").want(400)

	empty := uuid.New()
	storetest.Exec(t, s, "INSERT INTO trees (tree_id, state) VALUES ($1, 'growing')", empty)
	if text := c.get("/trees/" + empty.String()).want(200).text(".card-body"); !strings.Contains(text, "no message yet") {
		t.Errorf("a tree without messages says %q", text)
	}
}

// TestDeepTree checks that a page shows a part of a tree with many levels, with
// links to the rest.
func TestDeepTree(t *testing.T) {
	s := storetest.New(t)
	server := newServer(t, s)
	node := storetest.Node{Text: "the last"}
	for range outlineLevels + 20 {
		node = storetest.Node{Replies: []storetest.Node{node}}
	}
	ids := storetest.Tree(t, s, node)
	c := staff(t, server, policy.Moderator)
	page := c.get("/trees/" + ids[0].String()).want(200).page()
	if n := page.Find(".leaf").Length(); n != outlineLevels+1 {
		t.Errorf("the outline has %d levels, want %d", n, outlineLevels+1)
	}
	if page.Find(".leaf-cut a").Length() != 1 {
		t.Error("what is left out is not linked to")
	}
	thread := c.get(at(ids[len(ids)-1])).want(200).page()
	if n := thread.Find("article.message-view").Length(); n != shownPath {
		t.Errorf("the thread has %d messages, want %d", n, shownPath)
	}
	if gap := thread.Find(".thread-gap").Text(); !strings.HasPrefix(gap, "41 messages") {
		t.Errorf("what is left out of the thread is told as %q", gap)
	}
}
