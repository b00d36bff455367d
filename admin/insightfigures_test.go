package admin

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus/spreadsheet"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/insights"
	"treewarden/store/storetest"
)

// classified is a server with messages that have outputs of a classifier and labels, by
// an author whose name is hostile.
func classified(t *testing.T) (server *Server, author uuid.UUID, list string) {
	t.Helper()
	s := storetest.New(t)
	author = storetest.User(t, s, "=cmd()<script>alert(1)</script>")
	rater := storetest.User(t, s, "Rater")
	ids := storetest.Tree(t, s, storetest.Node{Author: author, Replies: []storetest.Node{
		{Author: author, Lang: "de"}, {Author: rater, Deleted: true}, {Author: author, Deleted: true}}})
	storetest.Exec(t, s, `INSERT INTO classifier_models (name, outputs) VALUES ('<b>model</b>', '{toxicity,=1+1}')`)
	for i, scores := range []string{"{0.1,0.2}", "{0.3,0.1}", "{0.8,0.5}", "{0.9,0.4}"} {
		storetest.Exec(t, s, `INSERT INTO classifier_outputs (tree_id, message_id, model_id, scores)
			SELECT $1, $2, model_id, $3::text::float8[] FROM classifier_models`, ids[0], ids[i], scores)
		storetest.Vote(t, s, ids[i], rater, "toxicity", float64(i)/4, time.Now())
	}
	id := uuid.New()
	list = "list:" + id.String()
	storetest.Exec(t, s, "INSERT INTO lists (list_id, name, kind, created_date) VALUES ($1, '<i>Bad</i>', 'bad', now())",
		id)
	for _, message := range []uuid.UUID{ids[2], ids[1]} {
		storetest.Exec(t, s, "INSERT INTO list_items (list_id, message_id, added_at, action_id) VALUES ($1, $2, now(), 1)",
			id, message)
	}
	access, err := s.Insights(store.CommandLine)
	if err == nil {
		err = access.Count(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return newServer(t, s), author, list
}

// TestInsightsOfTheCollection reads the figures by the API and as files and pages.
func TestInsightsOfTheCollection(t *testing.T) {
	t.Parallel()
	server, author, list := classified(t)
	c := staff(t, server, policy.Moderator)
	var o insights.Outputs
	c.get("/api/v1/insights/toxicity").want(200).json(&o)
	if len(o.Groups) != 2 || o.Groups[0].Key != insights.Deleted || *o.Groups[0].Means[0].Mean < 0.849 ||
		*o.Groups[0].Means[0].Difference < 0.649 || o.Groups[0].Means[0].Low == nil || o.AsOf == nil {
		t.Errorf("toxicity: %+v", o)
	}
	var r insights.Correlations
	c.get("/api/v1/insights/correlations?scope=all").want(200).json(&r)
	if len(r.Cells) != 2 || r.Cells[0][0].N != 4 || *r.Cells[0][0].R < 0.9 {
		t.Errorf("correlations: %+v", r)
	}
	var by insights.Contributors
	c.get("/api/v1/insights/contributors?top=1").want(200).json(&by)
	if len(by.Items) != 1 || by.Items[0].UserID != author || *by.Share != 0.75 || *by.Gini != 0.25 || len(by.Curve) != 3 {
		t.Errorf("contributors: %+v", by)
	}
	for address, want := range map[string]string{
		"/insights/toxicity?format=csv":                                        "deleted,'=1+1,2,0.45,",
		"/insights/toxicity?format=csv&by=" + list:                             "listed,toxicity,2,0.55,",
		"/insights/correlations?format=csv":                                    "'=1+1,toxicity,4,0.",
		"/insights/contributors?format=csv&figure=top&top=1":                   ",'=cmd()<script>alert(1)</script>,3,0.75,",
		"/insights/contributors?format=csv&figure=curve":                       "0.5,0.25\r\n1,1",
		"/insights/contributors?format=csv&figure=top&role=prompter&frame=day": "rank,user_id",
	} {
		file := c.get(address).want(200)
		rows := strings.TrimPrefix(file.body, spreadsheet.ByteOrderMark)
		if _, err := csv.NewReader(strings.NewReader(rows)).ReadAll(); err != nil ||
			!strings.Contains(file.body, want) {
			t.Errorf("%s: %v\n%s", address, err, file.body)
		}
	}
	for address, want := range map[string]string{
		"/insights/toxicity":                    "Deleted minus retained",
		"/insights/toxicity?by=lang":            "German (de)",
		"/insights/toxicity?by=review":          "Accepted",
		"/insights/toxicity?by=" + list:         "On the list",
		"/insights/correlations":                "Correlations of <b>model</b>",
		"/insights/correlations?scope=deleted":  "Up to N = 2",
		"/insights/contributors?top=1":          "Share of the top 1: 75.0 %",
		"/insights/contributors?role=assistant": "=cmd()<script>alert(1)</script>",
	} {
		page := c.get(address).want(200)
		if text := strings.Join(strings.Fields(page.text("main")), " "); !strings.Contains(text, want) {
			t.Errorf("%s lacks %q: %s", address, want, text)
		}
		if strings.Contains(page.body, "<script>alert") || strings.Contains(page.body, "<b>model") ||
			strings.Contains(page.body, "<i>Bad") {
			t.Errorf("%s does not escape names", address)
		}
		// One message in German, and none that is not accepted: no interval.
		single := strings.HasSuffix(address, "by=lang") || strings.HasSuffix(address, "by=review")
		if svg := page.page().Find("svg[aria-label]"); (svg.Length() == 1) == single ||
			attr(svg, "aria-label") == "" != single {
			t.Errorf("%s has %d charts", address, svg.Length())
		}
		if page.page().Find("nav.insight-tabs [aria-current=page]").Length() != 1 || page.page().Find("pre").Length() == 0 {
			t.Errorf("%s has no tab or no query", address)
		}
	}
}

// TestBadInsights asks for figures that do not exist, as nobody, and of nothing.
func TestBadInsights(t *testing.T) {
	t.Parallel()
	server, _, list := classified(t)
	c := staff(t, server, policy.DataLead)
	for address, status := range map[string]int{
		"toxicity?by=author": 400, "toxicity?by=list:x": 400, "toxicity?by=list:" + uuid.NewString(): 404,
		"toxicity?model=none": 400, "toxicity?model=%00": 400, "toxicity?what=x": 400, "toxicity?by=" + list: 200,
		"correlations?scope=some": 400, "correlations?model=none": 400, "contributors?top=0": 400,
		"contributors?top=201": 400,
		"contributors?top=x":   400, "contributors?role=admin": 400, "contributors?frame=year": 400,
		"contributors?figure=top": 400, "contributors?top=1&top=2": 400,
	} {
		c.get("/api/v1/insights/" + address).want(status)
	}
	for address, field := range map[string]string{"toxicity?by=author": "by", "toxicity?model=none": "model",
		"correlations?scope=some": "scope", "contributors?top=0": "top", "contributors?role=admin": "role"} {
		if page := c.get("/insights/" + address).want(400); page.page().Find("#fault-"+field).Length() != 1 {
			t.Errorf("%s: no fault beside the field", address)
		}
	}
	empty := newServer(t, storetest.New(t))
	for path, want := range map[string]string{"toxicity": "No outputs of classifiers",
		"correlations": "Nothing to correlate",
		"contributors": "No messages in this time"} {
		newClient(t, server).get("/api/v1/insights/" + path).want(401)
		staff(t, server, policy.Admin).get("/insights/" + path).want(200)
		if text := staff(t, empty, policy.Moderator).get("/insights/" + path).want(200).text("main"); !strings.Contains(text,
			want) || !strings.Contains(text, "Not counted yet") {
			t.Errorf("%s of nothing: %s", path, text)
		}
	}
}
