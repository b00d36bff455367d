package admin

import (
	"bufio"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// badInput is the folder of public lists of texts that break web sites.
func badInput(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("TREEWARDEN_CORPORA")
	if dir == "" {
		t.Skip("TREEWARDEN_CORPORA is not set: it names the folder with the lists of bad input")
	}
	dir = filepath.Join(dir, "bad-input")
	read := func(name string, into any) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = json.Unmarshal(data, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var purify []struct{ Payload string }
	var naughty, all []string
	var bidi []struct{ Text string }
	read("dompurify-expect.json", &purify)
	read("blns.json", &naughty)
	read("bidi_homoglyph_lines.json", &bidi)
	for _, p := range purify {
		all = append(all, p.Payload)
	}
	for _, b := range bidi {
		all = append(all, b.Text)
	}
	all = append(all, naughty...)
	file, err := os.Open(filepath.Join(dir, "xss-payloads.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		all = append(all, lines.Text())
	}
	return all
}

// checkInert fails the test if a page holds something that its templates do
// not: an element that runs or loads, an event attribute, or a link to a
// script.
func checkInert(t *testing.T, name string, page *goquery.Document) {
	t.Helper()
	if n := page.Find("script").Length(); n != 1 {
		t.Errorf("%s: the page has %d scripts, want its own", name, n)
	}
	if found := page.Find("img, iframe, object, embed, audio, video, style, base, math, foreignObject, [style], svg " +
		"image, svg script, link:not([rel=icon]):not([rel=stylesheet])"); found.Length() > 0 {
		html, _ := goquery.OuterHtml(found.First())
		t.Errorf("%s: the page holds %.300s", name, html)
	}
	for _, element := range page.Find("*").EachIter() {
		for _, a := range element.Nodes[0].Attr {
			if strings.HasPrefix(a.Key, "on") {
				t.Errorf("%s: the page has an attribute %s=%.100q", name, a.Key, a.Val)
			}
		}
	}
	for _, link := range page.Find("[href], [action], [formaction]").EachIter() {
		for _, attribute := range []string{"href", "action", "formaction"} {
			address, ok := link.Attr(attribute)
			if ok && !strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "?") && !strings.HasPrefix(address, "#") &&
				!strings.HasPrefix(address, "http://") && !strings.HasPrefix(address, "https://") {
				t.Errorf("%s: the page leads to %.200q", name, address)
			}
		}
	}
}

// TestHostileTexts shows every bad text as a message and as a name, on every
// page with messages.
func TestHostileTexts(t *testing.T) {
	payloads := badInput(t)
	s := storetest.New(t)
	server := newServer(t, s)
	c := staff(t, server, policy.Moderator)
	const perTree = 150
	for len(payloads) > 0 {
		some := payloads[:min(perTree, len(payloads))]
		payloads = payloads[len(some):]
		ids := plantTexts(t, s, some)
		for _, path := range []string{"/trees/" + ids[0].String(), at(ids[0]), at(ids[0], "?view=raw"), at(ids[len(ids)-1]),
			"/messages?limit=200&tree=" + ids[0].String(), at(ids[1], "/edit"), at(ids[1], "/labels"), at(ids[1], "/delete"),
			at(ids[1], "/history")} {
			checkInert(t, path, c.get(path).want(200).page())
		}
		for _, path := range []string{"/api/v1/trees/" + ids[0].String(), "/api/v1" + at(ids[0], "/thread"),
			"/messages?format=csv&limit=200&tree=" + ids[0].String()} {
			c.get(path).want(200)
		}
	}
	for _, path := range []string{"/trees?limit=200", "/messages?limit=200"} {
		checkInert(t, path, c.get(path).want(200).page())
	}
}

// plantTexts makes a tree of texts, each by a user of that name.
func plantTexts(t *testing.T, s *store.Store, texts []string) []uuid.UUID {
	t.Helper()
	var authors, ids []uuid.UUID
	var clean []string
	for _, text := range texts {
		clean = append(clean, strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD"))
		authors, ids = append(authors, uuid.New()), append(ids, uuid.New())
	}
	storetest.Exec(t, s, `INSERT INTO users (user_id, display_name, username) SELECT id, name, id::text
		FROM unnest($1::uuid[], $2::text[]) u(id, name)`, authors, clean)
	storetest.Exec(t, s, "INSERT INTO trees (tree_id, state, created_date, user_id) VALUES ($1, 'growing', now(), $2)",
		ids[0], authors[0])
	storetest.Exec(t, s, `INSERT INTO messages (tree_id, message_id, parent_id, user_id, created_date, role, lang, text,
		depth)
		SELECT $1, m.id, CASE WHEN m.id <> $1 THEN $1 END, author, now(), 'prompter', 'en', text, CASE WHEN m.id = $1 THEN 0
			ELSE 1 END
		FROM unnest($2::uuid[], $3::uuid[], $4::text[]) m(id, author, text)`, ids[0], ids, authors, clean)
	storetest.Exec(t, s, "INSERT INTO message_trees (message_id, tree_id) SELECT id, $1 FROM unnest($2::uuid[]) id",
		ids[0], ids)
	return ids
}

// TestHostileQueries puts bad texts into every parameter. The answer is a page
// or names the error, and is never an internal error.
func TestHostileQueries(t *testing.T) {
	payloads := badInput(t)
	s := storetest.New(t)
	server := newServer(t, s)
	g := plant(t, s)
	c := staff(t, server, policy.Moderator)
	parameters := map[string][]string{
		"/messages": {"q", "lang", "role", "user", "tree", "tree_state", "deleted", "review", "label", "toxicity",
			"classifier", "author_messages", "since", "until", "has",
			"sort", "limit", "cursor", "format", "done", "notice"},
		"/trees":                             {"state", "lang", "origin", "author", "limit", "cursor", "format"},
		at(g.first):                          {"view", "done"},
		at(g.first, "/edit"):                 {"text", "return", "version", "reason"},
		at(g.first, "/labels"):               {"labels[spam]", "return"},
		"/trees/" + g.prompt.String():        {"done"},
		"/trees/" + g.prompt.String() + "/x": {"y"},
	}
	turn := 0
	for path, names := range parameters {
		for _, name := range names {
			for i := turn % 97; i < len(payloads); i += 97 { // each goes into some parameter
				address := path + "?" + url.Values{name: {payloads[i]}}.Encode()
				a := c.get(address)
				switch {
				case a.status == 422 && path == "/messages" && name == "q": // a line that cannot be read
					checkInert(t, address, a.page())
				case a.status != 200 && a.status != 400 && a.status != 404 && a.status != 431:
					t.Errorf("%s: %d", address, a.status)
				case strings.HasPrefix(a.header.Get("Content-Type"), "text/html"):
					checkInert(t, address, a.page())
				}
			}
			turn++
		}
	}
	for _, payload := range payloads[:60] {
		if a := c.get("/messages/" + url.PathEscape(payload)); a.status != 400 && a.status != 404 && a.status != 303 {
			t.Errorf("/messages/%q: %d", payload, a.status)
		}
	}
	for i, payload := range payloads {
		if i%53 != 0 {
			continue
		}
		for _, form := range []url.Values{
			{"text": {payload}, "reason": {payload}, "version": {payload}},
			{"text": {payload + " edited"}, "reason": {"a fair reason"}, "return": {payload}},
		} {
			if a := c.post(at(g.second, "/edit"), form); a.status != 303 && a.status != 422 && a.status != 400 {
				t.Errorf("editing to %q: %d", payload, a.status)
			} else if location := a.header.Get("Location"); location != "" && !strings.HasPrefix(location, "/") ||
				strings.HasPrefix(location, "//") {
				t.Errorf("after editing, %q leads to %q", payload, location)
			}
		}
		if a := c.post(at(g.second, "/report"), url.Values{"reason": {payload}}); a.status != 303 && a.status != 422 {
			t.Errorf("reporting with %q: %d", payload, a.status)
		}
	}
	checkInert(t, "history", c.get(at(g.second, "/history")).want(200).page())
	checkInert(t, "message", c.get(at(g.second)).want(200).page())
}
