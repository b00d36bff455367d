package admin

import (
	"encoding/csv"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"treewarden/corpus/spreadsheet"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/insights"
	"treewarden/store/storetest"
)

// hostileModel is the name of a model of compared.
const hostileModel = "<b>b</b>=1+1"

// compared is a server with messages that two classifiers and a rater saw: 40 toxic and
// 40 others in English, and 2 of each in German. "fine" gives every toxic one more than
// all others; the hostile one gives 10 of the English toxic ones less than all others. A
// reward model gives other values.
func compared(t *testing.T) *Server {
	t.Helper()
	s := storetest.New(t)
	rater := storetest.User(t, s, "Rater")
	for _, name := range []string{"fine", hostileModel, "reward"} {
		storetest.Exec(t, s, "INSERT INTO classifier_models (name, outputs) VALUES ($1, '{toxicity,<i>x</i>}')", name)
	}
	var trees []uuid.UUID
	var values [3][]float64
	for i := range 84 {
		lang := "en"
		if i >= 80 {
			lang = "de"
		}
		id := storetest.Tree(t, s, storetest.Node{Lang: lang, Deleted: i%10 == 0})[0]
		toxic := i%2 == 0
		storetest.Vote(t, s, id, rater, "toxicity", map[bool]float64{true: 1}[toxic], time.Now())
		x := 0.3 + float64(i)/1000
		fine, other := x, x
		if toxic {
			fine, other = x+0.3, x+0.3
			if i < 20 {
				other = 0.05
			}
		}
		trees = append(trees, id)
		for model, value := range []float64{fine, other, 5 * x} {
			values[model] = append(values[model], value)
		}
	}
	for model, name := range []string{"fine", hostileModel, "reward"} {
		storetest.Exec(t, s, `INSERT INTO classifier_outputs (tree_id, message_id, model_id, scores)
			SELECT g.id, g.id, model_id, ARRAY[g.x, 0.5] FROM classifier_models,
				unnest($1::uuid[], $2::float8[]) g(id, x) WHERE name = $3`, trees, values[model], name)
	}
	storetest.Tree(t, s, storetest.Node{Lang: "en"}) // that no model has seen
	countInsights(t, s)
	return newServer(t, s)
}

// TestInsightsOfModels reads the agreement of classifiers by the API, as a file and as a
// page. By hand: of 42·42 pairs the hostile model has 10·42 wrong, so that its AUC is
// 1 − 10/42. From 0.5 on it flags 32 of the 42, and none of the others.
func TestInsightsOfModels(t *testing.T) {
	t.Parallel()
	server := compared(t)
	c := staff(t, server, policy.Moderator)
	var r insights.ClassifierAgreement
	c.get("/api/v1/insights/models").want(200).json(&r)
	if len(r.Models) != 2 || len(r.Languages) != 4 || len(r.Curves) != 2 || len(r.LeftOut) != 1 || r.AsOf == nil ||
		len(r.Queries) != 3 || r.Output != "toxicity" || r.Threshold != 0.5 {
		t.Fatalf("models: %+v", r)
	}
	fine, other := r.Models[0], r.Models[1]
	if fine.Model != "fine" || *fine.AUC != 1 || *fine.Precision != 1 || *fine.Recall != 1 || fine.N != 84 || fine.Few ||
		math.Abs(*fine.Share-84.0/85) > 1e-9 {
		t.Errorf("fine: %+v", fine)
	}
	if other.Model != hostileModel || math.Abs(*other.AUC-32.0/42) > 1e-9 || *other.Precision != 1 ||
		math.Abs(*other.Recall-32.0/42) > 1e-9 || *other.Low > *other.AUC || *other.High > 1 {
		t.Errorf("the other: %+v", other)
	}
	c.get("/api/v1/insights/models?lang=de&reference=toxicity&output=toxicity").want(200).json(&r)
	if len(r.Models) != 2 || !r.Models[0].Few || r.Models[0].N != 4 {
		t.Errorf("German: %+v", r.Models)
	}
	for address, want := range map[string]string{
		"?format=csv":                  hostileModel + ",,84,0.98",
		"?format=csv&figure=languages": "fine,de,4,1,4,2,1,1,1,0,2,1,1",
		"?format=csv&figure=curves":    "fine,",
	} {
		file := c.get("/insights/models" + address).want(200)
		rows := strings.TrimPrefix(file.body, spreadsheet.ByteOrderMark)
		if _, err := csv.NewReader(strings.NewReader(rows)).ReadAll(); err != nil ||
			!strings.Contains(file.body, want) {
			t.Errorf("%s: %v\n%s", address, err, file.body)
		}
	}
	page := c.get("/insights/models").want(200)
	for selector, want := range map[string]string{
		"nav.insight-tabs [aria-current=page]":                          "Classifiers",
		"[aria-labelledby=models-title] tbody tr:first-child":           "fine highest",
		"[aria-labelledby=models-title] tbody tr:last-child":            hostileModel,
		"[aria-labelledby=models-title] pre":                            "FROM insight_agreement",
		"[aria-labelledby=models-title] .figure-foot":                   "toxicity of reward (1.50 to",
		"[aria-labelledby=languages-title] thead":                       "Languagefine" + hostileModel,
		"[aria-labelledby=languages-title] tbody tr:first-child":        "English (en)1.000 highest",
		"[aria-labelledby=languages-title] tbody tr:last-child":         "German (de)too few2 of 4 positivetoo few",
		"[aria-labelledby=roc-title] details table tbody tr:last-child": hostileModel + "0.532100.0 %",
	} {
		if text := strings.Join(strings.Fields(page.text(selector)), " "); !strings.Contains(text, want) {
			t.Errorf("%s says %q, want %q", selector, text, want)
		}
	}
	if strings.Contains(page.body, "<b>b") || strings.Contains(page.body, "<i>x") {
		t.Error("the page does not escape names")
	}
	svg := page.page().Find("svg.roc")
	if svg.Find("polyline").Length() != 2 ||
		!strings.Contains(attr(svg, "aria-label"), "fine 1.000, "+hostileModel+" 0.762") {
		t.Errorf("%d curves, %q", svg.Find("polyline").Length(), attr(svg, "aria-label"))
	}
	if text := c.get("/insights/models?lang=xx").want(200).text("main"); !strings.Contains(text,
		"No classifier has this output in this language") {
		t.Errorf("a language without outputs: %s", text)
	}
	for reference, want := range map[string]string{
		"staff": "Staff have decided nothing", "spam": "Nobody has given this label",
	} {
		if text := c.get("/insights/models?reference=" + reference).want(200).text("main"); !strings.Contains(text, want) {
			t.Errorf("%s: %s", reference, text)
		}
	}
	storetest.Exec(t, server.store,
		`INSERT INTO formula_versions (formula_id, version, name, weights, toxic_from, note, author)
		SELECT gen_random_uuid(), version + 1, name, weights, 0.5034, '', '' FROM formula_versions
		ORDER BY version DESC LIMIT 1`)
	text := c.get("/insights/models").want(200).text("[aria-labelledby=models-title] .figure-foot")
	if !strings.Contains(strings.Join(strings.Fields(text), " "),
		"of 0.505 or more, to which the threshold 0.5034 of the current formula is rounded") {
		t.Errorf("a threshold between bins: %s", text)
	}
}

// TestModelLinks compares the numbers of flagged messages with what their links list, for
// a person of all languages and for one of German.
func TestModelLinks(t *testing.T) {
	t.Parallel()
	server := compared(t)
	for _, c := range []*client{staff(t, server, policy.Moderator), german(t, server)} {
		for _, query := range []string{"", "?lang=en"} {
			page := c.get("/insights/models" + query).want(200).page()
			links := page.Find("td a[href^='/messages?']")
			links.Each(func(_ int, a *goquery.Selection) {
				if n := countListed(t, c, attr(a, "href")); fmt.Sprint(n) != a.Text() {
					t.Errorf("%s: %s flagged, but %s lists %d", query, a.Text(), attr(a, "href"), n)
				}
			})
			// The filter's grammar cannot write the name of the other model.
			if points := page.Find("svg.roc a"); links.Length() != 3 || points.Length() < 2 {
				t.Errorf("%s: %d numbers and %d points open their messages", query, links.Length(), points.Length())
			}
		}
	}
}

// TestBadModels asks for what does not exist, as nobody, and of nothing.
func TestBadModels(t *testing.T) {
	t.Parallel()
	server := compared(t)
	c := staff(t, server, policy.DataLead)
	for _, query := range []string{"?output=nothing", "?output=%00", "?reference=people", "?what=x", "?figure=models",
		"?lang=a&lang=b"} {
		c.get("/api/v1/insights/models" + query).want(400)
	}
	for query, field := range map[string]string{"?output=nothing": "output", "?reference=people": "reference"} {
		if page := c.get("/insights/models" + query).want(400); page.page().Find("#fault-"+field).Length() != 1 {
			t.Errorf("%s: no fault beside the field", query)
		}
	}
	newClient(t, server).get("/api/v1/insights/models").want(401)
	if _, err := server.store.Insights(store.Actor{}); err == nil {
		t.Error("nobody may read the figures")
	}
	text := staff(t, newServer(t, storetest.New(t)), policy.Moderator).get("/insights/models").want(200).text("main")
	if !strings.Contains(text, "No classifier has given outputs from 0 to 1") ||
		!strings.Contains(text, "Not counted yet") {
		t.Errorf("models of nothing: %s", text)
	}
}
