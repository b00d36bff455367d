package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// importText imports lines and checks the summary and the counters.
func importText(t testing.TB, s *store.Store, lines string) store.ImportSummary {
	t.Helper()
	return importWith(t, s, lines, store.ImportOptions{})
}

func importWith(t testing.TB, s *store.Store, lines string, o store.ImportOptions) store.ImportSummary {
	t.Helper()
	summary, err := s.Import(context.Background(), corpus.NewReader(strings.NewReader(lines), "test.jsonl").All(), o)
	if err != nil {
		t.Fatal(err)
	}
	if summary.Bytes != int64(len(lines)) {
		t.Errorf("the summary counts %d bytes, want %d", summary.Bytes, len(lines))
	}
	if named := summary.Rejected + summary.Orphans; int64(len(summary.Errors)) != min(named, 100) ||
		summary.Faults() != (named > 0) {
		t.Errorf("%d refused and %d orphans, but %d named", summary.Rejected, summary.Orphans, len(summary.Errors))
	}
	if faults, err := s.VerifyScores(context.Background()); err != nil || len(faults) > 0 {
		t.Errorf("%d counters are wrong: %+v %v", len(faults), faults, err)
	}
	return summary
}

// counts returns the numbers of a summary without sizes and times.
func counts(s store.ImportSummary) [7]int64 {
	return [7]int64{s.Trees, s.Messages, s.Users, s.Updated, s.Unchanged, s.Rejected, s.Orphans}
}

func wantCounts(t testing.TB, got store.ImportSummary, want ...int64) {
	t.Helper()
	if c := counts(got); !reflect.DeepEqual(c[:], want) {
		t.Errorf("trees, messages, users, updated, unchanged, rejected, orphans = %v, want %v; errors %v", c, want,
			got.Errors)
	}
}

// importTables are the tables that an import writes.
var importTables = []string{"users", "trees", "messages", "message_trees", "emoji_aggregates", "label_aggregates",
	"classifier_models", "classifier_outputs", "import_orphans", "user_signals", "user_languages"}

// dump returns all rows of the tables that imports write. With versions, a row that
// was written again differs from one that was not.
func dump(t testing.TB, s *store.Store, versions bool) string {
	t.Helper()
	var out strings.Builder
	for _, table := range importTables {
		columns := "to_jsonb(x) - 'at'"
		if versions {
			columns += " || jsonb_build_object('xmin', x.xmin::text, 'ctid', x.ctid::text)"
		}
		rows, err := storetest.DB(t, s).Query(context.Background(), `SELECT (`+columns+`)::text FROM `+table+` x ORDER BY 1`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var row string
			if err := rows.Scan(&row); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&out, table, row)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// diff returns the first line in which two dumps differ, or "".
func diff(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range max(len(as), len(bs)) {
		var x, y string
		if i < len(as) {
			x = as[i]
		}
		if i < len(bs) {
			y = bs[i]
		}
		if x != y {
			return fmt.Sprintf("line %d of %d and %d:\n%.500s\n%.500s", i+1, len(as), len(bs), x, y)
		}
	}
	return ""
}

// one returns the only value of a query, as PostgreSQL writes it in text.
func one(t testing.TB, s *store.Store, sql string, args ...any) string {
	t.Helper()
	var value *string
	if err := storetest.DB(t, s).QueryRow(context.Background(), `SELECT (`+sql+`)::text`,
		args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if value == nil {
		return "null"
	}
	return *value
}

func wantOne(t testing.TB, s *store.Store, want, sql string, args ...any) {
	t.Helper()
	if got := one(t, s, sql, args...); got != want {
		t.Errorf("%s = %s, want %s", sql, got, want)
	}
}

// fixture returns a file of the tests of package corpus.
func fixture(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "corpus", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func corpora(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("TREEWARDEN_CORPORA")
	if dir == "" {
		t.Skip("SKIPPED: TREEWARDEN_CORPORA is not set; it names the folder with the public data sets that this test reads")
	}
	return dir
}

func TestImportTree(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	wantCounts(t, importText(t, s, fixture(t, "tree.jsonl")), 2, 5, 3, 0, 0, 0, 0)

	const root = "10000000-0000-4000-8000-000000000001"
	wantOne(t, s, "(growing,t,handmade,en,\"2023-02-05 12:23:50.922881+00\",a0000000-0000-4000-8000-000000000001)",
		`SELECT (state, active, origin, lang, created_date, user_id) FROM trees WHERE tree_id = $1`, root)
	wantOne(t, s, "(aborted_low_grade,f)",
		`SELECT (state, active) FROM trees WHERE tree_id = '10000000-0000-4000-8000-000000000005'`)
	wantOne(t, s, "(4,1,2,\"{\"\"_skip_reply\"\": 3}\")",
		`SELECT (upvotes, downvotes, red_flags, other) FROM emoji_aggregates WHERE message_id = $1`, root)
	wantOne(t, s, "(0,0,0,)",
		`SELECT (upvotes, downvotes, red_flags, other) FROM emoji_aggregates
			WHERE message_id = '10000000-0000-4000-8000-000000000002'`)
	wantOne(t, s, "4", `SELECT count(*) FROM emoji_aggregates`)
	wantOne(t, s, "(0.3333333333333333,3,,0,)",
		`SELECT (spam, spam_count, violence, violence_count, quality) FROM label_aggregates WHERE message_id = $1`, root)
	wantOne(t, s, `{"loudness": {"count": 2, "value": 0.5}}`,
		`SELECT other FROM label_aggregates WHERE message_id = '10000000-0000-4000-8000-000000000004'`)
	wantOne(t, s, "(,,)", `SELECT (spam, spam_count, other) FROM label_aggregates
		WHERE message_id = '10000000-0000-4000-8000-000000000003'`)
	wantOne(t, s, `{"emoji":[],  "rating": [1.50]}`, `SELECT events FROM messages WHERE message_id = $1`, root)
	wantOne(t, s, `{"{toxicity,insult}","{anger,joy}"}`,
		`SELECT array_agg(CASE name WHEN 'detoxify' THEN '{toxicity,insult}' ELSE outputs::text END ORDER BY name)
			FROM classifier_models WHERE name <> 'detoxify' OR outputs @> '{toxicity,insult}'`)
	wantOne(t, s, "0.0005416299100033939",
		`SELECT toxicity FROM classifier_outputs o JOIN classifier_models USING (model_id)
			WHERE name = 'detoxify' AND message_id = $1`, root)
	wantOne(t, s, "{12.5,-1.25}",
		`SELECT scores FROM classifier_outputs o JOIN classifier_models USING (model_id)
			WHERE name = 'other-model' AND message_id = $1`, root)
	wantOne(t, s, "{0,1,2,1}", `SELECT array_agg(depth ORDER BY message_id) FROM messages WHERE tree_id = $1`, root)
	wantOne(t, s, "{10000000-0000-4000-8000-000000000003,10000000-0000-4000-8000-000000000004}",
		`SELECT array_agg(deleted_root ORDER BY message_id) FROM messages WHERE deleted`)
	wantOne(t, s, `("User a0000000",import,a0000000-0000-4000-8000-000000000003,`+
		`"2023-02-07 00:00:00+00","2023-02-08 00:00:00+00")`,
		`SELECT (display_name, auth_method, username, created_date, last_activity_date) FROM users
			WHERE user_id = 'a0000000-0000-4000-8000-000000000003'`)
	wantOne(t, s, "5", `SELECT count(*) FROM message_trees`)
}

// TestImportTwiceChangesNothing checks that a second import writes no row.
func TestImportTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	for _, c := range []struct {
		file            string
		trees, messages int64
		users, orphans  int64
	}{
		{"tree.jsonl", 2, 5, 3, 0}, {"flat.jsonl", 1, 4, 1, 0}, {"bare.jsonl", 1, 3, 0, 0}, {"rows.jsonl", 1, 2, 0, 1},
		{"sparse.jsonl", 1, 2, 0, 0},
	} {
		wantCounts(t, importText(t, s, fixture(t, c.file)), c.trees, c.messages, c.users, 0, 0, 0, c.orphans)
		before := dump(t, s, true)
		wantCounts(t, importText(t, s, fixture(t, c.file)), 0, 0, 0, 0, c.messages, 0, c.orphans)
		if d := diff(before, dump(t, s, true)); d != "" {
			t.Errorf("%s changed on its second import: %s", c.file, d)
		}
	}
	wantOne(t, s, "ready_for_export", `SELECT state FROM trees WHERE tree_id = '30000000-0000-4000-8000-000000000001'`)
	wantOne(t, s, "-infinity",
		`SELECT created_date FROM messages WHERE message_id = '30000000-0000-4000-8000-000000000001'`)
}

// line returns the JSON line of a message. A parent of 0 means none; more is further
// JSON keys.
func line(id, parent int, more string) string {
	p := "null"
	if parent > 0 {
		p = `"` + testID(parent) + `"`
	}
	if more != "" {
		more = ", " + more
	}
	if !strings.HasPrefix(more, `, "text": `) {
		more = fmt.Sprintf(`, "text": "text %d"`, id) + more
	}
	return fmt.Sprintf(`{"message_id": "%s", "parent_id": %s, "role": "%s"%s}`+"\n", testID(id), p,
		[]string{"assistant", "prompter"}[id%2], more)
}

func testID(n int) string { return fmt.Sprintf("b0000000-0000-4000-8000-%012d", n) }

// TestImportedLabelsReadUnchanged checks means without raters and without a count:
// null does not become 0.
func TestImportedLabelsReadUnchanged(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	reader := storetest.Staff(t, s, policy.Moderator)
	for i, c := range []struct{ file, want string }{
		{`{"value": null, "count": 0}`, `{"value":null,"count":0}`},
		{`{"value": null, "count": 3}`, `{"value":null,"count":3}`},
		{`{"value": 0, "count": 0}`, `{"value":0,"count":0}`},
		{`{"value": 0.5}`, `{"value":0.5,"count":0}`},
		{`{"value": 0.25, "count": 4}`, `{"value":0.25,"count":4}`},
	} {
		importText(t, s, line(100+i, 0, `"labels": {"spam": `+c.file+`, "another": `+c.file+`}`))
		m, err := s.Message(t.Context(), reader, uuid.MustParse(testID(100+i)))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"spam", "another"} {
			if got, err := json.Marshal(m.Labels[name]); err != nil || string(got) != c.want {
				t.Errorf("%s of %s is read as %s (%v)", name, c.file, got, err)
			}
		}
	}
}

func TestImportOrphans(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	// Replies before their parents, in one file.
	wantCounts(t, importText(t, s, line(3, 2, "")+line(2, 1, "")+line(1, 0, "")), 1, 3, 0, 0, 0, 0, 0)
	// Replies before their parents, in several files.
	first := importText(t, s, line(7, 6, `"labels": {}`)+line(6, 5, "")+line(8, 6, ""))
	wantCounts(t, first, 0, 0, 0, 0, 0, 0, 3)
	for i, f := range first.Errors {
		if f.Code != corpus.Orphan || f.Line != i+1 || f.File != "test.jsonl" {
			t.Errorf("orphan %d is named %+v", i, f)
		}
	}
	// The summary does not count orphans of other files.
	wantCounts(t, importText(t, s, line(1, 0, "")), 0, 0, 0, 0, 1, 0, 0)
	wantCounts(t, importText(t, s, line(5, 1, "")+line(7, 6, "")), 0, 4, 0, 0, 1, 0, 0)
	wantOne(t, s, "0", `SELECT count(*) FROM import_orphans`)
	wantOne(t, s, "{0,1,2,1,2,3,3}", `SELECT array_agg(depth ORDER BY message_id) FROM messages`)
	wantOne(t, s, "1", `SELECT count(*) FROM label_aggregates`) // the labels of the orphan's first line are kept

	straight := storetest.New(t)
	importText(t, straight, line(1, 0, "")+line(2, 1, "")+line(3, 2, "")+line(5, 1, "")+line(6, 5, "")+
		line(7, 6, `"labels": {}`)+line(8, 6, ""))
	if d := diff(dump(t, straight, false), dump(t, s, false)); d != "" {
		t.Errorf("another order of lines gives another database: %s", d)
	}
}

func TestImportCycles(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	lines := line(2, 4, "") + line(4, 2, "") + line(6, 4, "") + line(8, 9, "") + line(1, 1, "")
	summary := importText(t, s, lines)
	wantCounts(t, summary, 0, 0, 0, 0, 0, 4, 1)
	var codes []string
	for _, f := range summary.Errors {
		codes = append(codes, fmt.Sprint(f.Line, " ", f.Code))
	}
	if want := []string{"5 cycle", "1 cycle", "2 cycle", "3 cycle", "4 orphan"}; !reflect.DeepEqual(codes, want) {
		t.Errorf("the errors are %v, want %v", codes, want)
	}
	wantOne(t, s, "1", `SELECT count(*) FROM import_orphans`)
	wantCounts(t, importText(t, s, lines), 0, 0, 0, 0, 0, 4, 1)
}

// TestImportDeletions checks that imported deleted messages get the message at the
// top of their deleted branch as deleted_root, in any order of lines.
func TestImportDeletions(t *testing.T) {
	t.Parallel()
	const deleted = `"deleted": true`
	want := fmt.Sprintf("{%s,%s,%s,%s}", testID(2), testID(2), testID(2), testID(6))
	const roots = `SELECT array_agg(deleted_root ORDER BY message_id) FROM messages WHERE deleted`
	full := line(1, 0, "") + line(2, 1, deleted) + line(3, 2, deleted) + line(4, 3, deleted) + line(5, 1, "") +
		line(6, 5, deleted) + line(7, 1, "")

	once := storetest.New(t)
	importText(t, once, full)
	wantOne(t, once, want, roots)

	upwards := storetest.New(t) // first the message at the bottom, then those above it
	importText(t, upwards, line(1, 0, "")+line(2, 1, "")+line(3, 2, "")+line(4, 3, deleted)+line(5, 1, "")+
		line(6, 5, deleted)+line(7, 1, ""))
	wantOne(t, upwards, fmt.Sprintf("{%s,%s}", testID(4), testID(6)), roots)
	wantCounts(t, importText(t, upwards, line(2, 1, deleted)), 0, 0, 0, 1, 0, 0, 0)
	wantCounts(t, importText(t, upwards, full), 0, 0, 0, 1, 6, 0, 0)
	wantOne(t, upwards, want, roots)

	pieces := storetest.New(t) // one import for each line
	for piece := range strings.Lines(full) {
		importText(t, pieces, piece)
	}
	if d := diff(dump(t, once, false), dump(t, pieces, false)); d != "" {
		t.Errorf("one import for each line gives another database: %s", d)
	}
}

// TestImportKeepsTexts checks that every text is read as it was imported, byte for
// byte.
func TestImportKeepsTexts(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpora(t), "bad-input")
	var texts []string
	blns, err := os.ReadFile(filepath.Join(dir, "blns.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(blns, &texts); err != nil {
		t.Fatal(err)
	}
	xss, err := os.ReadFile(filepath.Join(dir, "xss-payloads.txt"))
	if err != nil {
		t.Fatal(err)
	}
	texts = append(texts, strings.Split(strings.ToValidUTF8(string(xss), "?"), "\n")...)

	s := storetest.New(t)
	var lines strings.Builder
	for i, text := range texts {
		encoded, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&lines, `{"message_id": "%s", "role": "prompter", "text": %s, "model_name": %s, "emojis": {%s: 1}, `+
			`"labels": {"l": {"value": 0, "count": 1}}, "classifiers": {"m": {"o": 1}}}`+"\n",
			testID(i+1), encoded, encoded, short(text))
	}
	summary := importText(t, s, lines.String())
	if summary.Messages != int64(len(texts)) || summary.Faults() {
		t.Fatalf("%d texts: %+v", len(texts), summary)
	}
	rows, err := storetest.DB(t, s).Query(context.Background(),
		`SELECT text, model_name FROM messages ORDER BY message_id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for i := 0; rows.Next(); i++ {
		var text, model string
		if err := rows.Scan(&text, &model); err != nil {
			t.Fatal(err)
		}
		if text != texts[i] || model != texts[i] {
			t.Errorf("%q is read as %q and %q", texts[i], text, model)
		}
	}
	wantCounts(t, importText(t, s, lines.String()), 0, 0, 0, 0, int64(len(texts)), 0, 0)
}

// short returns the text as JSON, or "long" if it is too long for a name.
func short(text string) string {
	if len(text) > corpus.MaxName {
		text = "long"
	}
	encoded, err := json.Marshal(text)
	if err != nil {
		return `""`
	}
	return string(encoded)
}

func TestImportRealFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpora(t), "oasst")
	s := storetest.New(t)
	for _, c := range []struct {
		file  string
		want  []int64
		again []int64
	}{
		{"oasst2-sample.trees.jsonl", []int64{520, 1500, 976, 0, 52, 0, 0}, []int64{0, 0, 0, 0, 1552, 0, 0}},
		{"shape-sparse.trees.jsonl", []int64{5, 50, 0, 0, 0, 0, 0}, []int64{0, 0, 0, 0, 50, 0, 0}},
		{"shape-bare.messages.jsonl", []int64{0, 0, 0, 0, 50, 0, 0}, nil},
		{"shape-rows.jsonl", nil, nil},
	} {
		text, err := os.ReadFile(filepath.Join(dir, c.file))
		if err != nil {
			t.Fatal(err)
		}
		first := importText(t, s, string(text))
		if c.want != nil {
			wantCounts(t, first, c.want...)
		}
		before := dump(t, s, true)
		second := importText(t, s, string(text))
		if c.again != nil {
			wantCounts(t, second, c.again...)
		}
		if second.Updated+second.Messages+second.Trees+second.Users != 0 || second.Orphans != first.Orphans {
			t.Errorf("%s: the second import counts %v, the first %v", c.file, counts(second), counts(first))
		}
		if d := diff(before, dump(t, s, true)); d != "" {
			t.Errorf("%s changed on its second import: %s", c.file, d)
		}
		t.Logf("%s: %v, then %v", c.file, counts(first), counts(second))
	}
}
