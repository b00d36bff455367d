package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// wantRefused imports lines and checks that exactly some are refused, with a code, and
// that they are named.
func wantRefused(t *testing.T, s *store.Store, code string, want []int, lines ...string) {
	t.Helper()
	done := importText(t, s, strings.Join(lines, ""))
	var got []int
	for _, fault := range done.Errors {
		got = append(got, fault.Line)
		if fault.Code != code || fault.Message == "" {
			t.Errorf("line %d: %s (%s), want %s", fault.Line, fault.Code, fault.Message, code)
		}
	}
	slices.Sort(got)
	if fmt.Sprint(got) != fmt.Sprint(want) || done.Rejected != int64(len(want)) {
		t.Errorf("lines %v are refused, %d in all, want %v", got, done.Rejected, want)
	}
}

// TestImportRefusesContradictions imports rows whose message_tree_id is not that of
// their tree (fault 10). A reply is refused also if its parent comes later.
func TestImportRefusesContradictions(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	tree := func(n int) string { return `"message_tree_id": "` + testID(n) + `"` }
	wantRefused(t, s, corpus.WrongTree, []int{2, 4, 5, 7},
		line(1, 0, tree(1)),
		line(3, 0, tree(1)), // a root in another tree
		line(2, 1, tree(1)), // right
		line(4, 1, tree(3)), // a reply in another tree than its parent in the database or file
		`{"prompt": `+strings.TrimSpace(line(5, 0, ""))+`, `+tree(6)+"}\n", // a tree with another prompt
		line(7, 0, tree(7)),
		line(8, 7, `"replies": [`+strings.TrimSpace(line(9, 8, tree(1)))+`]`), // a nested reply
	)
	wantOne(t, s, "3", `SELECT count(*) FROM messages`)
	// A line about a known reply that names its tree alone; and one that names another.
	alone := func(n int, more string) string {
		return strings.Replace(line(n, 0, more), `"parent_id": null, `, "", 1)
	}
	wantRefused(t, s, corpus.WrongTree, []int{2}, alone(2, tree(1)), alone(2, tree(2)))
	// Replies that wait for their parent.
	wantRefused(t, s, corpus.WrongTree, []int{1}, line(12, 11, tree(13)), line(14, 11, tree(11)), line(11, 0, ""))
	wantOne(t, s, testID(11)+","+testID(14), `SELECT string_agg(message_id::text, ',' ORDER BY message_id) FROM messages
		WHERE tree_id = $1`, testID(11))
	wantOne(t, s, "0", `SELECT count(*) FROM import_orphans`)
	verify(t, s)
}

// TestDatesInTheFuture gives dates to import and ingest: both take them up to a day
// ahead (fault 11).
func TestDatesInTheFuture(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	date := func(at time.Time) string { return `"created_date": "` + at.Format(time.RFC3339Nano) + `"` }
	now := time.Now()
	soon, late, far := now.Add(23*time.Hour), now.Add(25*time.Hour), time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)
	wantRefused(t, s, corpus.BadDate, []int{2, 3, 4, 6},
		line(1, 0, date(soon)),
		line(3, 0, date(far)),
		line(5, 0, date(late)),
		line(7, 0, `"replies": [`+strings.TrimSpace(line(8, 7, date(far)))+`]`),
		line(9, 0, ""),
		line(9, 0, date(far)), // an update of a known message
	)
	wantRefused(t, s, corpus.BadDate, []int{1}, line(12, 11, date(far)), line(11, 0, "")) // before its parent
	wantOne(t, s, "3", `SELECT count(*) FROM messages`)
	user := uuid.New()
	accepted(t, s, event("user", "user_id", user))
	message := func(at time.Time) string {
		return event("message", "message_id", uuid.New(), "user_id", user, "role", "prompter", "text", "x",
			"created_date", at)
	}
	accepted(t, s, message(soon))
	for _, at := range []time.Time{late, far} {
		if code := refused(t, s, message(at)); code != corpus.BadDate {
			t.Errorf("%v: %s", at, code)
		}
	}
}

// TestTimesAlike gives the same dates to import and ingest, which read them alike
// (fault 2): without a zone they are in UTC, and a space may stand for the T.
func TestTimesAlike(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	user := uuid.New()
	accepted(t, s, event("user", "user_id", user))
	n := 1
	try := func(date string) (imported, ingested store.ImportSummary, a, b string) {
		n += 2
		id := uuid.New()
		imported = importText(t, s, line(n, 0, `"created_date": "`+date+`"`))
		done := run(t, s, event("message", "message_id", id, "user_id", user, "role", "prompter", "text", "x", "created_date",
			date))
		ingested = store.ImportSummary{Messages: int64(done.Accepted), Rejected: int64(done.Rejected)}
		return imported, ingested, one(t, s, `SELECT created_date FROM messages WHERE message_id = $1`, testID(n)),
			one(t, s, `SELECT created_date FROM messages WHERE message_id = $1`, id)
	}
	for date, want := range map[string]string{
		"2026-01-02T03:04:05.123456Z": "2026-01-02 03:04:05.123456+00",
		"2026-01-02 03:04:05":         "2026-01-02 03:04:05+00",
		"2026-01-02T03:04:05":         "2026-01-02 03:04:05+00",
		"2026-01-02 03:04:05+14:00":   "2026-01-01 13:04:05+00",
		"2026-01-02t03:04:05-23:59":   "2026-01-03 03:03:05+00",
		"2026-01-02":                  "2026-01-02 00:00:00+00",
	} {
		imported, ingested, a, b := try(date)
		if imported.Messages != 1 || ingested.Messages != 1 || a != want || b != want {
			t.Errorf("%s is imported as %s and ingested as %s, want %s", date, a, b, want)
		}
	}
	for _, date := range []string{"2026-01-02T03:04:05+24:00", "2026-01-02T03:04:05+24:59", "2026-01-02T03:04:05+14:60",
		"2026-01-02T03:04:05,5Z", "10000-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2026-02-30", "1767322800", ""} {
		if imported, ingested, _, _ := try(date); imported.Rejected != 1 || ingested.Rejected != 1 {
			t.Errorf("%q: import refuses %d, ingest %d", date, imported.Rejected, ingested.Rejected)
		}
	}
	verify(t, s)
}

// TestLimitsAlike imports and ingests values of every field as long as its limit, and
// one character longer (fault 12).
func TestLimitsAlike(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	user, prompt := uuid.New(), uuid.New()
	accepted(t, s, event("user", "user_id", user), event("message", "message_id", prompt, "user_id", user, "role",
		"prompter", "text", "x"))
	n := 1
	message := func(pairs ...any) string {
		given := append([]any{"message_id", uuid.New(), "user_id", user, "role", "prompter", "text", "x"}, pairs...)
		return event("message", given...)
	}
	type form struct {
		imported func(text string) string // keys of a line
		ingested func(text string) string
	}
	for name, c := range map[string]struct {
		limit int
		form
	}{
		"text": {corpus.MaxText, form{func(text string) string { return `"text": "` + text + `"` },
			func(text string) string { return message("text", text) }}},
		"model_name": {corpus.MaxModelName, form{func(text string) string { return `"model_name": "` + text + `"` },
			func(text string) string { return message("model_name", text) }}},
		"lang": {corpus.MaxName, form{func(text string) string { return `"lang": "` + text + `"` },
			func(text string) string { return message("lang", text) }}},
		"origin": {corpus.MaxOrigin, form{func(text string) string { return `"origin": "` + text + `"` },
			func(text string) string { return event("tree", "message_tree_id", uuid.New(), "origin", text) }}},
		"labels": {corpus.MaxName, form{
			func(text string) string { return `"labels": {"` + text + `": {"value": 1, "count": 1}}` },
			func(text string) string {
				return event("label", "message_id", prompt, "user_id", user, "labels", map[string]int{text: 1})
			}}},
		"classifier": {corpus.MaxName, form{
			func(text string) string { return `"classifiers": {"` + text + `": {"` + text + `": 1}}` },
			func(text string) string {
				return event("classifier_output", "message_id", prompt, "model", text, "scores", map[string]int{text: 1})
			}}},
	} {
		for _, more := range []int{0, 1} {
			text := strings.Repeat("語", c.limit+more)
			n += 2
			done := importText(t, s, line(n, 0, c.imported(text)))
			answer := run(t, s, c.ingested(text))
			if done.Rejected != int64(more) || answer.Rejected != more {
				t.Errorf("%s with %d characters: import refuses %d, ingest %d: %v %v", name, c.limit+more, done.Rejected,
					answer.Rejected, done.Errors, answer.Errors)
			}
			if more == 1 && (done.Errors[0].Code != corpus.TooLong || answer.Errors[0].Code != corpus.TooLong) {
				t.Errorf("%s: %v %v", name, done.Errors, answer.Errors)
			}
		}
	}
	verify(t, s)
}

// TestLongTextsCanBeShortened edits a text from before the limit: each shorter text is
// taken, and no longer one (fault 12).
func TestLongTextsCanBeShortened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := func(n int) string { return strings.Repeat("語", n) }
	storetest.Exec(t, w.Store, "UPDATE messages SET text = $2 WHERE message_id = $1", w.reply, text(corpus.MaxText+500))
	edit := func(n int) error {
		_, err := w.Act(ctx, w.moderator, store.Act{Kind: "edit", Target: w.reply, Reason: "it is too long",
			Params: store.EditParams{Text: text(n)}})
		return err
	}
	for _, n := range []int{corpus.MaxText + 501, corpus.MaxText + 1000} {
		if err := edit(n); err == nil {
			t.Errorf("an edit to %d characters is taken", n)
		}
	}
	for _, n := range []int{corpus.MaxText + 499, corpus.MaxText + 1, corpus.MaxText} {
		if err := edit(n); err != nil {
			t.Errorf("an edit to %d characters: %v", n, err)
		}
	}
	if err := edit(corpus.MaxText + 1); err == nil {
		t.Error("a text at the limit grows over it")
	}
}

// TestOrphansOfAnEarlierProgram takes in a record that was kept aside before it was
// refused: it is named, and the others go in.
func TestOrphansOfAnEarlierProgram(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	for i, text := range []string{strings.Repeat("x", corpus.MaxText+1), "short"} {
		id := testID(2 + 2*i)
		storetest.Exec(t, s, `INSERT INTO import_orphans (message_id, parent_id, record) VALUES ($1, $2, $3)`, id, testID(1),
			`[{"message_id": "`+id+`", "parent_id": "`+testID(1)+`", "role": "assistant", "text": "`+text+`"}]`)
	}
	done := importText(t, s, line(1, 0, ""))
	wantCounts(t, done, 1, 2, 0, 0, 0, 1, 0)
	if done.Errors[0].Code != corpus.TooLong {
		t.Errorf("%v", done.Errors)
	}
	wantOne(t, s, "0", `SELECT count(*) FROM import_orphans`)
}

// TestIDsAlike writes an id in any usual spelling in files and events.
func TestIDsAlike(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	const spelled = "abcdef00-0000-4000-8000-%012d"
	for i, form := range []func(string) string{
		strings.ToUpper,
		func(id string) string { return "{" + id + "}" },
		func(id string) string { return strings.ReplaceAll(id, "-", "") },
		func(id string) string { return "urn:uuid:" + id },
	} {
		user, message, reply := fmt.Sprintf(spelled, 3*i), fmt.Sprintf(spelled, 3*i+1), fmt.Sprintf(spelled, 3*i+2)
		accepted(t, s, event("user", "user_id", form(user)),
			event("message", "message_id", form(message), "message_tree_id", form(message), "user_id", form(user), "role",
				"prompter", "text", "x"),
			event("label", "message_id", form(message), "user_id", form(user), "labels", map[string]int{"spam": 1}))
		wantCounts(t, importText(t, s, `{"message_id": "`+form(reply)+`", "parent_id": "`+form(message)+
			`", "message_tree_id": "`+form(message)+`", "user_id": "`+form(user)+`", "role": "assistant", "text": "y"}`+"\n"),
			0, 1, 0, 0, 0, 0, 0)
		wantOne(t, s, reply+","+message+","+user,
			`SELECT concat_ws(',', message_id, tree_id, user_id) FROM messages WHERE message_id = $1`, reply)
	}
	verify(t, s)
}

// TestErasedUsersStayErased brings texts, names and sign-in names of an erased user
// back, by import and ingest: all such lines are refused, others are not.
func TestErasedUsersStayErased(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	by := `"user_id": "` + testID(99) + `"`
	importText(t, s, line(1, 0, by)+line(2, 1, ""))
	storetest.Exec(t, s, `UPDATE messages SET text = '' WHERE message_id = $1`, testID(1))
	storetest.Exec(t, s, `UPDATE users SET erased_at = now(), display_name = '', username = user_id::text
		WHERE user_id = $1`, testID(99))
	before := dump(t, s, true)
	wantRefused(t, s, corpus.UserErased, []int{1, 2, 4, 5},
		line(1, 0, by), line(1, 0, ""),
		line(2, 1, ""),
		line(3, 0, by),
		line(5, 0, `"replies": [`+strings.TrimSpace(line(6, 5, by))+`]`))
	dry, err := s.Import(ctx, corpus.NewReader(strings.NewReader(line(1, 0, by)), "dry").All(),
		store.ImportOptions{DryRun: true})
	if err != nil || dry.Rejected != 1 {
		t.Errorf("a dry run: %+v, %v", dry, err)
	}
	for _, more := range [][]any{{"display_name", "Ada"}, {"username", "ada"}, {"auth_method", "discord"}} {
		if code := refused(t, s, event("user", append([]any{"user_id", testID(99)}, more...)...)); code != "user_erased" {
			t.Errorf("%v: %s", more, code)
		}
	}
	if code := refused(t, s, event("message", "message_id", uuid.New(), "user_id", testID(99), "role", "prompter", "text",
		"x")); code != "user_erased" {
		t.Errorf("a message: %s", code)
	}
	if d := diff(before, dump(t, s, true)); d != "" {
		t.Errorf("refused lines changed rows: %s", d)
	}
	// A line with the text that stayed brings nothing back, and may say more of it.
	done := importText(t, s, line(1, 0, `"text": "", "lang": "de", `+by))
	wantCounts(t, done, 0, 0, 0, 1, 0, 0, 0)
	verify(t, s)
}

// TestEventIDs sends an id again: with the same content it is a duplicate, however it
// is written; with other content it is refused; another sender has its own ids (fault 1).
func TestEventIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := collector(t, w.Store), collector(t, w.Store)
	send := func(actor store.Actor, lines ...string) store.Ingested {
		t.Helper()
		done, err := w.Ingest(ctx, actor, []byte(strings.Join(lines, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	want := func(what string, done store.Ingested, accepted, duplicate, rejected int) {
		t.Helper()
		if done.Accepted != accepted || done.Duplicate != duplicate || done.Rejected != rejected {
			t.Errorf("%s: %+v", what, done)
		}
		for _, fault := range done.Errors {
			if fault.Code != "id_reused" {
				t.Errorf("%s: %+v", what, fault)
			}
		}
	}
	message := uuid.New()
	report := event("report", "id", "42", "message_id", w.reply, "user_id", w.troll, "reason", "bad")
	added := event("message", "id", "42", "message_id", message, "user_id", w.other, "role", "prompter", "text", "x")
	want("a report", send(one, report), 1, 0, 0)
	want("a message with its id", send(one, added), 0, 0, 1)
	want("a message of another key", send(two, added), 1, 0, 0)
	want("both again", send(one, report, added), 0, 1, 1)
	want("both again, of the other key", send(two, report, added), 0, 1, 1)
	wantOne(t, w.Store, "1", "SELECT count(*) FROM messages WHERE message_id = $1", message)

	user, at := w.troll.String(), "2026-01-01T00:00:00Z"
	label := func(key, user, at, value string) string {
		return `{"type": "label", "id": "` + key + `", "message_id": "` + w.reply.String() + `", "user_id": "` + user +
			`", "at": "` + at + `", "labels": {"pii": 0, "spam": ` + value + `}}`
	}
	want("a label", send(one, label("7", user, at, "1")), 1, 0, 0)
	for _, again := range []string{
		label("7", strings.ToUpper(user), at, "1.0"), label("7", user, "2026-01-01 00:00:00", "1e0"),
		label("7", user, "2026-01-01T01:00:00+01:00", "1"),
		`{"labels": {"spam": 1, "pii": 0}, "at": "` + at + `", "user_id": "` + user + `", "attempt": 2, "message_id": "` +
			w.reply.String() + `", "id": "7", "type": "label", "reason": null}`,
	} {
		want(again, send(one, again), 0, 1, 0)
	}
	for _, other := range []string{
		label("7", user, at, "0"), label("7", w.other.String(), at, "1"), label("7", user, "2026-01-01T00:00:01Z", "1"),
		event("label", "id", "7", "message_id", w.reply, "user_id", user, "labels", map[string]int{"spam": 1, "pii": 0}),
	} {
		want(other, send(one, other), 0, 0, 1)
	}
	want("one id for two lines of a request", send(one, label("8", user, at, "1"), label("8", user, at, "0"),
		label("8", user, at, "1")), 1, 1, 1)
	want("a line whose id a refused line had", func() store.Ingested {
		done := send(one, label("9", uuid.NewString(), at, "1"), label("9", user, at, "0.5"))
		done.Errors = nil
		return done
	}(), 1, 0, 1)
	want("that line again", send(one, label("9", user, at, "0.5")), 0, 1, 0)
	want("its id with other content", send(one, label("9", user, at, "0.25")), 0, 0, 1)

	// Events from before senders were kept.
	storetest.Exec(t, w.Store, `INSERT INTO ingest_events (event_id, sender) VALUES ('old', $1)`, uuid.Nil)
	want("an old id", send(one, label("old", user, at, "0.75")), 0, 1, 0)
	want("an old id of the command line", run(t, w.Store, label("old", user, at, "0.75")), 0, 1, 0)
	verify(t, w.Store)
}

// TestOddNamesAreKept ingests users with names that show nothing or are very long:
// they stay byte for byte, and so do other lines of theirs (fault 6). Staff can still
// change the rest of such a user.
func TestOddNamesAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var long strings.Builder // not to be compressed in an index
	for range 300 {
		long.WriteString(uuid.NewString() + "ß語")
	}
	for _, name := range []string{"", "   ", "\u200b\u2060", " Ada ", "a\nb", "\u202eadmin", strings.Repeat("x", 257),
		strings.Repeat("語", 5000), long.String()} {
		user, message := uuid.New(), uuid.New()
		accepted(t, w.Store, event("user", "user_id", user, "display_name", name, "username", name[:min(len(name), 3)]),
			event("message", "message_id", message, "user_id", user, "role", "prompter", "text", "x"),
			event("reaction", "message_id", w.reply, "user_id", user, "emoji", "+1"))
		wantOne(t, w.Store, name, "SELECT display_name FROM users WHERE user_id = $1", user)
		accepted(t, w.Store, event("user", "user_id", user, "display_name", "plain"))
		accepted(t, w.Store, event("user", "user_id", user, "display_name", name))
		wantOne(t, w.Store, name, "SELECT display_name FROM users WHERE user_id = $1", user)
		act(t, w.Store, w.moderator, store.Act{Kind: "update_user", Target: user,
			Params: store.UserPatch{DisplayName: &name, Notes: new("an odd name")}})
		wantOne(t, w.Store, name, "SELECT display_name FROM users WHERE user_id = $1", user)
	}
	list, err := w.Users(ctx, storetest.Staff(t, w.Store, policy.Admin), store.UserFilter{Sort: "name",
		Page: store.Page{Limit: 1}})
	for n := 0; err == nil && list.Next != nil; n++ {
		if len(*list.Next) > 2000 || n > 100 {
			t.Fatalf("page %d has a cursor of %d bytes", n, len(*list.Next))
		}
		list, err = w.Users(ctx, w.moderator, store.UserFilter{Sort: "name", Page: store.Page{Limit: 1, Cursor: *list.Next}})
	}
	if err != nil {
		t.Error(err)
	}
	verify(t, w.Store)
}
