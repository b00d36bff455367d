package admin

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"treewarden/corpus/search"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/db"
	"treewarden/store/messages"
	"treewarden/store/storetest"
)

// inOrder returns the names of the messages that the API finds, in their order.
func (l library) inOrder(query url.Values) string {
	l.t.Helper()
	_, list := l.find(query)
	var names []string
	for _, m := range list.Items {
		names = append(names, l.names[m.MessageID])
	}
	return strings.Join(names, " ")
}

// date sets the dates of messages: the first is the newest.
func (l library) date(names ...string) {
	l.t.Helper()
	for i, name := range names {
		storetest.Exec(l.t, l.store, `UPDATE messages SET created_date = '2024-05-01Z'::timestamptz - $2 * interval '1 hour'
			WHERE message_id = $1`, l.ids[name], i)
	}
	storetest.Derive(l.t, l.store)
}

// TestBestFirst searches by how well messages match, through the API.
func TestBestFirst(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, map[string]string{
		"once": "a watch among other things", "twice": "a watch, and another watch here",
		"long":  "a watch" + strings.Repeat(" and other things", 60),
		"both":  "a watch or a clock for us",
		"same1": "five words with a watch", "same2": "a watch with five words",
		"none": "only a clock",
	})
	l.date("long", "once", "same1", "same2", "twice", "none", "both")
	for _, tt := range []struct{ line, want string }{
		{"watch", "twice once same1 same2 both long"},
		{`"a watch"`, "once same1 same2 twice both long"},
		{"/w.tch/", "twice once same1 same2 both long"},
		{"watch OR clock", "both twice none once same1 same2 long"},
		{"watch -clock", "twice once same1 same2 long"},
		{"watch -clock since:2024-04-30T22:00:00Z", "once same1 long"},
		{"nowhere", ""},
	} {
		q := url.Values{"q": {tt.line}, "sort": {"best"}}
		if got := l.inOrder(q); got != tt.want {
			t.Errorf("%s finds %q, want %q", tt.line, got, tt.want)
		}
		_, list := l.find(q)
		parsed, err := search.Parse(tt.line)
		if err != nil {
			t.Fatal(err)
		}
		if list.Note != "" || list.Cut || list.Next != nil || list.Prev != nil {
			t.Errorf("%s: a whole result says %q and has pages", tt.line, list.Note)
		}
		if !slices.IsSortedFunc(list.Items, func(a, b store.Message) int {
			return cmp.Or(cmp.Compare(parsed.Score(b.Text), parsed.Score(a.Text)), b.CreatedDate.Compare(*a.CreatedDate))
		}) {
			t.Errorf("%s: %s is not in the order of the scores", tt.line, l.inOrder(q))
		}
		for _, m := range list.Items {
			if spans, _ := parsed.Match(m.Text); !slices.Equal(m.Marks, spans) {
				t.Errorf("%s has the marks %v in %q, want %v", tt.line, m.Marks, m.Text, spans)
			}
		}
	}
	// Deleted messages are left out, or the only ones.
	l.send("POST", "/api/v1/messages/"+l.ids["twice"].String()+"/delete", map[string]any{"reason": "a test"}).want(200)
	l.send("POST", "/api/v1/messages/"+l.ids["long"].String()+"/delete", map[string]any{"reason": "a test"}).want(200)
	for deleted, want := range map[string]string{
		"": "once same1 same2 both", "only": "twice long", "include": "twice once same1 same2 both long",
	} {
		if got := l.inOrder(url.Values{"q": {"watch"}, "sort": {"best"}, "deleted": {deleted}}); got != want {
			t.Errorf("deleted=%s finds %q, want %q", deleted, got, want)
		}
	}
}

// TestBestKeepsLanguageLimits ranks as a moderator of one language.
func TestBestKeepsLanguageLimits(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, map[string]string{"a": "word word word", "b": "one word", "c": "word and word"})
	storetest.Exec(t, l.store, "UPDATE messages SET lang = 'de' WHERE message_id = ANY ($1)",
		[]uuid.UUID{l.ids["b"], l.ids["c"]})
	storetest.Derive(t, l.store)
	actor := storetest.Staff(t, l.store, policy.Moderator)
	storetest.Exec(t, l.store, "UPDATE users SET languages = '{de}' WHERE user_id = $1", actor.UserID)
	own := library{signedIn(t, l.server, actor), l.store, l.ids, l.names}
	if got := own.inOrder(url.Values{"q": {"word"}, "lang": {"own"}, "sort": {"best"}}); got != "c b" {
		t.Errorf("own languages: %q", got)
	}
	if got := own.inOrder(url.Values{"q": {"word lang:en"}, "lang": {"own"}, "sort": {"best"}}); got != "" {
		t.Errorf("another language in the line: %q", got)
	}
	if n := own.get("/messages?q=word&sort=best").want(200).page().Find(".messages tbody tr").Length(); n != 2 {
		t.Errorf("the page shows %d messages, want 2", n)
	}
}

// TestBestNeedsWords asks for the best of what has no words, by the API and on the page.
func TestBestNeedsWords(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, map[string]string{"a": "one word", "b": "word and word"})
	for _, line := range []string{"", "lang:en", "-nothing", "-nothing role:prompter", "-a OR -b"} {
		query := "?sort=best&q=" + url.QueryEscape(line)
		a := l.get("/api/v1/messages" + query).want(422)
		if why, _ := a.field("error", "fields", "sort").(string); !strings.Contains(why, "nothing to rank by") {
			t.Errorf("%s: the reason is %s", line, a.body)
		}
		page := l.get("/messages" + query).want(200).page()
		if options := page.Find("#f-sort option"); options.Length() != 2 ||
			page.Find("#f-sort option[selected]").Text() != "Newest first" {
			t.Errorf("%q: the page offers %s", line, page.Find("#f-sort").Text())
		}
		if page.Find("th[aria-sort=descending]").Length() != 1 || page.Find("a[href*='sort=best']").Length() != 0 {
			t.Errorf("%q: the page does not show the newest first", line)
		}
	}
	// The cursor of a page of the best is left out with the words.
	next := l.get("/messages?limit=1&sort=best&q=word").want(200).page().Find("a[rel=next]").AttrOr("href", "")
	if !strings.Contains(next, "q=word") {
		t.Fatalf("the link to the next page is %s", next)
	}
	l.get("/messages" + strings.Replace(next, "q=word", "q=", 1)).want(200)
	// A wrong line keeps the choice for the next try.
	page := l.get("/messages?sort=best&q=" + url.QueryEscape("word OR")).want(422).page()
	if page.Find("#f-sort option[selected]").AttrOr("value", "") != "best" || page.Find("#fault-q").Length() != 1 {
		t.Errorf("a wrong line: %s", page.Find("form.filters").Text())
	}
	page = l.get("/messages?sort=best&q=word").want(200).page()
	if page.Find("#f-sort option[selected]").Text() != "Best match" || page.Find("th[aria-sort=none]").Length() != 1 {
		t.Errorf("the page of the best: %s", page.Find("form.filters").Text())
	}
	page = l.get("/messages?q=word").want(200).page()
	if page.Find("#f-sort option").Length() != 3 {
		t.Errorf("words offer %s", page.Find("#f-sort").Text())
	}
	// A file has all rows, so it is not ranked, and no link asks for that.
	l.get("/messages?sort=best&q=word&format=csv").want(422)
	link := l.get("/messages?sort=best&q=word").want(200).page().Find("a[download]").AttrOr("href", "")
	if file := l.get("/messages" + link).want(200); strings.Count(file.body, "word") != 3 {
		t.Errorf("the file of %s: %s", link, file.body)
	}
}

// TestBestPages reads the pages of the best forth and back while messages come, are edited
// and go.
func TestBestPages(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	author := storetest.User(t, s, "an author")
	const all = 300
	root := storetest.Node{Author: author, Text: "needle"}
	for i := 1; i < all; i++ {
		root.Replies = append(root.Replies, storetest.Node{Author: author,
			Text: strings.Repeat("needle ", i%5+1) + "even" + strings.Repeat(" hay", i%7),
			At:   time.Now().Add(-time.Duration(i/2) * time.Minute)}) // two of each date
	}
	storetest.Tree(t, s, root)
	storetest.Exec(t, s, `UPDATE messages SET created_date = '-infinity' WHERE message_id IN (
		SELECT message_id FROM messages ORDER BY created_date LIMIT 40)`)
	storetest.Derive(t, s)
	storetest.Exec(t, s, "ANALYZE messages, message_terms")
	c := staff(t, newServer(t, s), policy.Moderator)
	read := func(line, cursor string) store.List[store.Message] {
		t.Helper()
		var list store.List[store.Message]
		query := url.Values{"q": {line}, "limit": {"47"}, "cursor": {cursor}, "sort": {"best"}}
		c.get("/api/v1/messages?" + query.Encode()).want(200).json(&list)
		return list
	}
	walk := func(line string, between func(page int)) (forth, back []uuid.UUID) {
		t.Helper()
		list := read(line, "")
		for page := 1; ; page++ {
			for _, m := range list.Items {
				forth = append(forth, m.MessageID)
			}
			if between(page); list.Next == nil {
				break
			}
			list = read(line, *list.Next)
		}
		for {
			for _, m := range slices.Backward(list.Items) {
				back = append(back, m.MessageID)
			}
			if list.Prev == nil {
				break
			}
			list = read(line, *list.Prev)
		}
		slices.Reverse(back)
		return forth, back
	}
	for _, line := range []string{"needle", "/needle/", `"needle needle" OR hay`, "needle even"} {
		forth, back := walk(line, func(int) {})
		q, err := search.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		type one struct {
			id    uuid.UUID
			score float64
		}
		var want []one
		rows, err := storetest.DB(t, s).Query(t.Context(), `SELECT message_id, text FROM messages
			ORDER BY created_date DESC, message_id DESC`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var id uuid.UUID
			var text string
			if err := rows.Scan(&id, &text); err != nil {
				t.Fatal(err)
			}
			if _, ok := q.Match(text); ok {
				want = append(want, one{id, q.Score(text)})
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		slices.SortStableFunc(want, func(a, b one) int { return cmp.Compare(b.score, a.score) })
		var ids []uuid.UUID
		for _, w := range want {
			ids = append(ids, w.id)
		}
		if !slices.Equal(forth, ids) {
			t.Errorf("%s: %d messages are not in the order of the %d that match", line, len(forth), len(ids))
		}
		if !slices.Equal(forth, back) {
			t.Errorf("%s: %d messages forth are %d back", line, len(forth), len(back))
		}
	}

	// A message that matches better comes.
	before, _ := walk("needle", func(int) {})
	forth, back := walk("needle", func(page int) {
		if page == 1 {
			storetest.Tree(t, s, storetest.Node{Author: author, Text: "needle needle needle needle needle",
				At: time.Now()})
			storetest.Derive(t, s)
		}
	})
	if !slices.Equal(forth, before) || !slices.Equal(back, before) {
		t.Errorf("a message that came meanwhile changed the pages: %d and %d of %d", len(forth), len(back), len(before))
	}
	// The last message of the first page goes: no other one is left out or twice.
	forth, _ = walk("needle", func(page int) {
		if page == 1 {
			storetest.Exec(t, s, "UPDATE messages SET deleted = true WHERE message_id = $1",
				read("needle", "").Items[46].MessageID)
		}
	})
	if len(forth) != all+1 {
		t.Errorf("%d messages after one was deleted between the pages, want %d", len(forth), all+1)
	}
	if slices.SortFunc(forth, func(a, b uuid.UUID) int { return cmp.Compare(a.String(), b.String()) }); len(
		slices.Compact(forth)) != all+1 {
		t.Error("a message is on two pages")
	}
}

// TestBestOfTheNewest ranks no more than the newest messages, and says so.
func TestBestOfTheNewest(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	author := storetest.User(t, s, "an author")
	root := storetest.Node{Author: author, Text: "common"}
	add := func(n int, text string, from time.Time) {
		for i := range n {
			root.Replies = append(root.Replies, storetest.Node{Author: author, Text: text,
				At: from.Add(-time.Duration(i) * time.Second)})
		}
	}
	add(messages.MostRanked-1, "a common text", time.Now().Add(-time.Minute))
	ids := storetest.Tree(t, s, root)
	c := staff(t, newServer(t, s), policy.Moderator)
	read := func(cursor string) (list store.List[store.Message]) {
		t.Helper()
		query := url.Values{"q": {"common"}, "limit": {"200"}, "cursor": {cursor}, "sort": {"best"}}
		c.get("/api/v1/messages?" + query.Encode()).want(200).json(&list)
		return list
	}
	if list := read(""); list.Note != "" || list.Cut || list.Items[0].MessageID != ids[0] {
		t.Errorf("as many as are ranked: %q", list.Note)
	}
	// An older one matches better, and is not among the newest.
	old := storetest.Tree(t, s, storetest.Node{Author: author, Text: "common common common",
		At: time.Now().Add(-24 * time.Hour)})[0]
	storetest.Derive(t, s)
	const note = "These are the best of the newest 2,000 messages that match."
	found := 0
	for list := read(""); ; list = read(*list.Next) {
		if list.Note != note || list.Cut {
			t.Fatalf("a page says %q", list.Note)
		}
		for _, m := range list.Items {
			if m.MessageID == old {
				t.Error("a message beyond the newest is ranked")
			}
		}
		found += len(list.Items)
		if list.Next == nil {
			break
		}
	}
	if found != messages.MostRanked {
		t.Errorf("%d messages are ranked, want %d", found, messages.MostRanked)
	}
	if got := c.get("/messages?q=common&sort=best").want(200).text(".notice[role=status]"); got != note {
		t.Errorf("the page says %q", got)
	}
	// A search whose time is over says that it was ended.
	s.SetSearchTime(time.Nanosecond)
	a := c.get("/api/v1/messages?q=" + url.QueryEscape("/common/ /text/") + "&sort=best").want(200)
	if cut, _ := a.field("cut").(bool); !cut || !strings.Contains(fmt.Sprint(a.field("note")), "was ended") {
		t.Errorf("a search that was cut: %.300s", a.body)
	}
	a = c.get("/messages?q=" + url.QueryEscape("/nowhere/") + "&sort=best").want(200)
	if got := a.text(".notice[role=status]"); !strings.Contains(got, "before it found a message") {
		t.Errorf("the page of a search that was cut says %q", got)
	}
}

// TestBestRefusesCursors sends cursors of other lines, sorts and lists, and changed ones.
func TestBestRefusesCursors(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, map[string]string{"a": "a word", "b": "a word and a word", "c": "word"})
	cursor := func(query string) string {
		t.Helper()
		next, ok := l.get("/api/v1/messages?limit=1&" + query).want(200).field("next").(string)
		if !ok {
			t.Fatalf("%s has one page", query)
		}
		return next
	}
	of := map[string]string{}
	for _, query := range []string{"q=word&sort=best", "q=a&sort=best", "q=word&sort=new", "q=word&sort=old",
		"q=word&sort=best&role=prompter", "q=word+since:2020-01-01&sort=best", "q=word+since:2020-01-02&sort=best"} {
		of[query] = cursor(query)
	}
	for from, next := range of {
		for to := range of {
			want := 400
			if from == to {
				want = 200
			}
			l.get("/api/v1/messages?limit=1&" + to + "&cursor=" + next).want(want)
		}
	}
	var good db.Cursor
	raw, err := base64.RawURLEncoding.DecodeString(of["q=word&sort=best"])
	if err := cmp.Or(err, json.Unmarshal(raw, &good)); err != nil {
		t.Fatal(err)
	}
	for i := range good.Keys {
		for _, value := range []string{"x", "NaN", "\x00", "'"} {
			bad := good
			bad.Keys = slices.Clone(good.Keys)
			bad.Keys[i] = value
			l.get("/api/v1/messages?limit=1&q=word&sort=best&cursor=" + bad.String()).want(400)
		}
		for _, value := range []string{"", "Infinity", "-infinity", "1e999", "294277-01-01", "2023-02-30", "-1",
			uuid.NewString()} {
			other := good
			other.Keys = slices.Clone(good.Keys)
			other.Keys[i] = value
			if a := l.get("/api/v1/messages?limit=1&q=word&sort=best&cursor=" + other.String()); a.status != 200 &&
				a.status != 400 {
				t.Errorf("a cursor with %q as key %d: %d", value, i, a.status)
			}
		}
	}
	good.Keys = good.Keys[1:]
	l.get("/api/v1/messages?limit=1&q=word&sort=best&cursor=" + good.String()).want(400)
}

// TestActsDoNotDependOnTheSort compares what is saved, added and counted with and without
// sort=best.
func TestActsDoNotDependOnTheSort(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, map[string]string{"a": "one word", "b": "word and word", "c": "nothing"})
	links := func(query string) string {
		t.Helper()
		page := l.get("/messages?" + query).want(200).page()
		var all []string
		for _, selector := range []string{"a[href^='/searches/new']", "a[href^='/lists/choose']", "a[download]"} {
			link, ok := page.Find(".actions " + selector).Attr("href")
			if !ok {
				t.Fatalf("%s has no %s", query, selector)
			}
			to, err := url.Parse(link)
			if err != nil {
				t.Fatal(err)
			}
			values := to.Query()
			values.Del("return") // back to the page as it was
			all = append(all, to.Path+"?"+values.Encode())
		}
		page.Find("form#bulk input[type=hidden]").Each(func(_ int, field *goquery.Selection) {
			if name := field.AttrOr("name", ""); name != "return" && name != "csrf" {
				all = append(all, name+"="+field.AttrOr("value", ""))
			}
		})
		return strings.Join(all, "\n")
	}
	if best, newest := links("q=word&sort=best"), links("q=word"); best != newest {
		t.Errorf("sorted by the best match:\n%s\nby date:\n%s", best, newest)
	}
	list := l.newList()
	l.send("POST", "/api/v1/lists/"+list+"/items", map[string]any{
		"filter": map[string]any{"q": "word", "sort": "best"}, "reason": "a test"}).want(422)
	if n := l.send("POST", "/api/v1/lists/"+list+"/items", map[string]any{
		"filter": map[string]any{"q": "word"}, "reason": "a test"}).want(200).field("added"); n != 2.0 {
		t.Errorf("added %v messages, want 2", n)
	}
	preview := l.send("POST", "/api/v1/bulk", map[string]any{"kind": "reject", "reason": "a test", "preview": true,
		"on": map[string]any{"filter": map[string]any{"q": "word"}}}).want(200)
	if n := preview.field("expected"); n != 2.0 {
		t.Errorf("a bulk act is on %v messages, want 2", n)
	}
	saved := l.send("POST", "/api/v1/searches", map[string]any{"name": "words", "query": "word"}).want(200).
		field("search_id").(string)
	if got := l.inOrder(url.Values{"search": {saved}, "sort": {"best"}}); got != "b a" {
		t.Errorf("the best of a saved search: %q", got)
	}
}
