package admin

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus/spreadsheet"
	"treewarden/policy"
	"treewarden/store/figures"
	"treewarden/store/storetest"
)

// figured is a queue with a decision of each outcome, by two moderators in two languages,
// one of which is undone.
type figured struct {
	flagged
	german []uuid.UUID
}

func newFigured(t *testing.T) figured {
	t.Helper()
	f := figured{flagged: newFlagged(t)}
	s := f.server.store
	for i, name := range []string{"Hans", "Grete", "Else"} {
		f.german = append(f.german, storetest.Tree(t, s, storetest.Node{Author: storetest.User(t, s, name), Lang: "de"})[0])
		storetest.Report(t, s, f.german[i], f.rater, "Unsinn", time.Now().Add(-time.Duration(i)*48*time.Hour))
	}
	open := f.cases(t)
	decide := func(by *client, message uuid.UUID, outcome string) float64 {
		done := by.send("POST", fmt.Sprintf("/api/v1/queue/%d/resolve", open[message]),
			map[string]any{"outcome": outcome, "reason": "a reason"}).want(200)
		id, _ := done.field("action", "id").(float64)
		return id
	}
	undone := decide(f.moderator, f.messages[0], "dismiss")
	f.moderator.send("POST", fmt.Sprintf("/api/v1/actions/%v/undo", undone),
		map[string]any{"reason": "a mistake"}).want(200)
	decide(f.moderator, f.messages[2], "reject")
	decide(f.moderator, f.messages[1], "delete")
	decide(f.moderator2, f.german[0], "halt")
	decide(f.moderator2, f.german[1], "ban")
	return f
}

// idOf returns the id of a moderator who has decided something.
func idOf(c *client) string {
	c.t.Helper()
	var own figures.Queue
	c.get("/api/v1/insights/queue?moderator=me").want(200).json(&own)
	return own.Moderators[0].Key
}

// TestInsightsOfTheQueue reads the figures by the API, with each filter.
func TestInsightsOfTheQueue(t *testing.T) {
	t.Parallel()
	f := newFigured(t)
	read := func(query string) (q figures.Queue) {
		t.Helper()
		f.moderator.get("/api/v1/insights/queue" + query).want(200).json(&q)
		return q
	}
	second := idOf(f.moderator2)
	for query, want := range map[string]int64{
		"": 5, "?lang=de": 2, "?lang=en": 3, "?lang=fr": 0, "?moderator=me": 3, "?moderator=" + second: 2,
		"?moderator=program": 0, "?lang=de&moderator=me": 0, "?until=2020-01-01": 0, "?since=0001-01-01&until=9999-12-31": 5,
		"?since=" + time.Now().UTC().Format(time.DateOnly) + "&until=9999-12-31": 5, "?step=month": 5, "?step=hour": 5,
	} {
		if strings.HasPrefix(query, "?since=2") && time.Now().UTC().Hour() == 0 {
			continue // the day may have changed since the decisions
		}
		q := read(query)
		if q.All.Decided != want {
			t.Errorf("%q has %d decisions, want %d", query, q.All.Decided, want)
		}
		var inPeriods int64
		for _, p := range q.Periods {
			inPeriods += p.Decided()
		}
		if inPeriods != want {
			t.Errorf("%q has %d decisions by time, want %d", query, inPeriods, want)
		}
	}
	q := read("")
	if q.All.Undone != 1 || q.All.Dismissed != 1 || len(q.Outcomes) != 5 || len(q.Moderators) != 2 ||
		len(q.Languages) != 2 || q.All.First.Cases != 5 || len(q.Queries) != 5 {
		t.Errorf("the figures: %+v", q)
	}
	if len(q.Open) != 2 || q.Open[0].Cases != 1 || q.Open[1].Cases != 1 {
		t.Errorf("open: %+v", q.Open)
	}
	for _, query := range []string{"?since=x", "?until=x", "?since=2999-01-01", "?moderator=nobody", "?step=year",
		"?figure=open", "?what=x", "?since=2026-01-02&until=2026-01-01", "?lang=a&lang=b"} {
		f.moderator.get("/api/v1/insights/queue" + query).want(400)
	}
	for _, role := range []string{policy.DataLead, policy.Admin} {
		staff(t, f.server, role).get("/api/v1/insights/queue").want(200)
	}
	newClient(t, f.server).get("/api/v1/insights/queue").want(401)
}

// TestInsightsPage checks the page: charts with their texts, tables, files, wrong filters
// and the empty state.
func TestInsightsPage(t *testing.T) {
	t.Parallel()
	f := newFigured(t)
	page := f.moderator.get("/insights").want(200)
	for selector, want := range map[string]string{
		"nav [aria-current=page]":                  "Insights",
		"#decisions-title":                         "Decisions by hour",
		"[aria-labelledby=decisions-title]":        "N = 5, 1 undone since",
		"[aria-labelledby=by_outcome-title] tbody": "Tree stopped",
		"[aria-labelledby=by_lang-title] tbody":    "German (de)",
		"[aria-labelledby=ages-title]":             "N = 2",
		"[aria-labelledby=by_lang-title] pre":      "FROM queue_hours h",
	} {
		if text := page.text(selector); !strings.Contains(text, want) {
			t.Errorf("%s says %q, want %q", selector, text, want)
		}
	}
	charts := page.page().Find("svg[role=img]")
	if charts.Length() != 2 || !strings.Contains(attr(charts.First(), "aria-label"), "5 in all") {
		t.Errorf("%d charts, the first is %q", charts.Length(), attr(charts.First(), "aria-label"))
	}
	if parts := charts.First().Find("rect").Length(); parts != 5 {
		t.Errorf("the chart has %d parts of bars, want one for each outcome", parts)
	}
	files := page.page().Find("a[download]")
	if files.Length() != 5 {
		t.Errorf("%d files, want one for each figure", files.Length())
	}
	for i := range files.Length() {
		address := attr(files.Eq(i), "href")
		file := f.moderator.get("/insights" + address).want(200)
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file.body, spreadsheet.ByteOrderMark))).ReadAll()
		if err != nil || len(rows) < 2 || !strings.HasPrefix(file.header.Get("Content-Type"), "text/csv") {
			t.Errorf("%s: %v, %v", address, rows, err)
		}
	}
	if body := f.moderator.get("/insights?format=csv&figure=by_outcome&lang=de").want(200).body; !strings.Contains(body,
		"halt,1,0,0,0,1,") || strings.Contains(body, "delete") {
		t.Errorf("the outcomes of a language as a file:\n%s", body)
	}
	if text := f.moderator.get("/insights?moderator=me&lang=de").want(200).text("main"); !strings.Contains(text,
		"No decisions in this time") {
		t.Errorf("without a decision: %s", text)
	}
	wrong := f.moderator.get("/insights?moderator=nobody&since=soon&lang=de").want(400)
	if text := wrong.text(".filters"); !strings.Contains(text, "Moderator is the id of a user") ||
		!strings.Contains(text, "Must be a time") || attr(wrong.page().Find("#since"), "value") != "soon" {
		t.Errorf("a wrong filter: %s", text)
	}
	turned := f.moderator.get("/insights?since=2026-01-02&until=2026-01-01").want(400)
	if text := turned.text(".filters"); !strings.Contains(text, "Until must be after since") {
		t.Errorf("an end before the beginning: %s", text)
	}
	f.moderator.get("/insights?since=0001-01-01&step=hour").want(200) // from the first decision on
	empty := newServer(t, storetest.New(t))
	if text := staff(t, empty, policy.DataLead).get("/insights").want(200).text("main"); !strings.Contains(text,
		"No decisions in this time") || !strings.Contains(text, "No case is open") {
		t.Errorf("an empty queue: %s", text)
	}
}

// TestInsightsOfALanguage checks that a moderator who is limited to a language sees its
// figures, and all with one click.
func TestInsightsOfALanguage(t *testing.T) {
	t.Parallel()
	f := newFigured(t)
	account := storetest.Staff(t, f.server.store, policy.Moderator)
	storetest.Exec(t, f.server.store, "UPDATE users SET languages = '{de}' WHERE user_id = $1", account.UserID)
	german := signedIn(t, f.server, account)
	if text := german.get("/insights").want(200).text("main"); !strings.Contains(text, "N = 2,") ||
		!strings.Contains(text, "Only languages that you may act on") {
		t.Errorf("the figures of a language: %s", text)
	}
	if text := german.get("/insights?lang=all").want(200).text("main"); !strings.Contains(text, "N = 5,") {
		t.Errorf("the figures of all languages: %s", text)
	}
}

// TestMetricsOfTheQueue checks the figures of the queue in the metrics, and that the
// others stay without the database.
func TestMetricsOfTheQueue(t *testing.T) {
	t.Parallel()
	f := newFigured(t)
	nobody := newClient(t, f.server)
	text := nobody.get("/metrics").want(200).body
	first, second := idOf(f.moderator), idOf(f.moderator2)
	for _, line := range []string{
		`treewarden_queue_decisions_total{lang="de",moderator="` + second + `",outcome="ban"} 1`,
		`treewarden_queue_decisions_total{lang="en",moderator="` + first + `",outcome="dismiss"} 1`,
		`treewarden_queue_undone_total{lang="en",moderator="` + first + `",outcome="dismiss"} 1`,
		`treewarden_queue_undone_total{lang="de",moderator="` + second + `",outcome="halt"} 0`,
		`treewarden_queue_first_action_seconds_bucket{lang="de",le="300"} 1`,
		`treewarden_queue_first_action_seconds_bucket{lang="de",le="259200"} 2`,
		`treewarden_queue_first_action_seconds_count{lang="de"} 2`,
		`treewarden_queue_open_cases{age="under_7d",lang="de"} 1`,
		`treewarden_queue_open_cases{age="under_1h",lang="en"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
	f.server.store.Close()
	text = nobody.get("/metrics").want(200).body
	if !strings.Contains(text, "treewarden_request_seconds") || strings.Contains(text, "treewarden_queue_decisions") {
		t.Errorf("the metrics without the database: %.300s", text)
	}
}
