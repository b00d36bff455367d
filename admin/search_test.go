package admin

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"treewarden/corpus/search"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// library is a server with messages to search, by the names of their texts.
type library struct {
	*client
	store *store.Store
	ids   map[string]uuid.UUID
	names map[uuid.UUID]string
}

func newLibrary(t *testing.T, texts map[string]string) library {
	t.Helper()
	s := storetest.New(t)
	l := library{staff(t, newServer(t, s), policy.Admin), s, map[string]uuid.UUID{}, map[uuid.UUID]string{}}
	author := storetest.User(t, s, "an author")
	for name, text := range texts {
		l.ids[name] = storetest.Tree(t, s, storetest.Node{Author: author, Text: text})[0]
		l.names[l.ids[name]] = name
	}
	return l
}

// find returns the sorted names of the messages that the API finds, and the answer.
func (l library) find(query url.Values) (string, store.List[store.Message]) {
	l.t.Helper()
	var list store.List[store.Message]
	l.get("/api/v1/messages?" + query.Encode()).want(200).json(&list)
	var names []string
	for _, m := range list.Items {
		names = append(names, l.names[m.MessageID])
	}
	slices.Sort(names)
	return strings.Join(names, " "), list
}

// newList makes a list of messages, and returns its id.
func (c *client) newList() string {
	c.t.Helper()
	return c.send("POST", "/api/v1/lists",
		map[string]any{"name": "some", "kind": "bad"}).want(200).field("list_id").(string)
}

// TestSearchWords searches texts in many scripts through the API.
func TestSearchWords(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, map[string]string{
		"en": "Buy the cheap watch now, foobar!", "en2": "the watch is cheap; now buy it", "zh": "我喜欢吃苹果和香蕉",
		"ja": "東京でラーメンを食べました", "th": "ฉันชอบกินข้าวผัด", "ko": "한국어를 배웁니다",
		"ar": "كَتَبَ الوَلَدُ", "ar2": "كتب الولد", "nfc": norm.NFC.String("Café Zoë"), "nfd": norm.NFD.String("CAFÉ ZOË"),
		"de": "STRASSE", "link": "see https://example.com/x",
	})
	for line, want := range map[string]string{
		"果": "zh", "苹果": "zh", "果苹": "", "ラーメン": "ja", "東": "ja", "ข้าว": "th", "한국": "ko", "국": "ko",
		"كتب": "ar ar2", "كَتَبَ": "ar ar2", "café": "nfc nfd", norm.NFD.String("zoë"): "nfc nfd", "cafe": "",
		"WATCH": "en en2", "foo": "", "foobar": "en", `"cheap watch"`: "en", `"watch cheap"`: "", "watch -foobar": "en2",
		"foobar OR 苹果": "en zh", "foobar OR 苹果 OR /ramen/": "en zh", `"is cheap" OR "東京"`: "en2 ja", "/https?:/": "link",
		"watch /b.y it/": "en2", "-watch -/[^\\x00-\\x{ffff}a-z]/ example": "link", "straße": "de", "strass": "",
	} {
		q := url.Values{"q": {line}}
		got, list := l.find(q)
		if got != want {
			t.Errorf("%s finds %q, want %q", line, got, want)
		}
		if list.Cut || list.Note != "" {
			t.Errorf("%s was cut", line)
		}
		for _, m := range list.Items {
			parsed, err := search.Parse(line)
			if err != nil {
				t.Fatal(err)
			}
			if spans, _ := parsed.Match(m.Text); !slices.Equal(m.Marks, spans) || len(spans) == 0 {
				t.Errorf("%s has the marks %v in %q, want %v", line, m.Marks, m.Text, spans)
			}
		}
		rows := l.get("/messages?" + q.Encode()).want(200).page().Find(".messages tbody tr")
		if rows.Length() != len(list.Items) || rows.Find("summary mark").Length() < rows.Length() {
			t.Errorf("%s: the page has %d rows and %d marks", line, rows.Length(), rows.Find("mark").Length())
		}
	}
	// The marks of a text that is cut are those in what is left of it.
	list, err := l.store.Messages(t.Context(), store.CommandLine, store.MessageFilter{Q: "watch foobar", TextLimit: 21})
	if err != nil || len(list.Items) != 1 || list.Items[0].Text != "Buy the cheap watch n" ||
		!slices.Equal(list.Items[0].Marks, []search.Span{{Start: 14, End: 19}}) {
		t.Errorf("a cut text: %+v, %v", list.Items, err)
	}
	if got, _ := l.find(url.Values{"q": {"-watch"}}); strings.Contains(got, "en") || len(strings.Fields(got)) != 10 {
		t.Errorf("a negation finds %q", got)
	}
}

// TestSearchFiltersInLine compares filters in the line with the fields of the same names.
func TestSearchFiltersInLine(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, map[string]string{"a": "one word", "b": "two words", "c": "another word"})
	storetest.Vote(t, l.store, l.ids["a"], storetest.User(t, l.store, "a rater"), "spam", 1, time.Now())
	storetest.Report(t, l.store, l.ids["b"], storetest.User(t, l.store, "a reporter"), "look at this", time.Now())
	storetest.Exec(t, l.store, "UPDATE messages SET lang = 'de', review_result = NULL WHERE message_id = $1", l.ids["c"])
	l.send("POST", "/api/v1/messages/"+l.ids["a"].String()+"/delete", map[string]any{"reason": "a test"}).want(200)
	list := l.newList()
	l.send("POST", "/api/v1/lists/"+list+"/items", map[string]any{
		"items": []map[string]any{{"message_id": l.ids["b"]}}}).want(200)
	user := uuid.NewString()
	for _, f := range []struct{ line, field, value, want string }{
		{"lang:de", "lang", "de", "c"}, {"role:prompter", "role", "prompter", "b c"},
		{"role:assistant", "role", "assistant", ""},
		{"deleted:only", "deleted", "only", "a"}, {"deleted:include", "deleted", "include", "a b c"},
		{"review:pending", "review", "pending", "c"}, {"has:report", "has", "report", "b"},
		{"list:" + list, "list", list, "b"},
		{"user:" + user, "user", user, ""}, {"since:2001-01-01", "since", "2001-01-01", "b c"},
		{"until:2001-01-01T00:00:00Z", "until", "2001-01-01T00:00:00Z", ""}, {"spam>0.5", "label", "spam>0.5", ""},
		{"spam<=0.5", "label", "spam<=0.5", ""}, {"toxicity>0.5", "toxicity", ">0.5", ""},
		{"tree_state:growing", "tree_state", "growing", "b c"}, {"label:spam>0", "label", "spam>0", ""},
	} {
		byLine, _ := l.find(url.Values{"q": {f.line}})
		byField, _ := l.find(url.Values{f.field: {f.value}})
		both, _ := l.find(url.Values{"q": {f.line + " deleted:include"}, f.field: {f.value}})
		if byLine != f.want || byField != f.want || !strings.HasSuffix(both, f.want) {
			t.Errorf("%s finds %q, the field %q, both %q; want %q", f.line, byLine, byField, both, f.want)
		}
		if got, _ := l.find(url.Values{"q": {"-nothing " + f.line}}); got != f.want {
			t.Errorf("%s with a word finds %q, want %q", f.line, got, f.want)
		}
		// What a filter finds and what its negation finds are all messages.
		if strings.HasPrefix(f.line, "deleted:include") {
			continue
		}
		with, _ := l.find(url.Values{"q": {f.line}, "deleted": {"include"}})
		without, _ := l.find(url.Values{"q": {"-" + f.line}, "deleted": {"include"}})
		all := append(strings.Fields(with), strings.Fields(without)...)
		if slices.Sort(all); strings.Join(all, " ") != "a b c" {
			t.Errorf("%s finds %q, and its negation %q", f.line, with, without)
		}
	}
	if got, _ := l.find(url.Values{"q": {"word spam>0.5 deleted:include"}}); got != "a" {
		t.Errorf("a label of a deleted message: %q", got)
	}
	if got, _ := l.find(url.Values{"q": {"word lang:de"}, "lang": {"en"}}); got != "" {
		t.Errorf("a line and a field that exclude each other find %q", got)
	}
}

// TestSearchRefusesBadLines checks the status and the place of each fault, on all lists
// that are searched.
func TestSearchRefusesBadLines(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, map[string]string{"a": "one word"})
	list := l.newList()
	user := storetest.User(t, l.store, "somebody").String()
	for line, wrong := range map[string]string{
		`word "open`: `"open`, "a OR": "OR", "müller user:me": "user:me", "word -has:all": "-has:all",
		"lang:de nope>0.5":    "nope>0.5",
		"  ü since:yesterday": "since:yesterday", "/(/": "/(/", "...": "...", "role:user": "role:user",
		"x deleted:maybe":   "deleted:maybe",
		"tree_state:dead x": "tree_state:dead", "list:1": "list:1", "label:spam": "label:spam",
		"-deleted:include": "-deleted:include", "classifier:x>1": "classifier:x>1",
	} {
		q := "?q=" + url.QueryEscape(line)
		for _, address := range []string{"/messages", "/users/" + user + "/messages", "/lists/" + list + "/items"} {
			a := l.get("/api/v1" + address + q).want(422)
			place := a.field("error", "places", "q").(map[string]any)
			start, end := int(place["start"].(float64)), int(place["end"].(float64))
			if start < 0 || end > len(line) || line[start:end] != wrong {
				t.Errorf("%s: %s is wrong at %d to %d, want %q", address, line, start, end, wrong)
			}
			if a.field("error", "fields", "q") == "" {
				t.Errorf("%s: %s has no reason", address, line)
			}
		}
		page := l.get("/messages" + q).want(422).page()
		if got := page.Find("#fault-q mark").Text(); got != wrong {
			t.Errorf("%s: the page marks %q, want %q", line, got, wrong)
		}
	}
}

// TestSearchFollowsTexts edits a message, and undoes that.
func TestSearchFollowsTexts(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, map[string]string{"a": "a former sentence", "b": "another text"})
	want := func(line, want string) {
		t.Helper()
		if got, _ := l.find(url.Values{"q": {line}}); got != want {
			t.Errorf("%s finds %q, want %q", line, got, want)
		}
	}
	edit := l.send("POST", "/api/v1/messages/"+l.ids["a"].String()+"/edit",
		map[string]any{"text": "a later sentence", "reason": "a test"}).want(200)
	want("former", "")
	want("later", "a")
	l.send("POST", fmt.Sprintf("/api/v1/actions/%v/undo", edit.field("action", "id")),
		map[string]any{"reason": "a test"}).want(200)
	want("former", "a")
	want("later", "")
}

// TestSearchPages reads the pages of a search forth and back, cut and not, and by words
// that have the help of the index and not.
func TestSearchPages(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	author := storetest.User(t, s, "an author")
	const all, every = 450, 90
	root := storetest.Node{Author: author, Text: "common even text with a needle"}
	for i := 1; i < all; i++ {
		text := fmt.Sprintf("common text %d", i)
		if i%2 == 0 {
			text += " even"
		}
		if i%every == 0 {
			text += " with a needle"
		}
		root.Replies = append(root.Replies, storetest.Node{Author: author, Text: text,
			At: time.Now().Add(-time.Duration(i/2) * time.Minute)})
	}
	ids := storetest.Tree(t, s, root)
	var want []string
	for i, id := range ids {
		if i%every == 0 {
			want = append(want, id.String())
		}
	}
	slices.Sort(want)
	// With statistics, the search knows which words are common.
	storetest.Exec(t, s, "ANALYZE messages, message_terms")
	c := staff(t, server, policy.Moderator)
	read := func(line, cursor, limit string) store.List[store.Message] {
		t.Helper()
		var list store.List[store.Message]
		query := url.Values{"q": {line}, "limit": {limit}, "cursor": {cursor}}
		c.get("/api/v1/messages?" + query.Encode()).want(200).json(&list)
		if list.Cut != (list.Note != "") || list.Cut && list.Next == nil && list.Prev == nil {
			t.Errorf("%s: a page is cut: %v, and says %q", line, list.Cut, list.Note)
		}
		return list
	}
	for _, limit := range []time.Duration{time.Nanosecond, time.Minute} {
		s.SetSearchTime(limit)
		for _, line := range []string{"needle", "common needle", "/needle/", "/needle/ -nothing lang:en",
			"needle OR \"no text\"", "/need.e/ OR needle", "common /needle/", "even /needle/"} {
			var forth, back []string
			cuts := 0
			list := read(line, "", "2")
			for {
				for _, m := range list.Items {
					forth = append(forth, m.MessageID.String())
				}
				if list.Cut {
					cuts++
				}
				if list.Next == nil {
					break
				}
				list = read(line, *list.Next, "2")
			}
			for {
				for _, m := range slices.Backward(list.Items) {
					back = append(back, m.MessageID.String())
				}
				if list.Prev == nil {
					break
				}
				list = read(line, *list.Prev, "2")
			}
			slices.Reverse(back)
			if !slices.Equal(forth, back) {
				t.Errorf("%s, %v: %v back is %v", line, limit, forth, back)
			}
			if slices.Sort(forth); !slices.Equal(forth, want) {
				t.Errorf("%s, %v: found %v, want %v", line, limit, forth, want)
			}
			// Only where more than 100 messages are looked at for a page.
			long := strings.Contains(line, "/") && !strings.HasPrefix(line, "even")
			if expected := limit == time.Nanosecond && long; expected != (cuts > 0) {
				t.Errorf("%s, %v: cut %d times", line, limit, cuts)
			}
		}
	}
	s.SetSearchTime(time.Nanosecond)
	page := c.get("/messages?limit=2&q=" + url.QueryEscape("/nowhere/")).want(200)
	if !strings.Contains(page.text(".notice"), "was ended") || page.page().Find("a[rel=next]").Length() != 1 {
		t.Errorf("the page does not say that it was cut: %s", page.text("main"))
	}
	// Nobody acts on a part of what a search finds.
	list := c.newList()
	add := map[string]any{"filter": map[string]any{"q": "/needle/"}, "reason": "a test"}
	c.send("POST", "/api/v1/lists/"+list+"/items", add).want(422)
	s.SetSearchTime(time.Minute)
	if n := c.send("POST", "/api/v1/lists/"+list+"/items", add).want(200).field("added"); n != float64(len(want)) {
		t.Errorf("added %v messages, want %d", n, len(want))
	}
	var items store.List[struct {
		MessageID uuid.UUID     `json:"message_id"`
		Marks     []search.Span `json:"marks"`
	}]
	c.get("/api/v1/lists/" + list + "/items?q=needle").want(200).json(&items)
	if len(items.Items) != len(want) || len(items.Items[0].Marks) != 1 {
		t.Errorf("the list has %+v", items.Items)
	}
}

// TestSearchByDays reads searches for common words forth and back, which go day by
// day, over messages of many days, without a date and of the future.
func TestSearchByDays(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	author := storetest.User(t, s, "an author")
	const all = 1600
	root := storetest.Node{Author: author, Text: "a common text"}
	for i := 1; i < all; i++ {
		text := "common"
		if i%3 == 0 {
			text += " third"
		}
		if i%5 == 0 {
			text += " text"
		}
		if i > all/2 && i%7 == 0 {
			text += " old"
		}
		root.Replies = append(root.Replies, storetest.Node{Author: author, Text: text,
			At: time.Now().Add(-time.Duration(i/2) * 9 * time.Hour)})
	}
	storetest.Tree(t, s, root)
	storetest.Exec(t, s, `UPDATE messages SET created_date = CASE WHEN get_byte(uuid_send(message_id), 0) < 8
		THEN '-infinity' ELSE now() + interval '3 years' END WHERE get_byte(uuid_send(message_id), 0) < 16`)
	storetest.Derive(t, s)
	storetest.Exec(t, s, "ANALYZE messages, message_terms")
	c := staff(t, server, policy.Moderator)
	day := func(back int) string { return time.Now().UTC().AddDate(0, 0, -back).Format(time.DateOnly) }
	for _, of := range []struct{ line, where string }{
		{"common", "true"},
		{"common third", "text LIKE '%third%'"},
		{`"common third"`, "text LIKE '%common third%'"},
		{`"third text"`, "text LIKE '%third text%'"},
		{"third OR text", "text ~ 'third|text'"},
		{"third old", "text ~ 'third.*old'"},
		{"common until:" + day(100), "created_date < '" + day(100) + "'"},
		{"common since:" + day(200) + " until:" + day(100),
			"created_date >= '" + day(200) + "' AND created_date < '" + day(100) + "'"},
		{"common -third", "text !~ 'third'"},
	} {
		for sort, direction := range map[string]string{"new": "DESC", "old": "ASC"} {
			var want []string
			if err := storetest.DB(t, s).QueryRow(t.Context(), `SELECT array_agg(message_id::text ORDER BY
				created_date `+direction+`, message_id `+direction+`) FROM messages WHERE `+of.where).Scan(&want); err != nil {
				t.Fatal(err)
			}
			var forth, back []string
			read := func(cursor string) (list store.List[store.Message]) {
				query := url.Values{"q": {of.line}, "limit": {"90"}, "cursor": {cursor}, "sort": {sort}}
				c.get("/api/v1/messages?" + query.Encode()).want(200).json(&list)
				return list
			}
			list := read("")
			for {
				for _, m := range list.Items {
					forth = append(forth, m.MessageID.String())
				}
				if list.Next == nil {
					break
				}
				list = read(*list.Next)
			}
			for {
				for _, m := range slices.Backward(list.Items) {
					back = append(back, m.MessageID.String())
				}
				if list.Prev == nil {
					break
				}
				list = read(*list.Prev)
			}
			slices.Reverse(back)
			if !slices.Equal(forth, want) {
				t.Errorf("%s, %s: found %d messages, want %d in their order", of.line, sort, len(forth), len(want))
			}
			if !slices.Equal(back, want) {
				t.Errorf("%s, %s: found %d messages backwards, want %d in their order", of.line, sort, len(back), len(want))
			}
		}
	}
}

// TestSearchKeepsLanguageLimits searches as a moderator of one language.
func TestSearchKeepsLanguageLimits(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, map[string]string{"a": "one word", "b": "two word"})
	storetest.Exec(t, l.store, "UPDATE messages SET lang = 'de' WHERE message_id = $1", l.ids["b"])
	actor := storetest.Staff(t, l.store, policy.Moderator)
	storetest.Exec(t, l.store, "UPDATE users SET languages = '{de}' WHERE user_id = $1", actor.UserID)
	own := library{signedIn(t, l.server, actor), l.store, l.ids, l.names}
	if got, _ := own.find(url.Values{"q": {"word"}, "lang": {"own"}}); got != "b" {
		t.Errorf("own languages: %q", got)
	}
	if got, _ := own.find(url.Values{"q": {"word lang:en"}, "lang": {"own"}}); got != "" {
		t.Errorf("another language in the line: %q", got)
	}
	if n := own.get("/messages?q=word").want(200).page().Find(".messages tbody tr").Length(); n != 1 {
		t.Errorf("the page shows %d messages, want 1", n)
	}
}
