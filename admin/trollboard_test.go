package admin

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

func init() {
	pageTypes["trollboard"] = trollboardPage{}
	pageTypes["partials/boardrow"] = boardLine{}
	pageTypes["score"] = scorePage{}
	pageTypes["partials/score"] = &scoreSheet{}
}

// crowd holds a few users with signals for and against them.
type crowd struct {
	troll, good, old, judge uuid.UUID
	flagged, praised        uuid.UUID // their messages
}

// makeCrowd gives the troll a red flag, a downvote and a spam label (score 5),
// the good user two upvotes (score −2), and the old one a downvote 40 days ago
// (score 1).
func makeCrowd(t *testing.T, s *store.Store) crowd {
	t.Helper()
	c := crowd{troll: storetest.User(t, s, "Trollo"), good: storetest.User(t, s, "Gisela Gut"),
		old: storetest.User(t, s, "Methuselah"), judge: storetest.User(t, s, "Judge")}
	other := storetest.User(t, s, "Other judge")
	hour, long := time.Now().Add(-time.Hour), time.Now().AddDate(0, 0, -40)
	ids := storetest.Tree(t, s, storetest.Node{Author: c.troll, Lang: "de", Text: "Ihr seid alle dumm",
		Replies: []storetest.Node{{Author: c.good, Lang: "de", Text: "Nein"}}})
	c.flagged, c.praised = ids[0], ids[1]
	ancient := storetest.Tree(t, s, storetest.Node{Author: c.old, At: long, Text: "long ago"})[0]
	storetest.React(t, s, c.flagged, c.judge, "red_flag", hour)
	storetest.React(t, s, c.flagged, other, "-1", hour)
	storetest.Vote(t, s, c.flagged, c.judge, "spam", 1, hour)
	storetest.React(t, s, c.praised, c.judge, "+1", hour)
	storetest.React(t, s, c.praised, other, "+1", hour)
	storetest.React(t, s, ancient, c.judge, "-1", long)
	return c
}

// ban bans a user as an admin would.
func ban(t *testing.T, s *store.Store, user uuid.UUID) {
	t.Helper()
	_, err := s.Act(t.Context(), storetest.Staff(t, s, policy.Admin),
		store.Act{Kind: "ban", Target: user, Reason: "a test bans"})
	if err != nil {
		t.Fatal(err)
	}
}

// names returns the users on the page of a board or a list, from the top.
func names(a answer) []string {
	a.t.Helper()
	var all []string
	a.page().Find("tbody .named bdi").Each(func(_ int, name *goquery.Selection) { all = append(all, name.Text()) })
	return all
}

func wantNames(t *testing.T, a answer, want ...string) {
	t.Helper()
	if got := names(a); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("users %q, want %q", got, want)
	}
}

func TestTrollboard(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	crowd := makeCrowd(t, s)
	moderator := staff(t, server, policy.Moderator)

	a := moderator.get("/trollboard").want(http.StatusOK)
	wantNames(t, a, "Trollo", "Methuselah", "Gisela Gut")
	page := a.page()
	row := page.Find("#u-" + crowd.troll.String())
	cells := map[string]string{}
	row.Find("td[data-label]").Each(func(_ int, cell *goquery.Selection) {
		cells[cell.AttrOr("data-label", "")] = strings.Join(strings.Fields(cell.Text()), " ")
	})
	for label, want := range map[string]string{"Red flags": "1", "Vote": "👍0👎1", "Spam": "1", "Toxicity": "–",
		"Messages": "1", "Languages": "de"} {
		if cells[label] != want {
			t.Errorf("%s is %q, want %q", label, cells[label], want)
		}
	}
	if got := row.Find("td.total").Text(); !strings.HasPrefix(got, "5") {
		t.Errorf("the troll's score is %q, want 5", got)
	}
	if href := row.Find(".named a").AttrOr("href", ""); href != "/users/"+crowd.troll.String() {
		t.Errorf("the name leads to %q", href)
	}
	var heads []string
	page.Find("thead th").Each(func(_ int, head *goquery.Selection) {
		heads = append(heads,
			strings.TrimSpace(head.Text()))
	})
	if got := strings.Join(heads, ", "); got != "Rank, Display name, Troll score, Rate, Red flags, Vote, Spam, "+
		"Toxicity, Messages, Languages, Last active, Actions" {
		t.Errorf("columns: %s", got)
	}
	if got := page.Find(`th[aria-sort="descending"]`).Text(); got != "Troll score" {
		t.Errorf("sorted by %q", got)
	}

	wantNames(t, moderator.get("/trollboard?frame=week"), "Trollo", "Gisela Gut")
	wantNames(t, moderator.get("/trollboard?lang=de"), "Trollo", "Gisela Gut")
	wantNames(t, moderator.get("/trollboard?q=gUt"), "Gisela Gut")
	wantNames(t, moderator.get("/trollboard?q=100%25"))
	if text := moderator.get("/trollboard?q=nobody").text(".empty"); !strings.Contains(text,
		"No users match") {
		t.Errorf("an empty board says %q", text)
	}
	if text := moderator.get("/trollboard?status=banned").text(".empty"); !strings.Contains(text, "No banned user") {
		t.Errorf("an empty board of banned users says %q", text)
	}

	ban(t, s, crowd.troll)
	wantNames(t, moderator.get("/trollboard"), "Methuselah", "Gisela Gut")
	banned := moderator.get("/trollboard?status=banned&lang=de")
	wantNames(t, banned, "Trollo")
	banned.page().Find(".tabs a").Each(func(_ int, tab *goquery.Selection) {
		u, err := url.Parse(tab.AttrOr("href", ""))
		if err != nil || u.Query().Get("status") != "banned" || u.Query().Get("lang") != "de" ||
			u.Query().Get("frame") == "" {
			t.Errorf("the tab %s leads to %q: the choice is lost", tab.Text(), tab.AttrOr("href", ""))
		}
	})
	wantNames(t, moderator.get("/trollboard?status=all"), "Trollo", "Methuselah", "Gisela Gut")
}

func TestTrollboardActs(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	crowd := makeCrowd(t, s)
	boss := storetest.Staff(t, s, policy.Admin)
	storetest.Tree(t, s, storetest.Node{Author: boss.UserID})

	page := staff(t, server, policy.Moderator).get("/trollboard?lang=de&cursor=").want(http.StatusOK).page()
	link := page.Find("#u-"+crowd.troll.String()+` a[data-dialog]`).AttrOr("href", "")
	u, err := url.Parse(link)
	if err != nil || u.Path != "/users/"+crowd.troll.String()+"/ban" ||
		u.Query().Get("return") != "/trollboard?cursor=&lang=de" {
		t.Errorf("the ban link is %q", link)
	}
	page = staff(t, server, policy.Moderator).get("/trollboard").page()
	if page.Find("#u-"+boss.UserID.String()).Length() != 1 ||
		page.Find("#u-"+boss.UserID.String()+" a[data-dialog]").Length() != 0 {
		t.Error("a moderator is offered to ban an admin, or does not see them")
	}
	board := staff(t, server, policy.DataLead).get("/trollboard").want(http.StatusOK).page()
	if n := board.Find("tbody a[data-dialog]").Length(); n != 0 {
		t.Errorf("a data lead is offered %d bans", n)
	}
}

// TestTrollboardPages follows a board page by page, forwards and back: every
// user once, ranks without gaps.
func TestTrollboardPages(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	for i := range 7 {
		storetest.Tree(t, s, storetest.Node{Author: storetest.User(t, s, fmt.Sprintf("user %d", i))})
	}
	moderator := staff(t, server, policy.Moderator)
	var whole store.Board
	moderator.get("/api/v1/trollboard").want(http.StatusOK).json(&whole)
	var walked []uuid.UUID
	path := "/trollboard?limit=3&sort=messages"
	for pages := 1; path != ""; pages++ {
		a := moderator.get(path).want(http.StatusOK)
		a.page().Find("tbody tr[data-row]").Each(func(i int, row *goquery.Selection) {
			id, err := uuid.Parse(strings.TrimPrefix(row.AttrOr("id", ""), "u-"))
			if err != nil {
				t.Fatal(err)
			}
			walked = append(walked, id)
			row.Find(".place .visually-hidden").Remove()
			if got, want := strings.TrimSpace(row.Find(".place").Text()), fmt.Sprint(len(walked)); got != want {
				t.Errorf("rank %s, want %s", got, want)
			}
		})
		next := a.page().Find(`a[rel="next"]`).AttrOr("href", "")
		if (next == "") != (pages == 3) {
			t.Fatalf("page %d has the next link %q", pages, next)
		}
		if prev := a.page().Find(`a[rel="prev"]`).AttrOr("href", ""); pages > 1 {
			back := moderator.get("/trollboard" + prev).want(http.StatusOK)
			if got := back.page().Find("tbody tr[data-row]").Length(); got != 3 {
				t.Errorf("the page before page %d has %d rows", pages, got)
			}
		}
		if path = ""; next != "" {
			path = "/trollboard" + next
		}
	}
	if len(walked) != len(whole.Items) {
		t.Fatalf("walked %d users, want %d", len(walked), len(whole.Items))
	}
	for i, row := range whole.Items {
		if row.Rank != int64(i+1) {
			t.Errorf("rank %d at place %d", row.Rank, i+1)
		}
	}
}

func TestTrollboardAPI(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	crowd := makeCrowd(t, s)
	moderator := staff(t, server, policy.Moderator)

	a := moderator.get("/api/v1/trollboard").want(http.StatusOK)
	if a.field("frame") != "total" || a.field("formula") != "treewarden" || a.field("as_of") == nil {
		t.Errorf("the board says frame %v, formula %v, as of %v", a.field("frame"), a.field("formula"), a.field("as_of"))
	}
	if !strings.Contains(a.body, `"next":null`) || !strings.Contains(a.body, `"prev":null`) {
		t.Error("the ends of the list are not null")
	}
	var board store.Board
	a.json(&board)
	if row := board.Items[0]; row.UserID != crowd.troll || row.Score != 5 || row.Rank != 1 || row.RedFlags != 1 ||
		row.Spam != 1 || row.Toxicity != nil || row.Rate != 5.0/11 {
		t.Errorf("the first row is %+v", row)
	}
	var reference store.Board
	moderator.get("/api/v1/trollboard?formula=open-assistant&status=all").want(http.StatusOK).json(&reference)
	if reference.Formula != "open-assistant" || reference.Items[0].Score != 4 { // the spam label weighs nothing
		t.Errorf("the reference's formula gives %+v", reference.Items[0])
	}
	for _, query := range []string{"frame=year", "status=gone", "sort=name", "formula=mine", "open=7", "limit=201",
		"limit=-1", "limit=x", "cursor=x", "q=%00", "q=%ff", "lang=%00", "q=%zz"} {
		moderator.get("/api/v1/trollboard?" + query).want(http.StatusBadRequest)
		moderator.get("/trollboard?" + query).want(http.StatusBadRequest)
	}
	newClient(t, server).get("/api/v1/trollboard").want(http.StatusUnauthorized)
}

// TestTrollboardRow opens a row: on the page itself, and as the part that a
// script adds.
func TestTrollboardRow(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	crowd := makeCrowd(t, s)
	moderator := staff(t, server, policy.Moderator)

	closed := moderator.get("/trollboard?status=all").page()
	opener := closed.Find("#u-" + crowd.troll.String() + " a[data-open]")
	if opener.AttrOr("aria-expanded", "") != "false" || closed.Find("tr.detail").Length() != 0 {
		t.Error("a row is open by itself")
	}
	href, _, _ := strings.Cut(opener.AttrOr("href", ""), "#")
	open := moderator.get("/trollboard" + href).want(http.StatusOK)
	detail := open.page().Find("tr.detail")
	if detail.Length() != 1 || detail.Prev().AttrOr("id", "") != "u-"+crowd.troll.String() {
		t.Fatal("the row did not open below itself")
	}
	part := moderator.do(http.MethodGet, opener.AttrOr("data-unfold", ""), nil,
		"", "X-Partial", "dialog").want(http.StatusOK)
	if strings.Contains(part.body, "<html") {
		t.Error("the part is a whole page")
	}
	for name, sheet := range map[string]*goquery.Selection{"row": detail, "part": part.page().Selection} {
		signals := map[string]string{}
		sheet.Find(".parts tbody tr").Each(func(_ int, line *goquery.Selection) {
			signals[line.Find("th").Text()] = line.Find("td").First().Text()
			if href := line.Find(".evidence a").AttrOr("href", ""); href != "/messages/"+crowd.flagged.String() {
				t.Errorf("%s: the evidence for %s is %q", name, line.Find("th").Text(), href)
			}
		})
		if fmt.Sprint(signals) != "map[Downvotes:1 Red flags:1 Spam labels:1]" {
			t.Errorf("%s: the parts are %v", name, signals)
		}
		if text := sheet.Find("pre.json").Text(); !strings.Contains(text, `"evidence"`) {
			t.Errorf("%s: no raw JSON: %q", name, text)
		}
	}
	full := moderator.get("/users/" + crowd.troll.String() +
		"/score?frame=week&formula=open-assistant").want(http.StatusOK)
	if got := full.text(`.tabs a[aria-current="page"]`); got != "Weekly" {
		t.Errorf("the page of the score stands at %q", got)
	}
	var score store.Score
	moderator.get("/api/v1/users/" + crowd.troll.String() + "/score").want(http.StatusOK).json(&score)
	if score.Score != 5 || len(score.Evidence["red_flags"]) != 1 || score.Evidence["red_flags"][0] != crowd.flagged {
		t.Errorf("the score is %+v", score)
	}
	moderator.get("/api/v1/users/" + crowd.troll.String() + "/score?frame=eon").want(http.StatusBadRequest)
	moderator.get("/users/" + uuid.NewString() + "/score").want(http.StatusNotFound)
	moderator.get("/api/v1/users/me/score").want(http.StatusBadRequest)
}

func TestTrollboardCSV(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	author := storetest.User(t, s, `=HYPERLINK("http://evil.example";"x")`)
	storetest.Tree(t, s, storetest.Node{Author: author})
	a := staff(t, server, policy.Moderator).get("/trollboard?format=csv").want(http.StatusOK)
	if kind := a.header.Get("Content-Type"); !strings.HasPrefix(kind, "text/csv") {
		t.Errorf("the type is %q", kind)
	}
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if rows[0][1] != "user_id" || rows[1][1] != author.String() || !strings.HasPrefix(rows[1][2], "'=") {
		t.Errorf("rows: %q", rows)
	}
}

// TestTrollboardNames checks names that could break a page: they are shown as
// text, in the order in which they were written, whole in the title, and
// isolated from the text around them.
func TestTrollboardNames(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	hostile := []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "\u202eevil\u2066",
		strings.Repeat("long ", 50), "{{.Person}}", "محمد"}
	for _, name := range hostile {
		storetest.Tree(t, s, storetest.Node{Author: storetest.User(t, s, name)})
	}
	moderator := staff(t, server, policy.Moderator)
	for _, path := range []string{"/trollboard", "/users?sort=-created"} {
		a := moderator.get(path).want(http.StatusOK)
		shown := names(a)
		for _, name := range hostile {
			if !strings.Contains(strings.Join(shown, "\n"), named(name)) {
				t.Errorf("%s does not show %q", path, name)
			}
		}
		if a.page().Find("main script, main img, main [onerror]").Length() != 0 {
			t.Errorf("%s: a name became an element", path)
		}
	}
}

// TestFullBoard checks that a full board with its style and script is under 100
// kB over the wire.
func TestFullBoard(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	for i := range 60 {
		id := uuid.New()
		storetest.Exec(t, s, "INSERT INTO users (user_id, display_name, username) VALUES ($1, $2, $1::uuid::text)", id,
			fmt.Sprintf("Contributor number %d", i))
		storetest.Exec(t, s, "INSERT INTO trees (tree_id, state, active, user_id) VALUES ($1, 'growing', true, $1)", id)
		storetest.Exec(t, s, "INSERT INTO messages (tree_id, message_id, user_id, created_date, role, lang, text) VALUES "+
			"($1, $1, $1, now(), 'prompter', 'en', 'hi')", id)
	}
	if err := s.RebuildScores(t.Context()); err != nil {
		t.Fatal(err)
	}
	moderator := staff(t, server, policy.Moderator)
	a := moderator.get("/trollboard").want(http.StatusOK)
	if n := len(names(a)); n != 50 {
		t.Fatalf("%d rows, want 50", n)
	}
	sent, page := 0, a.page()
	for _, path := range []string{"/trollboard", page.Find(`link[rel="stylesheet"]`).AttrOr("href", ""),
		page.Find("script").AttrOr("src", "")} {
		sent += len(moderator.do(http.MethodGet, path, nil, "", "Accept-Encoding", "gzip").want(http.StatusOK).body)
	}
	t.Logf("first paint: %d bytes", sent)
	if sent > 100_000 {
		t.Errorf("first paint takes %d bytes, more than 100 kB", sent)
	}
}
