package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/corpus/spreadsheet"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

func init() {
	pageTypes["message"] = messagePage{}
	pageTypes["messages"] = messagesPage{}
	pageTypes["history"] = historyPage{}
	pageTypes["tree"] = treePage{}
	pageTypes["trees"] = treesPage{}
}

// grove is a small tree: a prompt with two replies, the first of which has one.
type grove struct {
	ann, bob                     uuid.UUID
	prompt, first, below, second uuid.UUID
}

func plant(t *testing.T, s *store.Store) grove {
	t.Helper()
	g := grove{ann: storetest.User(t, s, "Ann Example"), bob: storetest.User(t, s, "Bob Example")}
	ids := storetest.Tree(t, s, storetest.Node{Author: g.ann, Text: "How do I prune a **pear** tree?",
		At: time.Now().Add(-3 * time.Hour), Replies: []storetest.Node{
			{Author: g.bob, Text: "In winter.\n\n- a sharp saw\n- patience", At: time.Now().Add(-2 * time.Hour),
				Replies: []storetest.Node{{Author: g.ann, Text: "Thank you <b>so</b> much"}}},
			{Author: g.bob, Text: "Ask somebody else", At: time.Now().Add(-time.Hour)}}})
	g.prompt, g.first, g.below, g.second = ids[0], ids[1], ids[2], ids[3]
	return g
}

func at(id uuid.UUID, more ...string) string {
	return "/messages/" + id.String() + strings.Join(more, "")
}

func TestMessagesList(t *testing.T) {
	s := storetest.New(t)
	server := newServer(t, s)
	g := plant(t, s)
	storetest.Exec(t, s, "UPDATE messages SET review_result = false WHERE message_id = $1", g.second)
	c := staff(t, server, policy.Moderator)

	page := c.get("/messages").want(200).page()
	if n := page.Find("tbody tr").Length(); n != 4 {
		t.Errorf("%d rows, want 4", n)
	}
	row := page.Find("#m-" + g.second.String())
	if badge := row.Find(".badge").Text(); badge != "Spam" {
		t.Errorf("the badge of a rejected message is %q", badge)
	}
	for _, item := range []string{"[data-open]", `a[href*="/edit?"]`, `a[href*="/delete?"]`, ".message-menu"} {
		if row.Find(item).Length() == 0 {
			t.Errorf("a row lacks %s", item)
		}
	}
	for query, want := range map[string]int{
		"q=pear": 1, "q=PEAR+prune": 1, "q=pear+saw": 0, "role=assistant": 2, "user=" + g.ann.String(): 2,
		"review=rejected": 1, "review=accepted": 3,
		"deleted=only": 0, "lang=de": 0, "tree=" + g.prompt.String(): 4, "tree_state=growing": 4, "has=report": 0,
		"sort=old&limit=3":         3,
		"user=" + uuid.NewString(): 0, "since=2020-01-01": 4, "until=2020-01-01T00:00:00Z": 0,
	} {
		if n := c.get("/messages?" + query).want(200).page().Find("tbody tr").Length(); n != want {
			t.Errorf("?%s: %d rows, want %d", query, n, want)
		}
		var list store.List[store.Message]
		if c.get("/api/v1/messages?" + query).want(200).json(&list); len(list.Items) != want {
			t.Errorf("?%s: the API answers %d items, want %d", query, len(list.Items), want)
		}
	}
	for _, query := range []string{"role=user", "deleted=maybe", "review=spam", "has=all", "sort=up", "user=me", "tree=1",
		"tree_state=dead", "label=spam", "label=nope>1",
		"toxicity=high", "classifier=x>1", "since=yesterday", "limit=0x", "limit=201", "cursor=abc", "q=%00", "q=%ff"} {
		c.get("/messages?" + query).want(400)
		c.get("/api/v1/messages?" + query).want(400)
	}

	next := c.get("/messages?limit=3").want(200).page().Find("a[rel=next]").AttrOr("href", "")
	if n := c.get("/messages" + next).want(200).page().Find("tbody tr").Length(); n != 1 {
		t.Errorf("the second page has %d rows, want 1", n)
	}
	csv := c.get("/messages?format=csv").want(200)
	lines := strings.Count(csv.body, "\n")
	if !strings.HasPrefix(csv.body, spreadsheet.ByteOrderMark+"message_id,") || lines < 5 {
		t.Errorf("the CSV has %d lines and begins with %.40q", lines, csv.body)
	}
}

func TestMessagePage(t *testing.T) {
	s := storetest.New(t)
	server := newServer(t, s)
	g := plant(t, s)
	storetest.React(t, s, g.first, g.ann, "+1", time.Now())
	storetest.Report(t, s, g.first, g.ann, "the saw is rusty", time.Now())
	storetest.Vote(t, s, g.first, g.ann, "quality", 0.75, time.Now())
	c := staff(t, server, policy.Moderator)

	page := c.get(at(g.first)).want(200).page()
	var order []string
	for _, node := range page.Find("article.message-view").EachIter() {
		order = append(order, node.AttrOr("id", ""))
	}
	if want := fmt.Sprint([]string{"m-" + g.prompt.String(), "m-" + g.first.String(), "m-" +
		g.below.String()}); fmt.Sprint(order) != want {
		t.Errorf("the thread shows %v, want %s", order, want)
	}
	current := page.Find("article.message-view[aria-current]")
	if current.AttrOr("id", "") != "m-"+g.first.String() || !current.Is(".assistant[autofocus]") {
		t.Error("the message asked for is not the one that is marked")
	}
	if items := current.Find(".text li").Length(); items != 2 {
		t.Errorf("Markdown is not rendered: %d list items, want 2", items)
	}
	for selector, want := range map[string]string{
		".siblings": "1 of 2 replies", ".reaction": "👍 1", ".mark": "quality 75 %", ".badge-bad": "1 report",
	} {
		if got := strings.Join(strings.Fields(current.Find(selector).Text()), " "); !strings.Contains(got, want) {
			t.Errorf("%s says %q, want %q", selector, got, want)
		}
	}
	if text := page.Find(".report-reason").Text(); text != "the saw is rusty" {
		t.Errorf("the report's reason reads %q", text)
	}
	if n := page.Find(".outline .leaf").Length(); n != 4 {
		t.Errorf("the outline has %d nodes, want 4", n)
	}
	if text := page.Find("#m-" + g.below.String() + " .text").Text(); !strings.Contains(text, "<b>so</b>") {
		t.Errorf("raw HTML is not shown as text: %q", text)
	}
	if raw := c.get(at(g.first, "?view=raw")).want(200).text("article[aria-current] .text.raw"); !strings.Contains(raw,
		"- a sharp saw") {
		t.Errorf("the raw view shows %q", raw)
	}
	c.get(at(g.first, "?view=other")).want(400)
	c.get(at(g.first, "/thread")).want(200)
	c.get("/messages/none").want(400)
	c.get(at(uuid.New())).want(404)
	c.get("/api/v1" + at(uuid.New())).want(404)
}

func TestMessageMenu(t *testing.T) {
	s := storetest.New(t)
	server := newServer(t, s)
	g := plant(t, s)
	menu := func(c *client) []string {
		var items []string
		menu := c.get(at(g.first, "/menu")).want(200).page().Find("main .menu-items")
		for _, item := range menu.Find("a, .menu-group > button").EachIter() {
			item.Find("kbd").Remove()
			items = append(items, strings.TrimSpace(item.Text()))
		}
		return items
	}
	look := "Open in new tab, Copy message link, Copy raw message, Copy message id, Open message, View tree, " +
		"View user, Raw JSON"
	moderator := staff(t, server, policy.Moderator)
	for name, test := range map[string]struct {
		c    *client
		want string
	}{
		"moderator": {moderator,
			"Label…, Report…, " + look + ", Add to list…, Mark as spam…, Edit…, Delete…, Stop tree…, Ban author…"},
		"data lead": {staff(t, server, policy.DataLead), "Label…, " + look + ", Add to list…"},
	} {
		if got := strings.Join(menu(test.c), ", "); got != test.want {
			t.Errorf("the menu of a %s:\n got %s\nwant %s", name, got, test.want)
		}
	}
	storetest.Exec(t, s, "UPDATE messages SET deleted = true, review_result = false WHERE message_id = $1", g.first)
	storetest.Exec(t, s, "UPDATE trees SET state = 'halted_by_moderator' WHERE tree_id = $1", g.prompt)
	storetest.Exec(t, s, "UPDATE users SET banned_at = now(), ban_reason = 'test' WHERE user_id = $1", g.bob)
	want := "Label…, Report…, " + look + ", Add to list…, Mark as not spam…, Edit…, Undelete…, Restart tree…"
	if got := strings.Join(menu(moderator), ", "); got != want {
		t.Errorf("the menu of what is deleted, spam and halted:\n got %s\nwant %s", got, want)
	}
	// Every form that a menu leads to opens, alone and in a dialog.
	for _, link := range moderator.get(at(g.first, "/menu")).page().Find("a[data-dialog]").EachIter() {
		path := link.AttrOr("href", "")
		moderator.get(path).want(200)
		moderator.do(http.MethodGet, path, nil, "", "X-Partial", "dialog").want(200)
	}
}

func TestToxicTextsAreHidden(t *testing.T) {
	s := storetest.New(t)
	server := newServer(t, s)
	g := plant(t, s)
	actor := storetest.Staff(t, s, policy.Moderator)
	c := signedIn(t, server, actor)
	storetest.Vote(t, s, g.first, g.ann, "hate_speech", 1, time.Now())
	hiddenTexts := func() int {
		return c.get(at(g.first)).want(200).page().Find("article[aria-current] details.hidden-text").Length()
	}
	if hiddenTexts() != 0 {
		t.Error("one label of one person hides a text")
	}
	for i := range contentWarningVotes - 1 {
		storetest.Vote(t, s, g.first, storetest.User(t, s, fmt.Sprint("Voter ", i)), "hate_speech", 1, time.Now())
	}
	if hiddenTexts() != 1 {
		t.Error("the labels of three people do not hide a text")
	}
	why := c.get(at(g.first)).text("article[aria-current] .hidden-text-why")
	if !strings.Contains(why, "hate speech 100 %") {
		t.Errorf("the warning reads %q", why)
	}
	if leaf := c.get(at(g.first)).text(".outline .current > .leaf .leaf-text"); strings.Contains(leaf, "winter") {
		t.Errorf("the outline shows a hidden text: %q", leaf)
	}
	feedback := func() string {
		return c.get("/users/" + g.ann.String() + "?tab=given").want(200).text("table.feedback")
	}
	if text := feedback(); strings.Contains(text, "winter") || !strings.Contains(text, "Hidden: hate speech 100 %") {
		t.Errorf("what a user gave shows a hidden text: %q", text)
	}
	storetest.Exec(t, s, "UPDATE users SET blur_toxic = false WHERE user_id = $1", actor.UserID)
	if text := feedback(); !strings.Contains(text, "winter") {
		t.Errorf("what a user gave is hidden for somebody who does not want that: %q", text)
	}
	if hiddenTexts() != 0 {
		t.Error("a text is hidden for somebody who does not want that")
	}
}

func TestLabelsReactionsAndReports(t *testing.T) {
	s := storetest.New(t)
	server := newServer(t, s)
	g := plant(t, s)
	c := staff(t, server, policy.Moderator)

	form := c.get(at(g.first, "/labels")).want(200).page()
	if n := form.Find("fieldset").Length(); n != 9 {
		t.Errorf("the label form of a reply has %d questions, want 9", n)
	}
	if n := c.get(at(g.prompt, "/labels")).page().Find("fieldset").Length(); n != 7 {
		t.Errorf("the label form of a prompt has %d questions, want 7", n)
	}
	c.post(at(g.first, "/labels"), url.Values{"labels[spam]": {"0"}, "labels[hate_speech]": {"1"},
		"labels[pii]": {"0"}, "labels[quality]": {"0.75"}}).want(303)
	var m store.MessageDetail
	c.get("/api/v1" + at(g.first)).want(200).json(&m)
	for name, want := range map[string]float64{"spam": 0, "hate_speech": 1, "pii": 0, "quality": 0.75} {
		if l := m.Labels[name]; l.Count != 1 || l.Value == nil || *l.Value != want {
			t.Errorf("label %s is %+v, want %v by one", name, l, want)
		}
	}
	form = c.get(at(g.first, "/labels")).page()
	for _, chosen := range []string{`[name="labels[spam]"][value="0"]`, `[name="labels[hate_speech]"][value="1"]`,
		`[name="labels[quality]"][value="0.75"]`} {
		if !form.Find("input" + chosen).Is("[checked]") {
			t.Errorf("what was answered before is not marked: %s", chosen)
		}
	}
	wrong := c.post(at(g.first, "/labels"), url.Values{"labels[spam]": {"7"}}).want(422)
	if !strings.Contains(wrong.text(".notice-bad"), "from 0 to 1") {
		t.Errorf("a label out of range is refused with %q", wrong.text(".notice-bad"))
	}

	c.post(at(g.first, "/reactions"), url.Values{"emoji": {"red_flag"}, "op": {"add"}, "return": {at(g.first)}}).want(303)
	pressed := c.get(at(g.first, "/menu")).page().Find(`.menu-reactions form:has([aria-pressed="true"])`)
	if pressed.Find("button").AttrOr("value", "") != "red_flag" ||
		pressed.Find("[name=op]").AttrOr("value", "") != "remove" {
		t.Error("a reaction that was given is not offered to be taken back")
	}
	c.post(at(g.first, "/report"), url.Values{"reason": {"sells saws"}}).want(303)
	if reason := c.get(at(g.first)).text(".report-reason"); reason != "sells saws" {
		t.Errorf("the report reads %q", reason)
	}
}

// browserForm returns what a browser sends of a form: the controls that are on.
func browserForm(form *goquery.Selection) url.Values {
	sent := url.Values{}
	form.Find("input[name], textarea[name]").Each(func(_ int, in *goquery.Selection) {
		kind := attr(in, "type")
		if _, on := in.Attr("checked"); on || kind != "radio" && kind != "checkbox" {
			sent.Add(attr(in, "name"), in.AttrOr("value", in.Text()))
		}
	})
	return sent
}

// TestUnknownClassifierOutput checks that a filter by an output that no classifier
// has is refused, with the most similar names.
func TestUnknownClassifierOutput(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	g := plant(t, s)
	c := staff(t, server, policy.DataLead)
	filter := func(output string) string { return "/messages?classifier=" + url.QueryEscape(output+">0.2") }
	c.get(apiPrefix + filter("detoxify.insult")).want(200) // none is known yet
	program(t, server, policy.Collector).send(post, apiPrefix+ingestPath, map[string]any{"type": "classifier_output",
		"id": "1", "message_id": g.first, "model": "detoxify",
		"scores": map[string]float64{"insult": 0.7, "threat": 0.1}}).want(200)
	if items := c.get(apiPrefix + filter("detoxify.insult")).want(200).field("items").([]any); len(items) != 1 {
		t.Errorf("%d messages, want 1", len(items))
	}
	for _, address := range []string{filter("detoxify.insults"), apiPrefix + filter("detoxify.insults")} {
		if a := c.get(address).want(400); !strings.Contains(a.body, "detoxify.insult, detoxify.threat") {
			t.Errorf("%s: %.300s", address, a.body)
		}
	}
	list := c.send(post, apiPrefix+"/lists", map[string]any{"name": "Insults", "kind": "bad"}).want(200).
		field("action", "target_id").(string)
	c.send(post, apiPrefix+"/lists/"+list+"/items", map[string]any{"filter": map[string]any{
		"classifier": "detoxify.insults>0.2"}}).want(400)
}

// TestLabelFormStoresOnlyAnswers sends the form of labels as a browser does: a
// question without an answer is neither stored nor counted as a no (fault 13).
func TestLabelFormStoresOnlyAnswers(t *testing.T) {
	s := storetest.New(t)
	server := newServer(t, s)
	g := plant(t, s)
	for _, rater := range []string{"One", "Two"} {
		storetest.Vote(t, s, g.first, storetest.User(t, s, rater), "not_appropriate", 1, time.Now())
	}
	c := staff(t, server, policy.Moderator)
	path := at(g.first, "/labels")
	send := func(answers map[string]string) {
		t.Helper()
		form := browserForm(c.get(path).want(200).page().Find(`form:has([name="labels[spam]"])`))
		for name, value := range answers {
			form.Set("labels["+name+"]", value)
		}
		c.post(path, form).want(303)
	}
	votes := func(want string) {
		t.Helper()
		var m store.MessageDetail
		c.get("/api/v1" + at(g.first)).want(200).json(&m)
		got := ""
		for _, v := range m.Votes {
			if strings.HasPrefix(v.By, policy.Moderator) {
				got = fmt.Sprint(v.Labels)
			}
		}
		if got != want {
			t.Errorf("stored are %s, want %s", got, want)
		}
	}
	inappropriate := func(value float64, count int) {
		t.Helper()
		var m store.MessageDetail
		c.get("/api/v1" + at(g.first)).want(200).json(&m)
		if l := m.Labels["not_appropriate"]; l.Count != count || *l.Value != value {
			t.Errorf("inappropriate is %v by %d, want %v by %d", *l.Value, l.Count, value, count)
		}
	}
	send(map[string]string{"spam": "1"})
	votes("map[spam:1]")
	inappropriate(1, 2)
	send(map[string]string{"spam": "1", "not_appropriate": "0", "pii": "1"})
	votes("map[not_appropriate:0 pii:1 spam:1]")
	inappropriate(2.0/3, 3)
	send(map[string]string{"quality": "0.5"}) // the form holds the earlier answers
	votes("map[not_appropriate:0 pii:1 quality:0.5 spam:1]")
	send(map[string]string{"not_appropriate": "", "pii": "0"}) // an answer is taken back
	votes("map[pii:0 quality:0.5 spam:1]")
	inappropriate(1, 2)
	// The form keeps what it does not ask for, and shows the step nearest to a value.
	api := "/api/v1" + path
	c.send("POST", api, map[string]any{
		"labels": map[string]float64{"spam": 0, "political_content": 0.3, "quality": 0.7}}).want(200)
	send(map[string]string{"pii": "1"})
	votes("map[pii:1 political_content:0.3 quality:0.75 spam:0]")

	c.send("POST", api, map[string]any{"labels": map[string]any{"spam": 1, "pii": nil}}).want(422)
	votes("map[pii:1 political_content:0.3 quality:0.75 spam:0]")
	c.send("POST", api, map[string]any{"labels": map[string]any{"spam": 0}}).want(200)
	votes("map[spam:0]")
	p := program(t, server, policy.Collector)
	user := storetest.User(t, s, policy.Moderator+" of a front end")
	line := func(labels string) string {
		return `{"type": "label", "id": "` + uuid.NewString() + `", "message_id": "` + g.first.String() + `", "user_id": "` +
			user.String() + `", "labels": ` + labels + `}`
	}
	for labels, accepted := range map[string]any{`{"spam": null}`: 0.0, `{"pii": 1}`: 1.0} {
		if got := p.ingestLines(line(labels)).want(200).field("accepted"); got != accepted {
			t.Errorf("of the labels %s, %v lines were accepted", labels, got)
		}
	}
	votes("map[pii:1]") // the later one
	if differs, err := s.VerifyScores(t.Context()); err != nil || len(differs) > 0 {
		t.Errorf("the counters differ: %v, %v", differs, err)
	}
}

func TestEditKeepsHistory(t *testing.T) {
	s := storetest.New(t)
	server := newServer(t, s)
	g := plant(t, s)
	c := staff(t, server, policy.Moderator)
	if text := c.get(at(g.second, "/history")).want(200).text(".empty"); !strings.Contains(text, "Never edited") {
		t.Errorf("the history of a message that was never edited says %q", text)
	}
	form := c.get(at(g.second, "/edit")).want(200).page()
	if text := form.Find("textarea").Text(); text != "Ask somebody else" {
		t.Errorf("the form holds %q", text)
	}
	version := form.Find("[name=version]").AttrOr("value", "")
	edit := func(version, text string) answer {
		return c.post(at(g.second, "/edit"), url.Values{"version": {version}, "text": {text}, "reason": {"kinder words"}})
	}
	edit(version, "Ask somebody kind").want(303)
	stale := edit(version, "Ask nobody at all").want(409)
	diff := stale.page().Find(".diff")
	if diff.Find("del").Length() == 0 || diff.Find("ins").Length() == 0 ||
		stale.page().Find("textarea").Text() != "Ask nobody at all" {
		t.Error("the second of two people does not see what they would overwrite, or loses what they typed")
	}

	page := c.get(at(g.second, "/history")).want(200).page()
	if n := page.Find(".version").Length(); n != 2 {
		t.Fatalf("the history has %d versions, want 2", n)
	}
	page.Find(".visually-hidden").Remove()
	if was, is := page.Find(".version del").Text(), page.Find(".version ins").Text(); was != "else" || is != "kind" {
		t.Errorf("the word diff says -%q +%q", was, is)
	}
	var list store.List[store.Revision]
	c.get("/api/v1" + at(g.second, "/history")).want(200).json(&list)
	if len(list.Items) != 2 || !list.Items[0].Original || list.Items[1].Text != "Ask somebody kind" {
		t.Errorf("the API's history is %+v", list.Items)
	}
	badges := c.get(at(g.second)).text("article[aria-current] .message-view-badges")
	if !strings.Contains(badges, "Edited") {
		t.Errorf("an edited message is marked %q", badges)
	}
}

// TestImportedTextsHaveHistory checks that a text that an import replaces stands in the
// history, with nobody of staff behind the new one (fault 8).
func TestImportedTextsHaveHistory(t *testing.T) {
	s := storetest.New(t)
	server := newServer(t, s)
	c := staff(t, server, policy.Moderator)
	id := uuid.New()
	send := func(texts ...string) store.ImportSummary {
		t.Helper()
		var lines strings.Builder
		for _, text := range texts {
			fmt.Fprintf(&lines, `{"message_id": %q, "role": "prompter", "text": %q}`+"\n", id, text)
		}
		records := corpus.NewReader(strings.NewReader(lines.String()), "").All()
		done, err := s.Import(t.Context(), records, store.ImportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	texts := func(want ...string) {
		t.Helper()
		var list store.List[store.Revision]
		c.get("/api/v1" + at(id, "/history")).want(200).json(&list)
		var got []string
		for i, r := range list.Items {
			if r.Original != (i == 0) || r.UserID != nil || r.Action != nil {
				t.Errorf("revision %d is %+v", i, r)
			}
			got = append(got, r.Text)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the texts are %q, want %q", got, want)
		}
	}
	send("How old is the moon?")
	texts()
	send("How old is the sun?")
	send("How old is the sun?")
	texts("How old is the moon?", "How old is the sun?")
	page := c.get(at(id, "/history")).want(200)
	if head := page.text(".version:first-of-type .card-head"); !strings.Contains(head, "by an import") ||
		strings.Contains(head, "Original") {
		t.Errorf("the head of an imported text says %q", head)
	}
	if c.get(at(id)).page().Find(fmt.Sprintf(`a[href="%s"]`, at(id, "/history"))).Length() == 0 {
		t.Error("the page of the message does not lead to its history")
	}
	send("How old is the earth?")
	texts("How old is the moon?", "How old is the sun?", "How old is the earth?")
	if m := c.get("/api/v1" + at(id)).want(200); m.field("text") != "How old is the earth?" {
		t.Errorf("the text is %v", m.field("text"))
	}
	// What staff wrote stays.
	c.post(at(id, "/edit"), url.Values{"version": {fmt.Sprint(c.get("/api/v1" + at(id)).field("version"))},
		"text": {"How old is the wind?"}, "reason": {"kinder words"}}).want(303)
	if done := send("How old is the sea?"); done.Updated != 0 {
		t.Errorf("an import changed a text of staff: %+v", done)
	}
}

func TestMessageAPI(t *testing.T) {
	s := storetest.New(t)
	server := newServer(t, s)
	g := plant(t, s)
	c := staff(t, server, policy.Moderator)
	var m map[string]any
	c.get("/api/v1" + at(g.first)).want(200).json(&m)
	for _, key := range strings.Fields(`message_id parent_id message_tree_id user_id created_date text role lang
		review_count review_result deleted rank
		synthetic model_name emojis labels detoxify classifiers edited depth children_count tree_state version`) {
		if _, ok := m[key]; !ok {
			t.Errorf("a message lacks %s", key)
		}
	}
	var thread struct{ Path, Replies []store.Message }
	c.get("/api/v1" + at(g.below, "/thread")).want(200).json(&thread)
	if len(thread.Path) != 3 || thread.Path[0].MessageID != g.prompt || thread.Path[2].MessageID != g.below ||
		thread.Replies == nil || len(thread.Replies) != 0 {
		t.Errorf("the thread is %+v", thread)
	}
	for _, path := range []string{"/history", "/thread", ""} {
		c.get("/api/v1" + at(uuid.New(), path)).want(404)
		c.get("/api/v1/messages/x" + path).want(400)
	}
}
