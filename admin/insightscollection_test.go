package admin

import (
	"bytes"
	"encoding/csv"
	"net/url"
	"os"
	"path/filepath"
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
	"treewarden/store/insights"
	"treewarden/store/storetest"
)

// countInsights counts the figures.
func countInsights(t *testing.T, s *store.Store) {
	t.Helper()
	access, err := s.Insights(store.CommandLine)
	if err == nil {
		err = access.Count(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// countListed returns the number of things that a list has at an address of the pages.
func countListed(t *testing.T, c *client, address string) (n int64) {
	t.Helper()
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := at.Query()
	q.Set("limit", "200")
	for {
		var page struct {
			Items []struct{} `json:"items"`
			Next  *string    `json:"next"`
		}
		c.get("/api/v1" + at.Path + "?" + q.Encode()).want(200).json(&page)
		n += int64(len(page.Items))
		if page.Next == nil {
			return n
		}
		q.Set("cursor", *page.Next)
	}
}

// groupLinks returns the links of the rows of the page's table, by their titles.
func groupLinks(doc *goquery.Document) (links map[string]string) {
	links = map[string]string{}
	doc.Find("tbody th").Each(func(_ int, th *goquery.Selection) {
		links[strings.TrimSpace(th.Text())] = attr(th.Find("a"), "href")
	})
	return links
}

// checkLinks follows the link of each group, and compares what it lists with the figure. It
// returns the number of links.
func checkLinks(t *testing.T, c *client, query string) (followed int) {
	t.Helper()
	var f insights.Collection
	c.get("/api/v1/insights/collection?" + query).want(200).json(&f)
	page := c.get("/insights/collection?" + query).want(200)
	links := groupLinks(page.page())
	if len(links) != len(f.Groups) {
		t.Errorf("%s: %d rows, want %d", query, len(links), len(f.Groups))
	}
	inChart := page.page().Find("svg.chart-plot a").Map(func(_ int, a *goquery.Selection) string {
		return attr(a, "href")
	})
	for _, g := range f.Groups {
		link := links[collectionPage{Figures: f}.groupTitle(g.Key)]
		if link == "" {
			continue
		}
		followed++
		c.get(link).want(200)
		// A user is shown by their messages where no filter finds users.
		byMessages := f.Of == insights.OfUsers && !strings.HasPrefix(link, "/users")
		if n := countListed(t, c, link); n != g.N && (!byMessages || n < g.N) {
			t.Errorf("%s, %s: %d, but %s lists %d", query, g.Key, g.N, link, n)
		}
		if len(f.Groups) <= chartedGroups && !slices.Contains(inChart, link) {
			t.Errorf("%s, %s: the bar does not open %s", query, g.Key, link)
		}
	}
	return followed
}

// TestCollectionLinksOfTheSample compares the figures of the public sample with what the
// lists find by their own filters.
func TestCollectionLinksOfTheSample(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("TREEWARDEN_CORPORA")
	if dir == "" {
		t.Skip("SKIPPED: TREEWARDEN_CORPORA is not set; it names the folder with the public data sets that this test reads")
	}
	file, err := os.ReadFile(filepath.Join(dir, "oasst", "oasst2-sample.trees.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	s := storetest.New(t)
	if _, err := s.Import(t.Context(), corpus.NewReader(bytes.NewReader(file), "sample").All(),
		store.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	countInsights(t, s)
	server := newServer(t, s)
	for _, person := range []*client{staff(t, server, policy.DataLead), german(t, server)} {
		for _, query := range []string{"of=messages&by=lang", "of=messages&by=state", "of=messages&by=review",
			"of=messages&by=month", "of=messages&by=review&lang=de", "of=users&by=lang", "of=users&by=month",
			"of=trees&by=lang", "of=trees&by=state", "of=trees&by=state&lang=es"} {
			if checkLinks(t, person, query) == 0 {
				t.Errorf("%s: no link", query)
			}
		}
	}
}

// german returns a moderator who is limited to a language.
func german(t *testing.T, server *Server) *client {
	t.Helper()
	account := storetest.Staff(t, server.store, policy.Moderator)
	storetest.Exec(t, server.store, "UPDATE users SET languages = '{de}' WHERE user_id = $1", account.UserID)
	return signedIn(t, server, account)
}

// collected is a server with messages of now and long ago, in languages with hostile
// names.
func collected(t *testing.T) *Server {
	t.Helper()
	s := storetest.New(t)
	author, other := storetest.User(t, s, "Author"), storetest.User(t, s, "Other")
	now := time.Now()
	ids := storetest.Tree(t, s, storetest.Node{Author: author, At: now.AddDate(0, 0, -20), Replies: []storetest.Node{
		{Author: other, At: now.Add(-time.Hour), Lang: "=<b>x"}, {Author: author, At: now.AddDate(0, 0, -3), Deleted: true},
		{Author: author, At: now.AddDate(-1, 0, 0)}}})
	storetest.Tree(t, s, storetest.Node{Author: other, At: now, Lang: "de"})
	storetest.Exec(t, s, `UPDATE messages SET created_date = '-infinity', lang = NULL, review_result = NULL
		WHERE message_id = $1`, ids[3])
	storetest.Exec(t, s, "INSERT INTO trees (tree_id, state, lang) VALUES ($1, '<i>state', $2)", uuid.New(),
		strings.Repeat("x", 50))
	countInsights(t, s)
	return newServer(t, s)
}

// TestCollectionPage checks the page, its links in each frame, its files and hostile names.
func TestCollectionPage(t *testing.T) {
	t.Parallel()
	server := collected(t)
	c := staff(t, server, policy.Moderator)
	for query, links := range map[string]int{
		"": 3, "frame=day": 2, "by=review": 2, "by=review&frame=week": 1, "by=state": 1, "of=trees&by=state": 1,
		"of=trees&by=lang": 2, "of=trees&by=lang&frame=month": 0, "of=trees&by=month": 0, "of=trees&by=review": 0,
		"of=users": 3, "of=users&frame=week": 3, "of=users&by=review": 2, "by=review&lang=und": 0,
		"by=review&lang=%3D%3Cb%3Ex": 1,
	} {
		if got := checkLinks(t, c, query); got != links {
			t.Errorf("%q: %d groups have a link, want %d", query, got, links)
		}
	}
	if checkLinks(t, c, "by=month") == 0 || checkLinks(t, c, "by=month&frame=month") == 0 {
		t.Error("no month has a link")
	}
	for _, query := range []string{"", "by=state&of=trees", "by=month", "of=users&by=review", "of=trees&by=lang",
		"lang=%3D%3Cb%3Ex"} {
		page := c.get("/insights/collection?" + query).want(200)
		if strings.Contains(page.body, "<b>x") || strings.Contains(page.body, "<i>state") {
			t.Errorf("%s does not escape names", query)
		}
		svg := page.page().Find("svg.chart-plot")
		if svg.Length() != 1 || !strings.Contains(attr(svg, "aria-label"), "in all. The table below has the numbers") ||
			(attr(svg, "role") == "img") != (svg.Find("a").Length() == 0) {
			t.Errorf("%s: the chart has the text %q", query, attr(svg, "aria-label"))
		}
		if page.page().Find("nav.insight-tabs [aria-current=page]").Text() != "Collection" ||
			!strings.Contains(page.text("pre"), "FROM insight_collection") ||
			!strings.Contains(page.text("main"), "N = ") {
			t.Errorf("%s has no tab, no query or no N", query)
		}
		address := attr(page.page().Find("a[download]"), "href")
		file := c.get("/insights/collection" + address).want(200)
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file.body, spreadsheet.ByteOrderMark))).ReadAll()
		if err != nil || len(rows) != page.page().Find("tbody tr").Length()+1 {
			t.Errorf("%s: %v, %v", address, rows, err)
		}
	}
	if body := c.get("/insights/collection?format=csv").want(200).body; !strings.Contains(body, "'=<b>x,1,0,0.2") {
		t.Errorf("the file does not defuse cells:\n%s", body)
	}
	if body := c.get("/insights/collection?format=csv&of=users").want(200).body; !strings.Contains(body, "de,1,,0.5") {
		t.Errorf("the file of users:\n%s", body)
	}
}

// TestBadCollection asks for figures that do not exist, as nobody, and of nothing.
func TestBadCollection(t *testing.T) {
	t.Parallel()
	server := collected(t)
	c := staff(t, server, policy.DataLead)
	for _, query := range []string{"of=lists", "by=all", "by=author", "frame=year", "lang=a&lang=b", "what=x",
		"lang=" + strings.Repeat("x", 41), "lang=%00", "figure=x"} {
		c.get("/api/v1/insights/collection?" + query).want(400)
	}
	for _, name := range []string{"of", "by"} {
		page := c.get("/insights/collection?" + name + "=none").want(400)
		if page.page().Find("#fault-"+name).Length() != 1 {
			t.Errorf("%s: no fault beside the field", name)
		}
	}
	newClient(t, server).get("/api/v1/insights/collection").want(401)
	if text := c.get("/insights/collection?lang=xx").want(200).text("main"); !strings.Contains(text, "Nothing to count") ||
		!strings.Contains(text, "Show all time") {
		t.Errorf("a language without messages: %s", text)
	}
	empty := newServer(t, storetest.New(t))
	for _, of := range insights.Units {
		text := staff(t, empty, policy.Moderator).get("/insights/collection?of=" + of).want(200).text("main")
		if !strings.Contains(text, "There are no "+of+" yet") || !strings.Contains(text, "Not counted yet") {
			t.Errorf("%s of nothing: %s", of, text)
		}
	}
}

// TestToxicityLinks compares the numbers of messages of each group of the means of outputs
// with what its link lists, for a person of all languages and for one of German.
func TestToxicityLinks(t *testing.T) {
	t.Parallel()
	server, _, list := classified(t)
	s := server.store
	// Messages without an output are in no group; the name of the model can be searched for.
	author := storetest.User(t, s, "Another")
	storetest.Tree(t, s, storetest.Node{Author: author, Replies: []storetest.Node{{Author: author, Lang: "de"},
		{Author: author, Deleted: true}}})
	storetest.Exec(t, s, "UPDATE classifier_models SET name = 'my.model'")
	rows := storetest.Tree(t, s, storetest.Node{Author: author, Lang: "de"})
	storetest.Exec(t, s, `INSERT INTO classifier_outputs (tree_id, message_id, model_id, scores)
		SELECT $1, $1, model_id, '{-1e9,0.5}' FROM classifier_models`, rows[0])
	countInsights(t, s)
	for _, c := range []*client{staff(t, server, policy.Moderator), german(t, server)} {
		for by, links := range map[string]int{"deleted": 2, "lang": 2, "review": 1, list: 1} {
			var o insights.Outputs
			c.get("/api/v1/insights/toxicity?by=" + by).want(200).json(&o)
			page := c.get("/insights/toxicity?by=" + by).want(200).page()
			followed := 0
			p := toxicityPage{Figures: o}
			page.Find("table.table th a").Each(func(_ int, a *goquery.Selection) {
				for _, g := range o.Groups {
					if p.GroupTitle(g.Key) != strings.TrimSpace(a.Text()) {
						continue
					}
					followed++
					if n := countListed(t, c, attr(a, "href")); n != g.N() {
						t.Errorf("%s, %s: %d, but %s lists %d", by, g.Key, g.N(), attr(a, "href"), n)
					}
				}
			})
			if followed != links {
				t.Errorf("%s: %d links, want %d", by, followed, links)
			}
			if by == "lang" && page.Find("svg.chart-plot a").Length() == 0 {
				t.Error("no row of the chart by language opens its messages")
			}
		}
	}
}
