package admin

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/candidates"
	"treewarden/store/storetest"
)

// badValues lists values that break programs, of every kind that we know.
var badValues = []string{
	"", " ", "\x00", "a\x00b", "\xff\xfe", "caf\xc3", "\xed\xa0\x80", "%", "%zz", "%00", "+", "&", ";", "\t", "\x1b[31m",
	"\x7f",
	strings.Repeat("a", 300), strings.Repeat("ж", 501), strings.Repeat("x", 5000),
	"-1", "0", "1", "00", "+1", "200", "201", "1e3", "0x10", "٣", "1.5", "-0", "NaN", "Infinity", "-inf",
	"9223372036854775807", "9223372036854775808", "99999999999999999999999",
	"0000-01-01", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31", "9999-12-31T23:59:59Z",
	"9999-12-31T23:59:59-14:00", "10000-01-01T00:00:00Z",
	"294277-01-01", "2023-02-30", "2023-02-05T12:00:00+25:00", "infinity", "now", "tomorrow",
	"true", "maybe", "null", "undefined", "[]", "{}", `{"a":1}`, "a,b", "\u202eevil\u2066", "\ufeff", "\u200b", "\u2028",
	"\U0010ffff", "e\u0301\u0301\u0301\u0301", "مرحبا",
	"'; DROP TABLE users; --", "' OR '1'='1", "%' OR '%'='", `\`, `\\`, "_%", "$1", "{{.}}", "${7*7}", "<%= 7*7 %>",
	"#{7*7}",
	"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`,
	"</textarea><iframe src=//evil.example>", "javascript:alert(1)",
	"//evil.example/", "https://evil.example/", `/\evil.example`, "/\r\nSet-Cookie: treewarden=x",
	"a\r\nX-Injected: 1\r\n\r\n<script>alert(1)</script>", "../../etc/passwd",
	"spam>1e999", "spam>NaN", ">>0.5", "nothing>0.5", "detoxify>0.5", ".>1", "=1+1", "@SUM(A1)",
	uuid.Nil.String(), "urn:uuid:0f3a7b1c-5d2e-4f60-8a9b-0c1d2e3f4a5", "{0f3a7b1c-5d2e-4f60-8a9b-0c1d2e3f4a5b",
	"0f3a7b1c5d2e4f608a9b0c1d2e3f4a5",
}

// listed holds the values of the public lists. It is empty if
// TREEWARDEN_CORPORA does not name their folder.
func listed(t *testing.T) []string {
	t.Helper()
	if os.Getenv("TREEWARDEN_CORPORA") == "" {
		return nil
	}
	return badInput(t)
}

// world holds something of every kind that a route can have as its target.
type world struct {
	colleague, key         uuid.UUID // an account of staff, and an API key
	t                      *testing.T
	store                  *store.Store
	server                 *Server
	mod, collector         *client
	lead, admin            *client // made when a route needs one
	actor                  store.Actor
	user, banned           uuid.UUID
	prompt, reply, deleted uuid.UUID
	halted                 uuid.UUID
	list, job, sample      uuid.UUID
	export                 uuid.UUID // one that is done
	search                 uuid.UUID // a saved one of the actor
	action                 int64     // the moderator's own, and can be undone
	open                   int64     // a case
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s := storetest.New(t)
	w := &world{t: t, store: s, server: newServer(t, s), actor: storetest.Staff(t, s, policy.Moderator)}
	w.standIn()
	w.mod, w.collector = signedIn(t, w.server, w.actor), program(t, w.server, policy.Collector)
	w.user, w.banned = storetest.User(t, s, "Ann Example"), storetest.User(t, s, "Bob Example")
	ids := storetest.Tree(t, s, storetest.Node{Author: w.user, Text: "How do bees sleep?", Replies: []storetest.Node{
		{Author: w.banned, Text: "Upside down."}, {Author: w.user, Text: "Never."}, {Author: w.user, Text: "Standing."}}})
	w.prompt, w.reply, w.deleted = ids[0], ids[1], ids[2]
	storetest.React(t, s, w.prompt, w.banned, "+1", time.Now())
	storetest.React(t, s, w.reply, w.user, "-1", time.Now().Add(-time.Minute))
	storetest.Report(t, s, w.reply, w.user, "a bad one", time.Now())
	storetest.Report(t, s, w.prompt, w.user, "a mistake of mine", time.Now())
	w.halted = storetest.Tree(t, s, storetest.Node{Author: storetest.User(t, s, "Eve Example"), Text: "A second tree"})[0]
	for _, act := range []store.Act{{Kind: "ban", Target: w.banned}, {Kind: "delete", Target: w.deleted},
		{Kind: "halt", Target: w.halted}, {Kind: "review", Target: ids[3], Params: store.ReviewParams{Result: "rejected"}}} {
		act.Reason = "for the test"
		outcome, err := s.Act(t.Context(), w.actor, act)
		if err != nil {
			t.Fatal(err)
		}
		w.action = outcome.Action.ID
	}
	if err := storetest.DB(t, s).QueryRow(t.Context(), "SELECT case_id FROM cases WHERE message_id = $1", w.reply).
		Scan(&w.open); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.list = uuid.New()
		name, kind := "A list", "bad"
		if _, err := s.Act(t.Context(), w.actor, store.Act{Kind: "create_list", Target: w.list,
			Params: store.ListParams{Name: &name, Kind: &kind}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.AddToList(t.Context(), w.actor, w.list, store.AddParams{Items: []store.NewItem{
		{MessageID: w.prompt}, {MessageID: w.deleted}, {MessageID: uuid.New()}}}, "", ""); err != nil {
		t.Fatal(err)
	}
	var rule candidates.Rule
	rule.ShorterThan = 10_000
	if _, found, _, err := s.FindCandidates(t.Context(), w.actor, w.list, rule, false, "", ""); err != nil ||
		found.Found == 0 {
		t.Fatalf("the rule found %d candidates: %v", found.Found, err)
	}
	storetest.Exec(t, s, `INSERT INTO saved_searches (search_id, owner_id, name, query, shared, created_date)
		SELECT gen_random_uuid(), $1, 'search ' || n, 'word', true, now() FROM generate_series(1, 3) n`, w.actor.UserID)
	w.search = uuid.New()
	w.restoreSearch()
	w.job = uuid.New()
	storetest.Exec(t, s, `INSERT INTO jobs (job_id, kind, actor_id, via, request, state, total)
		VALUES ($1, 'apply_list', $2, 'session', '{}', 'queued', 501)`, w.job, w.actor.UserID)
	w.export = w.exported()
	for range 2 {
		w.sample = uuid.New()
		storetest.Exec(t, s, `INSERT INTO samples (sample_id, question, strata, seed, population, size, created_date)
			VALUES ($1, 'remove', '', 1, 2, 2, now())`, w.sample)
	}
	storetest.Exec(t, s, `INSERT INTO sample_items (sample_id, message_id, place, lang, kind, reason, action_id,
		decided_at, first) VALUES ($1, $2, 1, 'en', 'delete', '', 1, now(), true),
		($1, $3, 2, 'en', 'delete', '', 1, now(), true)`,
		w.sample, w.reply, "0c5d7f7e-52a3-4f4b-9d61-8a6a4cf0a001")
	// Two disputes of people who are not here, so that anybody may settle them.
	storetest.Exec(t, s, `INSERT INTO sample_items (sample_id, message_id, place, lang, kind, reason, action_id,
		decided_at, first, second) VALUES ($1, $2, 3, '', '', '', 0, now(), true, false),
		($1, $3, 4, '', '', '', 0, now(), true, false)`,
		w.sample, disputedItem, uuid.New())
	storetest.Exec(t, s, `INSERT INTO wave_messages (tree_id, message_id, wave_id, user_id, lang, at, likeness)
		SELECT tree_id, message_id, tree_id, user_id, lang, created_date, 0.9 FROM messages`)
	storetest.Exec(t, s, `INSERT INTO waves (wave_id, messages, users, first, last, likeness, langs)
		SELECT wave_id, 4, 2, min(at), max(at), 0.9, '{en}' FROM wave_messages GROUP BY wave_id`)
	w.colleague = storetest.Staff(t, s, policy.Moderator).UserID
	for _, key := range []string{"first", "second"} {
		if _, err := s.CreateKey(t.Context(), store.CommandLine, key, policy.Moderator, nil); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := s.Keys(t.Context(), store.CommandLine)
	if err != nil {
		t.Fatal(err)
	}
	w.key = keys[0].UserID
	return w
}

// fill returns a route's address with a target that the route can act on.
func (w *world) fill(r route) string {
	id := w.user.String()
	switch {
	case strings.HasSuffix(r.Path, "/unban"):
		id = w.banned.String()
	case strings.HasSuffix(r.Path, "/undelete"):
		id = w.deleted.String()
	case strings.HasSuffix(r.Path, "/resume"):
		id = w.halted.String()
	case strings.HasPrefix(r.Path, "/messages/"):
		id = w.reply.String()
	case strings.HasPrefix(r.Path, "/trees/"), strings.HasPrefix(r.Path, "/waves/"):
		id = w.prompt.String()
	case strings.HasPrefix(r.Path, "/lists/"):
		id = w.list.String()
	case strings.HasPrefix(r.Path, searchesPath+"/:id"):
		id = w.search.String()
	case strings.HasPrefix(r.Path, "/samples/"):
		id = w.sample.String()
	case strings.HasPrefix(r.Path, exportsPath+"/"):
		id = w.export.String()
	case strings.HasPrefix(r.Path, "/jobs/"):
		id = w.job.String()
	case within(r.Path, "/staff", staffPath):
		id = w.colleague.String()
	case within(r.Path, "/keys", keysPath):
		id = w.key.String()
	case strings.HasPrefix(r.Path, "/classifiers/"):
		id = standInName
	case strings.HasPrefix(r.Path, "/queue/"):
		id = strconv.FormatInt(w.open, 10)
	case strings.HasPrefix(r.Path, "/actions/"):
		id = strconv.FormatInt(w.action, 10)
	}
	return strings.NewReplacer(":id", id, ":name", "app.css", ":message", w.reply.String()).Replace(r.Path)
}

// by returns a client that may use a route.
func (w *world) by(r route) *client {
	switch {
	case r.Permission == public || w.actor.May(r.Permission):
		return w.mod
	case r.Permission == policy.PolicyManage, r.Permission == policy.UserRole:
		return w.asAdmin()
	case r.Path == ingestPath || r.Path == eventsPath:
		return w.collector
	case r.Permission == policy.ListApply, r.Permission == policy.StaffManage, r.Permission == policy.KeyManage:
		if w.admin == nil {
			w.admin = staff(w.t, w.server, policy.Admin)
		}
		return w.admin
	case w.lead == nil:
		w.lead = staff(w.t, w.server, policy.DataLead)
	}
	return w.lead
}

// asAdmin returns a client of an admin.
func (w *world) asAdmin() *client {
	if w.admin == nil {
		w.admin = staff(w.t, w.server, policy.Admin)
	}
	return w.admin
}

// addresses returns the addresses of all routes of some methods: the page, the
// method of the API, or both.
func (w *world) addresses(methods ...string) map[string]route {
	all := map[string]route{}
	for _, r := range allRoutes() {
		if !slices.Contains(methods, r.Method) {
			continue
		}
		if r.Kind != apiOnly {
			all[w.fill(r)] = r
		}
		if r.Kind != pageOnly {
			all[apiPrefix+w.fill(r)] = r
		}
	}
	return all
}

// sound fails the test unless an answer is well-formed, is not an internal
// error, and runs nothing that came from the request.
func sound(t *testing.T, name string, a answer) {
	t.Helper()
	if len(name) > 300 {
		name = name[:300] + "…"
	}
	if a.status >= 500 {
		t.Errorf("%s: %d", name, a.status)
	}
	for header, values := range a.header {
		if header == "X-Injected" || strings.ContainsAny(strings.Join(values, ""), "\r\n\x00") {
			t.Errorf("%s: the header %s is %q", name, header, values)
		}
	}
	if to := a.header.Get("Location") + a.header.Get("X-Location"); to != "" &&
		(!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, `/\`)) {
		t.Errorf("%s leads to %q", name, to)
	}
	switch kind := a.header.Get("Content-Type"); {
	case len(a.body) == 0 || a.status == http.StatusSeeOther:
	case strings.HasPrefix(kind, "application/json"):
		var value struct {
			Error *struct{ Code, Message string }
		}
		if err := json.Unmarshal([]byte(a.body), &value); err != nil && a.status >= 400 || !json.Valid([]byte(a.body)) {
			t.Errorf("%s: %d with broken JSON: %v", name, a.status, err)
		}
		if a.status >= 400 && (value.Error == nil || value.Error.Code == "" || value.Error.Message == "") {
			t.Errorf("%s: %d does not say what is wrong: %.200s", name, a.status, a.body)
		}
	case strings.HasPrefix(kind, "text/html"):
		if !utf8.ValidString(a.body) || strings.ContainsRune(a.body, 0) {
			t.Errorf("%s: the page is not UTF-8", name)
		}
		inert(t, name, a.page())
	case strings.HasPrefix(kind, "text/csv"):
		if _, err := csv.NewReader(strings.NewReader(a.body)).ReadAll(); err != nil {
			t.Errorf("%s: broken CSV: %v", name, err)
		}
	case strings.HasPrefix(kind, "text/css"), strings.HasPrefix(kind, "text/plain"):
	case (kind == "application/octet-stream" || kind == markdown) &&
		strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment"):
	default:
		t.Errorf("%s: %d of the type %q", name, a.status, kind)
	}
}

// markdown is the type of dataset cards.
const markdown = "text/markdown; charset=utf-8"

// inert is checkInert for pages and parts of pages, whose only script is ours.
func inert(t *testing.T, name string, page *goquery.Document) {
	t.Helper()
	page.Find("script").Each(func(_ int, script *goquery.Selection) {
		if !strings.HasPrefix(attr(script, "src"), "/static/app.js") || script.Text() != "" {
			html, _ := goquery.OuterHtml(script)
			t.Errorf("%s: a script that is not ours: %.200s", name, html)
		}
	})
	if page.Find("script").Length() == 0 {
		page.Find("html").AppendHtml("<script></script>") // a part of a page has none
	}
	checkInert(t, name, page)
}
