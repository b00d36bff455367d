package admin

import (
	"encoding/csv"
	"math"
	"strings"
	"testing"
	"time"

	"treewarden/corpus/spreadsheet"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/insights"
	"treewarden/store/storetest"
)

// rated is a server with votes of two raters: on spam in English (yes yes, yes no, no no)
// and on quality in German.
func rated(t *testing.T) *Server {
	t.Helper()
	s := storetest.New(t)
	first, second := storetest.User(t, s, "First"), storetest.User(t, s, "Second")
	for _, v := range []struct {
		lang, label string
		x, y        float64
	}{{"en", "spam", 1, 1}, {"en", "spam", 1, 0}, {"en", "spam", 0, 0}, {"de", "quality", 0.25, 0.75},
		{"de", "quality", 0.5, 0.5}} {
		message := storetest.Tree(t, s, storetest.Node{Lang: v.lang})[0]
		storetest.Vote(t, s, message, first, v.label, v.x, time.Now())
		storetest.Vote(t, s, message, second, v.label, v.y, time.Now())
	}
	access, err := s.Insights(store.CommandLine)
	if err == nil {
		err = access.Count(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return newServer(t, s)
}

// TestInsightsOfRaters reads the agreement of raters by the API, as a file and as a page.
// By hand: of six votes on spam three are yes, so that De = 2·(6·3−9)/(6·5) = 0.6; one
// of three pairs differs, so that Do = 1/3 and alpha = 1 − (1/3)/0.6 = 4/9. On quality Do
// = 0.25/2, and De = 2·(4·1.125−4)/(4·3) = 1/12, so that alpha = −1/2.
func TestInsightsOfRaters(t *testing.T) {
	t.Parallel()
	server := rated(t)
	c := staff(t, server, policy.Moderator)
	var r insights.Raters
	c.get("/api/v1/insights/raters").want(200).json(&r)
	if len(r.Labels) != 2 || r.Label != "spam" || len(r.Languages) != 1 || r.AsOf == nil || len(r.Queries) != 2 {
		t.Fatalf("raters: %+v", r)
	}
	spam, quality := r.Labels[0], r.Labels[1]
	if spam.Messages != 3 || spam.Votes != 6 || math.Abs(*spam.Alpha-4.0/9) > 1e-9 ||
		math.Abs(*spam.Agreement-2.0/3) > 1e-9 || spam.Difference != nil {
		t.Errorf("spam: %+v", spam)
	}
	if quality.Messages != 2 || math.Abs(*quality.Alpha+0.5) > 1e-9 ||
		math.Abs(*quality.Difference-math.Sqrt(0.125)) > 1e-9 || quality.Agreement != nil {
		t.Errorf("quality: %+v", quality)
	}
	c.get("/api/v1/insights/raters?lang=de&label=quality").want(200).json(&r)
	if len(r.Labels) != 1 || r.Labels[0].Label != "quality" || len(r.Languages) != 1 || r.Languages[0].Lang != "de" {
		t.Errorf("German: %+v", r)
	}
	for address, want := range map[string]string{
		"?format=csv": "spam,,yes_no,3,6,0.5,0.6",
		"?format=csv&figure=languages&label=quality": "quality,de,scale,2,4,0.5,,0.35",
	} {
		file := c.get("/insights/raters" + address).want(200)
		rows := strings.TrimPrefix(file.body, spreadsheet.ByteOrderMark)
		if _, err := csv.NewReader(strings.NewReader(rows)).ReadAll(); err != nil ||
			!strings.Contains(file.body, want) {
			t.Errorf("%s: %v\n%s", address, err, file.body)
		}
	}
	page := c.get("/insights/raters").want(200)
	for selector, want := range map[string]string{
		"nav.insight-tabs [aria-current=page]":       "Raters",
		"[aria-labelledby=labels-title] tbody":       "66.7 % agree",
		"[aria-labelledby=labels-title]":             "By label, all languages",
		"[aria-labelledby=languages-title]":          "Spam by language",
		"[aria-labelledby=languages-title] tbody":    "0.444",
		"[aria-labelledby=languages-title] pre":      "FROM insight_raters",
		"[aria-labelledby=labels-title] svg a title": "Spam: alpha 0.444, N = 3 messages",
	} {
		if text := page.text(selector); !strings.Contains(text, want) {
			t.Errorf("%s says %q, want %q", selector, text, want)
		}
	}
	if svg := page.page().Find("svg.chart-plot[role=group]"); svg.Length() != 2 ||
		!strings.Contains(attr(svg.First(), "aria-label"), "0.444 for Spam") {
		t.Errorf("%d charts, the first is %q", svg.Length(), attr(svg.First(), "aria-label"))
	}
	if text := c.get("/insights/raters?label=humor").want(200).text("main"); !strings.Contains(text,
		"No message has two votes here") {
		t.Errorf("a label without votes: %s", text)
	}
	// A language without figures keeps the choice of another.
	if text := c.get("/insights/raters?lang=xx").want(200).text("main"); !strings.Contains(text, "Spam by language") {
		t.Errorf("a language without votes: %s", text)
	}
	for _, query := range []string{"?label=nothing", "?label=%00", "?what=x", "?figure=labels", "?lang=a&lang=b"} {
		c.get("/api/v1/insights/raters" + query).want(400)
	}
	if page := c.get("/insights/raters?label=nothing").want(400); page.page().Find("#fault-label").Length() != 1 {
		t.Error("no fault beside the field")
	}
	newClient(t, server).get("/api/v1/insights/raters").want(401)
	text := staff(t, newServer(t, storetest.New(t)), policy.Moderator).get("/insights/raters").want(200).text("main")
	if !strings.Contains(text, "No message with two votes") || !strings.Contains(text, "Not counted yet") {
		t.Errorf("raters of nothing: %s", text)
	}
}
