package admin

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// openEach follows each link of a selection, and compares its text, a number, with the
// number of messages that it lists. Links whose title says that they open something else
// list more. It returns how many links are exact, and how many are not.
func openEach(t *testing.T, c *client, links *goquery.Selection) (exact, wider int) {
	t.Helper()
	links.Each(func(_ int, a *goquery.Selection) {
		c.get(attr(a, "href")).want(200)
		listed, said := fmt.Sprint(countListed(t, c, attr(a, "href"))), strings.ReplaceAll(a.Text(), ",", "")
		switch {
		case attr(a, "title") != showMessages:
			wider++
			if len(listed) < len(said) || len(listed) == len(said) && listed < said {
				t.Errorf("%s lists %s, fewer than %s", attr(a, "href"), listed, said)
			}
		case listed != said:
			t.Errorf("%s lists %s, want %s", attr(a, "href"), listed, said)
		default:
			exact++
		}
	})
	return exact, wider
}

// addresses returns the addresses of links.
func addresses(links *goquery.Selection) map[string]bool {
	all := map[string]bool{}
	links.Each(func(_ int, a *goquery.Selection) { all[attr(a, "href")] = true })
	return all
}

// TestRatersLinks opens the messages of each row of the agreement of raters.
func TestRatersLinks(t *testing.T) {
	t.Parallel()
	server := rated(t)
	s := server.store
	first, second := storetest.User(t, s, "Third"), storetest.User(t, s, "Fourth")
	for i, lang := range []string{"de", "", "en"} {
		message := storetest.Tree(t, s, storetest.Node{Lang: lang, Deleted: i == 0})[0]
		storetest.Exec(t, s, "UPDATE messages SET lang = nullif($2, '') WHERE message_id = $1", message, lang)
		storetest.Vote(t, s, message, first, "spam", 0, time.Now())
		if lang != "en" { // that has one vote on spam, and one on quality
			storetest.Vote(t, s, message, second, "spam", 1, time.Now())
		} else {
			storetest.Vote(t, s, message, second, "quality", 1, time.Now())
		}
	}
	countInsights(t, s)
	for _, c := range []*client{staff(t, server, policy.Moderator), german(t, server)} {
		for query, want := range map[string][2]int{"": {4, 1}, "?label=quality": {3, 0}, "?lang=en": {3, 1},
			"?lang=und": {2, 2}} {
			page := c.get("/insights/raters" + query).want(200).page()
			links := page.Find("td a[href^='/messages?']")
			exact, wider := openEach(t, c, links)
			if exact != want[0] || wider != want[1] || links.Length() != page.Find("tbody tr").Length() {
				t.Errorf("%q: %d and %d links, want %v", query, exact, wider, want)
			}
			charted := page.Find("svg.chart-plot[role=group] a")
			for address := range addresses(charted) {
				if !addresses(links)[address] {
					t.Errorf("%q: a row of the chart opens %s", query, address)
				}
			}
			if charted.Length() == 0 || charted.Find("title").Length() != charted.Length() {
				t.Errorf("%q: %d rows of the charts are links", query, charted.Length())
			}
		}
	}
	c := staff(t, server, policy.Moderator)
	for address, want := range map[string]int64{"label=spam.votes%3C2": 3, "label=spam.votes=1": 1,
		"q=label:spam.votes%3E=2":                 4,
		"deleted=include&label=quality.votes%3E1": 2} {
		if n := countListed(t, c, "/messages?"+address); n != want {
			t.Errorf("%s lists %d, want %d", address, n, want)
		}
	}
	for _, label := range []string{"spam.votes", "votes>=2", ".votes>=2", "spam.vote>=2", "spam.votes.votes>=2"} {
		c.get("/api/v1/messages?label=" + url.QueryEscape(label)).want(400)
	}
}

// TestHeatMapLinks opens the messages of each cell of the heat map, and of the table beside it.
func TestHeatMapLinks(t *testing.T) {
	t.Parallel()
	server, _, _ := classified(t)
	storetest.Exec(t, server.store, "UPDATE classifier_models SET name = 'my.model'")
	for _, c := range []*client{staff(t, server, policy.Moderator), german(t, server)} {
		for _, scope := range []string{"all", "deleted", "retained"} {
			page := c.get("/insights/correlations?scope=" + scope).want(200).page()
			links, cells := page.Find("td a[href^='/messages?']"), page.Find("svg.heat[role=group] a[href^='/messages?']")
			// The filter's grammar cannot write the name of one of both outputs.
			if exact, wider := openEach(t, c, links); exact != 1 || wider != 1 {
				t.Errorf("%s: %d and %d links, want one of each", scope, exact, wider)
			}
			if fmt.Sprint(addresses(links)) != fmt.Sprint(addresses(cells)) {
				t.Errorf("%s: the table opens %v, the map %v", scope, addresses(links), addresses(cells))
			}
			for i, want := range []string{"Toxicity and Toxicity: r = ", "=1+1 and Toxicity: r = "} {
				text := cells.Eq(i).Find("title").Text()
				if !strings.HasPrefix(text, want) || strings.Contains(text, "no filter") != (i == 1) {
					t.Errorf("%s: a cell has the title %q", scope, text)
				}
			}
		}
	}
}

// TestContributorLinks opens the messages of each point of the curve, and of those who wrote
// most, in each role and time.
func TestContributorLinks(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	now := time.Now()
	for i := range 6 {
		author := storetest.User(t, s, fmt.Sprint("Author ", i))
		for j := range i*i + 1 {
			ids := storetest.Tree(t, s, storetest.Node{Author: author, Lang: []string{"en", "de"}[i%2],
				At: now.AddDate(0, 0, -3*j), Deleted: j%3 == 2})
			if j%2 == 1 {
				storetest.Exec(t, s, "UPDATE messages SET role = 'assistant' WHERE message_id = $1", ids[0])
			}
		}
	}
	message := storetest.Tree(t, s, storetest.Node{})[0]
	storetest.Exec(t, s, "UPDATE messages SET user_id = NULL WHERE message_id = $1", message)
	countInsights(t, s)
	server := newServer(t, s)
	for _, c := range []*client{staff(t, server, policy.Moderator), german(t, server)} {
		for _, role := range []string{"any", "prompter", "assistant"} {
			for _, frame := range []string{"total", "month", "week"} {
				query := "?role=" + role + "&frame=" + frame
				page := c.get("/insights/contributors" + query).want(200).page()
				points := page.Find("[aria-labelledby=curve-title] td a")
				top := page.Find("[aria-labelledby=top-title] td a[href^='/messages?']")
				exact, _ := openEach(t, c, points)
				if exact != points.Length() || exact == 0 {
					t.Errorf("%s: %d of %d points open their messages", query, exact, points.Length())
				}
				if exact, _ = openEach(t, c, top); exact != page.Find("[aria-labelledby=top-title] tbody tr").Length() {
					t.Errorf("%s: %d users have links", query, exact)
				}
				marks := page.Find(".curve svg[role=group] a")
				if fmt.Sprint(addresses(points)) != fmt.Sprint(addresses(marks)) ||
					!strings.Contains(marks.Last().Find("title").Text(), ": 100.0 % of the messages, N = ") {
					t.Errorf("%s: the curve opens %v, the table %v", query, addresses(marks), addresses(points))
				}
			}
		}
	}
	c := staff(t, server, policy.Moderator)
	for condition, want := range map[string]int64{"<=1": 1, "=2": 2, "<3": 3, ">17": 26, ">=17": 43, ">26": 0, "<0": 0} {
		address := "/messages?deleted=include&author_messages=" + url.QueryEscape(condition)
		if n := countListed(t, c, address); n != want {
			t.Errorf("authors with %s messages: %d messages, want %d", condition, n, want)
		}
	}
	page := c.get("/messages?deleted=include&author_messages=%3C%3D1").want(200).page()
	if attr(page.Find("#f-author"), "value") != "<=1" || page.Find("a[href^='/searches/new']").Length() != 0 {
		t.Error("the page loses the filter, or offers to save a search that cannot say it")
	}
	for _, condition := range []string{"1", "<=x", "spam<=1", "<=-1", "<=1.5", "<=1e300"} {
		c.get("/api/v1/messages?author_messages=" + url.QueryEscape(condition)).want(400)
	}
}
