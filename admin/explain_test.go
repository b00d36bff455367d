package admin

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// TestExplain checks, for every time frame and formula, that the row of the
// board, the user's page, the page of the score and the API return the same
// parts and messages, and that these messages caused the signal within the time
// frame. The feedback of a banned person or of the author, and dismissed
// reports, do not count.
func TestExplain(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	moderator := staff(t, server, policy.Moderator)
	author, judge, banned := storetest.User(t, s, "Author"), storetest.User(t, s, "Judge"), storetest.User(t, s, "Banned")
	var m []uuid.UUID
	for i := range 4 {
		m = append(m, storetest.Tree(t, s, storetest.Node{Author: author, At: time.Now().AddDate(0, 0, -i-60),
			Text: fmt.Sprint("message ", i)})[0])
	}
	hours := func(n int) time.Time { return time.Now().Add(-time.Duration(n) * time.Hour) }
	storetest.React(t, s, m[0], judge, "red_flag", hours(2))
	storetest.React(t, s, m[1], judge, "red_flag", hours(4*24))
	storetest.React(t, s, m[1], judge, "-1", hours(20*24))
	storetest.React(t, s, m[2], banned, "red_flag", hours(2))
	storetest.React(t, s, m[2], author, "red_flag", hours(2))
	storetest.Vote(t, s, m[2], banned, "spam", 1, hours(2))
	storetest.Vote(t, s, m[3], judge, "spam", 1, hours(50*24))
	storetest.Report(t, s, m[3], judge, "dismissed below", hours(2))
	storetest.Exec(t, s, "UPDATE reports SET status = 'dismissed'")
	storetest.Exec(t, s, "UPDATE users SET banned_at = now() WHERE user_id = $1", banned)
	if err := s.RebuildScores(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Open-Assistant's formula counts every rater, and leaves out messages
	// without a reaction.
	for formula, frames := range map[string]map[scoring.Window]map[scoring.Signal][]uuid.UUID{
		"treewarden": {
			scoring.Day:   {"red_flags": {m[0]}},
			scoring.Week:  {"red_flags": {m[0], m[1]}},
			scoring.Month: {"red_flags": {m[0], m[1]}, "downvotes": {m[1]}},
			scoring.Total: {"red_flags": {m[0], m[1]}, "downvotes": {m[1]}, "spam_labels": {m[3]}},
		},
		"open-assistant": {
			scoring.Day:   {"red_flags": {m[0], m[2]}, "spam_labels": {m[2]}},
			scoring.Week:  {"red_flags": {m[0], m[1], m[2]}, "spam_labels": {m[2]}},
			scoring.Month: {"red_flags": {m[0], m[1], m[2]}, "downvotes": {m[1]}, "spam_labels": {m[2]}},
			scoring.Total: {"red_flags": {m[0], m[1], m[2]}, "downvotes": {m[1]}, "spam_labels": {m[2]}},
		},
	} {
		for window, want := range frames {
			query := "frame=" + string(window) + "&formula=" + formula
			var score store.Score
			moderator.get("/api/v1/users/" + author.String() + "/score?" + query).want(http.StatusOK).json(&score)
			if len(score.Evidence) != len(want) {
				t.Errorf("%s: the evidence is %v", query, score.Evidence)
			}
			for signal, ids := range want {
				if !slices.Equal(score.Evidence[signal], ids) {
					t.Errorf("%s: %s by %v, want %v", query, signal, score.Evidence[signal], ids)
				}
			}
			for _, info := range scoring.Signals {
				var list store.List[store.Message]
				moderator.get("/api/v1/users/" + author.String() + "/messages?deleted=include&signal=" +
					string(info.Signal) + "&" + query).want(http.StatusOK).json(&list)
				var ids []uuid.UUID
				for _, found := range list.Items {
					ids = append(ids, found.MessageID)
				}
				if !slices.Equal(ids, want[info.Signal]) {
					t.Errorf("%s: the messages of %s are %v, want %v", query, info.Signal, ids, want[info.Signal])
				}
			}
			for where, sheet := range map[string]*goquery.Selection{
				"the board": moderator.get("/trollboard?open=" + author.String() + "&" +
					query).want(http.StatusOK).page().Find("tr.detail"),
				"the user": moderator.get("/users/" + author.String() + "?open=" + string(window) + "&formula=" +
					formula).want(http.StatusOK).page().Find(".explained"),
				"the score": moderator.get("/users/" + author.String() + "/score?" +
					query).want(http.StatusOK).page().Find(".card"),
			} {
				wantSheet(t, where+", "+query, sheet, score)
			}
		}
	}
	page := moderator.get("/users/" + author.String() + "?open=week").page()
	if page.Find(`.scores a[aria-expanded="true"]`).Length() != 1 ||
		page.Find(`.scores a[aria-expanded="false"]`).Length() != 3 {
		t.Error("the open score is not marked")
	}
	moderator.get("/users/" + author.String() + "?open=eon").want(http.StatusBadRequest)
}

// wantSheet compares the parts that a page shows with a score.
func wantSheet(t *testing.T, where string, sheet *goquery.Selection, score store.Score) {
	t.Helper()
	shown := map[string]bool{}
	sheet.Find(".parts tbody tr").Each(func(_ int, line *goquery.Selection) {
		title := line.Find("th").Text()
		shown[title] = true
		i := slices.IndexFunc(score.Parts, func(p scoring.Part) bool { return p.Signal.Title() == title })
		if i < 0 {
			t.Errorf("%s shows a signal %q", where, title)
			return
		}
		part := score.Parts[i]
		if got, want := line.Find("td.num").Text(), number(part.Count)+"× "+number(part.Weight)+
			number(part.Points); got != want {
			t.Errorf("%s: %s says %q, want %q", where, title, got, want)
		}
		var links []string
		line.Find(".evidence a").Each(func(_ int, a *goquery.Selection) { links = append(links, a.AttrOr("href", "")) })
		var want []string
		for _, id := range score.Evidence[part.Signal] {
			want = append(want, "/messages/"+id.String())
		}
		if !slices.Equal(links, want) {
			t.Errorf("%s: %s leads to %v, want %v", where, title, links, want)
		}
	})
	for _, part := range score.Parts {
		if (part.Count > 0) != shown[part.Signal.Title()] {
			t.Errorf("%s: %d × %s is shown: %v", where, part.Count, part.Signal, shown[part.Signal.Title()])
		}
	}
	if got := sheet.Find("tfoot .strong").Text(); got != number(score.Score) {
		t.Errorf("%s: the sum is %q, want %q", where, got, number(score.Score))
	}
}
