package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// TestEvidenceIsText opens a row of the board: three excerpts of the messages
// behind a signal, with what was said of them, a link to all, and the acts on the
// user.
func TestEvidenceIsText(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	moderator, lead := staff(t, server, policy.Moderator), staff(t, server, policy.DataLead)
	author := storetest.User(t, s, "Author")
	var judges []uuid.UUID
	for i := range 3 {
		judges = append(judges, storetest.User(t, s, fmt.Sprint("Judge ", i)))
	}
	var m []uuid.UUID
	for i := range 5 {
		m = append(m, storetest.Tree(t, s, storetest.Node{Author: author,
			Text: fmt.Sprint("message number ", i, strings.Repeat(" word", 30)),
			At:   time.Now().Add(-time.Duration(i+1) * time.Hour)})[0])
		storetest.React(t, s, m[i], judges[0], "red_flag", time.Now())
	}
	storetest.Report(t, s, m[0], judges[1], "He insults people", time.Now())
	for _, judge := range judges {
		storetest.Vote(t, s, m[1], judge, "hate_speech", 1, time.Now())
	}
	if err := s.RebuildScores(t.Context()); err != nil {
		t.Fatal(err)
	}

	board := "/trollboard?frame=week&open=" + author.String()
	flags := func(c *client, path string) *goquery.Selection {
		return c.get(path).want(http.StatusOK).page().Find(`tr.detail tr[id$="-red_flags"] .evidence`)
	}
	cell := flags(moderator, board)
	if n := cell.Find("li").Length(); n != 3 {
		t.Fatalf("%d messages stand in the row, want 3", n)
	}
	first := cell.Find("li").Eq(0).Text()
	if !strings.Contains(first, "message number 0 word") || len(first) > 160 ||
		!strings.Contains(first, "“He insults people”") {
		t.Errorf("the first message is shown as %q", first)
	}
	if hidden := cell.Find("li").Eq(1).Find("details.peek"); hidden.Length() != 1 ||
		!strings.Contains(hidden.Find("summary").Text(), "hate speech 100 %") {
		t.Error("the text with the warning is not hidden")
	}
	if cell.Find("li").Eq(2).Find("details").Length() != 0 {
		t.Error("a harmless text is hidden")
	}
	if n := flags(moderator, board+"&reveal=1").Find("details").Length(); n != 0 {
		t.Error("a text is hidden on a page that was asked to reveal all")
	}

	all := cell.Find(".evidence-all a")
	if got := all.Text(); !strings.HasPrefix(got, "all 5") {
		t.Errorf("the link to the messages says %q", got)
	}
	list := moderator.get(all.AttrOr("href", "")).want(http.StatusOK).page()
	if n := list.Find("table.messages tbody tr").Length(); n != 5 {
		t.Errorf("the link leads to %d messages, want 5", n)
	}
	if text := list.Find("p.notice").Text(); !strings.Contains(text, "Red flags, weekly, by the formula treewarden") {
		t.Errorf("the list says %q of its filter", text)
	}
	one := "/users/" + author.String() + "?signal=hate_speech"
	if n := moderator.get(one).page().Find("table.messages tbody tr").Length(); n != 1 {
		t.Errorf("%d messages for hate speech, want 1", n)
	}
	for _, wrong := range []string{"/users/" + author.String() + "?signal=mood",
		"/api/v1/users/" + author.String() + "/messages?signal=red_flags&frame=eon"} {
		moderator.get(wrong).want(http.StatusBadRequest)
	}

	ban := moderator.get(board).page().Find(`tr.detail .sheet-acts a[data-dialog]`).AttrOr("href", "")
	if back, _ := url.Parse(ban); back == nil || back.Path != "/users/"+author.String()+"/ban" ||
		!strings.HasPrefix(back.Query().Get("return"), "/trollboard?") ||
		!strings.Contains(back.Query().Get("return"), "open="+author.String()) {
		t.Errorf("Ban leads to %q", ban)
	}
	opener := moderator.get("/trollboard?frame=week").page().Find("#u-" + author.String() + " a[data-unfold]")
	unfold := opener.AttrOr("data-unfold", "")
	part := moderator.do(http.MethodGet, unfold, nil, "", "X-Partial", "dialog").want(http.StatusOK).page()
	if back, _ := url.Parse(part.Find(".sheet-acts a[data-dialog]").AttrOr("href", "")); back == nil ||
		!strings.Contains(back.Query().Get("return"), "open="+author.String()) {
		t.Error("Ban in a row that was opened in place does not return to it")
	}
	acts := lead.get(board).page().Find("tr.detail .sheet-acts a")
	if acts.Length() != 1 || acts.Text() != "View user" {
		t.Errorf("a data lead is offered %q", acts.Text())
	}
}

// TestMessageActsAndAuthor looks at the buttons below a message, at the card of
// its author, and at what hides texts.
func TestMessageActsAndAuthor(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	moderator, lead := staff(t, server, policy.Moderator), staff(t, server, policy.DataLead)
	author, judge := storetest.User(t, s, "Author"), storetest.User(t, s, "Judge")
	ids := storetest.Tree(t, s, storetest.Node{Author: judge, Text: "the prompt of the tree", Replies: []storetest.Node{
		{Author: author, Text: "a dreadful answer"}, {Author: author, Text: "another answer"}}})
	storetest.React(t, s, ids[1], judge, "red_flag", time.Now())
	storetest.React(t, s, ids[1], judge, "-1", time.Now())
	storetest.Report(t, s, ids[2], judge, "rude", time.Now())
	for i := range 3 {
		storetest.Vote(t, s, ids[1], storetest.User(t, s, fmt.Sprint("Voter ", i)), "violence", 1, time.Now())
	}
	if err := s.RebuildScores(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"ban", "unban"} {
		moderator.send(http.MethodPost, "/api/v1/users/"+author.String()+"/"+path, map[string]any{"reason": "for the test"}).
			want(http.StatusOK)
	}

	self := "/messages/" + ids[1].String()
	page := moderator.get(self).want(http.StatusOK).page()
	buttons := func(page *goquery.Document) string {
		var all []string
		page.Find(".message-acts a").Each(func(_ int, a *goquery.Selection) {
			all = append(all, strings.Join(strings.Fields(a.Text()), " "))
		})
		return strings.Join(all, ", ")
	}
	if got := buttons(page); got != "Delete…d, Mark as spam…s, Ban author…b, Label…" {
		t.Errorf("a moderator's buttons are %q", got)
	}
	if got := buttons(lead.get(self).page()); got != "Label…" {
		t.Errorf("a data lead's buttons are %q", got)
	}
	if page.Find("article:not([aria-current]) .message-acts").Length() != 0 {
		t.Error("another message has buttons too")
	}
	if page.Find(`.tree-card a[href*="/halt"]`).Length() != 1 || page.Find(`.page-head a[href*="/halt"]`).Length() != 0 {
		t.Error("Stop tree is not in the card of the tree")
	}
	if h1 := page.Find("h1").Text(); h1 != "Message by Author" {
		t.Errorf("the title is %q", h1)
	}
	if sub := page.Find(".page-sub a").Text(); sub != "the prompt of the tree" {
		t.Errorf("below the title stands %q", sub)
	}
	card := page.Find(".author-card")
	if got := card.Find(".stat dd").Text(); got != "771" {
		t.Errorf("the figures of the author are %q: score of today, overall, open reports", got)
	}
	if got := card.Find(".author-signals a").Text(); got != "Red flagsDownvotes" {
		t.Errorf("the signals against the author are %q", got)
	}
	if got := card.Find(".author-reports").Text(); strings.TrimSpace(got) != "rude" {
		t.Errorf("the open reports are %q", got)
	}
	if got := card.Find(".recent-actions a").Text(); got != "UnbannedBanned" {
		t.Errorf("the earlier actions are %q", got)
	}

	if page.Find("details.hidden-text").Length() != 1 || page.Find("a[data-reveal]").Length() != 1 {
		t.Error("a hidden text cannot be revealed")
	}
	shown := moderator.get(self + page.Find("a[data-reveal]").AttrOr("href", "")).want(http.StatusOK).page()
	if shown.Find("details.hidden-text").Length() != 0 ||
		!strings.Contains(shown.Find(".actions").Text(), "Hide these texts again") {
		t.Error("the page does not reveal what it was asked to")
	}
	if moderator.get("/messages/"+ids[2].String()).page().Find("a[data-reveal]").Length() != 0 {
		t.Error("a page without hidden texts offers to reveal them")
	}

	user := moderator.get("/users/" + author.String()).want(http.StatusOK).page()
	if got := strings.Join(strings.Fields(user.Find(".tab-bar .tabs").Text()),
		" "); got != "Messages 2 Feedback 0 Actions 2" {
		t.Errorf("the tabs are %q", got)
	}
	given := moderator.get("/users/" + judge.String() + "?tab=given").want(http.StatusOK).page()
	if got := strings.Join(strings.Fields(given.Find(".tab-bar .tabs").Text()),
		" "); got != "Messages 1 Feedback 3 Actions 0" ||
		given.Find("table.feedback tbody tr").Length() != 3 {
		t.Errorf("the tabs of somebody who gave three things are %q", got)
	}
	if user.Find(".figures, details.profile-form[open]").Length() != 0 {
		t.Error("the tables or the form are open by themselves")
	}
	all := attr(user.Find(".all-figures a"), "href")
	figures := moderator.get("/users/" + author.String() + all).want(http.StatusOK).page()
	if text := figures.Find(".figures").Text(); !strings.Contains(text, "Reports given") ||
		figures.Find(".figures table").Length() != 3 || attr(figures.Find(".all-figures a"), "aria-expanded") != "true" {
		t.Errorf("all figures are %q", text)
	}
	if got := user.Find(".side-col .author-reports a").AttrOr("href", ""); got != "/messages/"+ids[2].String() {
		t.Errorf("the open report leads to %q", got)
	}
	tree := moderator.get("/trees/" + ids[0].String()).want(http.StatusOK).page()
	if h1 := tree.Find("h1").Text(); h1 != "the prompt of the tree" {
		t.Errorf("the title of the tree is %q", h1)
	}
}

// TestPlaceBy writes ranks in words.
func TestPlaceBy(t *testing.T) {
	for rank, want := range map[int]string{0: "1st of 30", 1: "2nd of 30", 2: "3rd of 30", 3: "4th of 30",
		10: "11th of 30", 11: "12th of 30", 12: "13th of 30", 20: "21st of 30", 30: "rank 30"} {
		if got := placeBy(&rank, 30); got != want {
			t.Errorf("rank %d is %q, want %q", rank, got, want)
		}
	}
	if placeBy(nil, 3) != "" {
		t.Error("no rank has a place")
	}
}
