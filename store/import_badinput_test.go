package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// badTexts returns texts that often break programs: a short list, and the public
// lists in the folder TREEWARDEN_CORPORA if it is set.
func badTexts(t testing.TB) []string {
	t.Helper()
	all := []string{"", " ", "\t\r\n", "\x01\x1b[31m\x7f", "\u202eevil\u2066", "\ufeff", "\u200b", "\ufffe\uffff",
		"\U0010ffff", "e\u0301\u0301\u0301", "\\N", "\\.", "\\", `"`,
		"{}", "{a,NULL}", "NULL", "null", "'; DROP TABLE messages; --", "{{.}}", "<script>alert(1)</script>", "__proto__",
		"a\r\nb", "=1+1", strings.Repeat("ж", 128),
		strings.Repeat("W", corpus.MaxName), strings.Repeat("W", corpus.MaxName+1), strings.Repeat("x", 10_000)}
	dir := os.Getenv("TREEWARDEN_CORPORA")
	if dir == "" {
		return all
	}
	dir = filepath.Join(dir, "bad-input")
	read := func(name string, into any) {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var naughty []string
	var purify []struct{ Payload string }
	var bidi []struct{ Text string }
	read("blns.json", &naughty)
	read("dompurify-expect.json", &purify)
	read("bidi_homoglyph_lines.json", &bidi)
	all = append(all, naughty...)
	for _, p := range purify {
		all = append(all, p.Payload)
	}
	for _, b := range bidi {
		all = append(all, b.Text)
	}
	xss, err := os.ReadFile(filepath.Join(dir, "xss-payloads.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(xss), "\n") {
		all = append(all, strings.ToValidUTF8(line, "?"))
	}
	return all
}

// importNamed imports lines. It returns the summary and all faults of the reader
// by line, because the summary holds only the first 100.
func importNamed(t testing.TB, s *store.Store, lines string) (store.ImportSummary, map[int]*corpus.Fault) {
	t.Helper()
	named := map[int]*corpus.Fault{}
	records := corpus.NewReader(strings.NewReader(lines), "bad.jsonl").All()
	watched := iter.Seq2[*corpus.Record, error](func(yield func(*corpus.Record, error) bool) {
		for record, err := range records {
			var fault *corpus.Fault
			if errors.As(err, &fault) {
				if named[fault.Line] != nil || fault.Code == "" || fault.Message == "" || !utf8.ValidString(fault.Message) ||
					strings.ContainsAny(fault.Message, "\x00\n\r\x1b") {
					t.Errorf("line %d is named %q: %q", fault.Line, fault.Code, fault.Message)
				}
				named[fault.Line] = fault
			}
			if !yield(record, err) {
				return
			}
		}
	})
	summary, err := s.Import(t.Context(), watched, store.ImportOptions{})
	if err != nil {
		t.Fatalf("the import failed after %v: %v", counts(summary), err)
	}
	if summary.Bytes != int64(len(lines)) {
		t.Errorf("the summary counts %d bytes, want %d", summary.Bytes, len(lines))
	}
	if summary.Rejected != int64(len(named)) || summary.Faults() != (len(named) > 0) ||
		len(summary.Errors) != min(len(named), 100) {
		t.Errorf("%d lines are named, the summary counts %d and names %d", len(named), summary.Rejected,
			len(summary.Errors))
	}
	return summary, named
}

// checkReadable reads all lists as the API does. It checks that they can be
// written as JSON and that the counters match the messages.
func checkReadable(t testing.TB, s *store.Store) (messages []store.Message, trees []store.Tree) {
	t.Helper()
	actor := storetest.Staff(t, s, policy.Admin)
	asJSON := func(what string, v any, err error) {
		t.Helper()
		if err == nil {
			_, err = json.Marshal(v)
		}
		if err != nil {
			t.Fatalf("%s cannot be shown: %v", what, err)
		}
	}
	for page := (store.Page{Limit: 200}); ; {
		list, err := s.Messages(t.Context(), actor, store.MessageFilter{Deleted: "include", Page: page})
		asJSON("messages", list, err)
		messages = append(messages, list.Items...)
		if list.Next == nil {
			break
		}
		page.Cursor = *list.Next
	}
	for page := (store.Page{Limit: 200}); ; {
		list, err := s.Trees(t.Context(), actor, store.TreeFilter{Page: page})
		asJSON("trees", list, err)
		trees = append(trees, list.Items...)
		if list.Next == nil {
			break
		}
		page.Cursor = *list.Next
	}
	for _, window := range scoring.Windows {
		for _, formula := range scoring.Formulas {
			board, err := s.Board(t.Context(), actor, store.BoardFilter{Window: window, Formula: formula, Status: "all"})
			asJSON("the trollboard", board, err)
		}
	}
	users, err := s.Users(t.Context(), actor, store.UserFilter{Sort: "-activity"})
	asJSON("users", users, err)
	for _, user := range users.Items[:min(len(users.Items), 5)] {
		detail, err := s.User(t.Context(), actor, user.UserID, scoring.Formulas[0])
		asJSON("a user", detail, err)
	}
	faults, err := s.VerifyScores(t.Context())
	if err != nil || len(faults) > 0 {
		t.Errorf("the counters are wrong: %v, %v", faults, err)
	}
	return messages, trees
}

// jsonSuite returns the files of a public test suite for JSON parsers, by name.
func jsonSuite(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(corpora(t), "bad-input", "json-parsing", "*.json"))
	if err != nil || len(files) < 300 {
		t.Fatalf("%d files in the suite, %v", len(files), err)
	}
	suite := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		suite[filepath.Base(file)] = string(text)
	}
	return suite
}

// TestImportJSONSuite imports the suite's files as lines, each between good
// lines. The import takes the good lines and names all others.
func TestImportJSONSuite(t *testing.T) {
	t.Parallel()
	suite := jsonSuite(t)
	s := storetest.New(t)
	var lines strings.Builder
	n, good, bad := 0, 0, map[int]string{}
	add := func(text string) { n++; lines.WriteString(text) }
	for _, name := range slices.Sorted(maps.Keys(suite)) {
		good++
		add(line(2*good+1, 0, ""))
		for _, part := range strings.Split(suite[name], "\n") {
			add(part + "\n")
			if strings.TrimSuffix(part, "\r") != "" {
				bad[n] = name
			}
		}
	}
	good++
	add(line(2*good+1, 0, ""))
	summary, named := importNamed(t, s, lines.String())
	wantCounts(t, summary, int64(good), int64(good), 0, 0, 0, int64(len(bad)), 0)
	for at, name := range bad {
		if named[at] == nil {
			t.Errorf("%s (line %d) is not named", name, at)
		}
	}
}

// TestImportJSONSuiteInside imports good lines in which one value is a file of the
// suite, for every key.
func TestImportJSONSuiteInside(t *testing.T) {
	t.Parallel()
	suite := jsonSuite(t)
	s := storetest.New(t)
	var lines strings.Builder
	type place struct{ name, key string }
	n, places := 0, map[int]place{}
	for _, name := range slices.Sorted(maps.Keys(suite)) {
		value := strings.NewReplacer("\r", " ", "\n", " ").Replace(suite[name])
		for _, key := range []string{"unknown", "events", "labels", "emojis", "detoxify", "classifiers", "created_date",
			"user_id", "lang", "rank", "origin", "replies", "edited"} {
			n++
			places[n] = place{name, key}
			lines.WriteString(line(2*n+1, 0, fmt.Sprintf("%q: %s", key, value)))
		}
	}
	summary, named := importNamed(t, s, lines.String())
	if in := int64(n) - summary.Rejected; summary.Messages != in || summary.Orphans != 0 || in < 200 ||
		summary.Rejected < 3000 {
		t.Errorf("of %d lines: %v", n, counts(summary))
	}
	for at, where := range places {
		if fault, kind := named[at], where.name[0]; kind == 'y' && fault != nil &&
			(fault.Code == corpus.NotJSON || where.key == "unknown") {
			t.Errorf("%s as %s is refused: %v", where.name, where.key, fault)
		}
	}
	checkReadable(t, s)
}

// TestImportBadValues imports lines with bad texts in every key that takes a text.
// The database returns each text unchanged, or the import names its line.
func TestImportBadValues(t *testing.T) {
	t.Parallel()
	texts := badTexts(t)
	s := storetest.New(t)
	var lines strings.Builder
	quoted := func(text string) string {
		var out strings.Builder
		encoder := json.NewEncoder(&out)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(text); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out.String())
	}
	// Each text has three lines: with the text in the keys that take any text, in
	// those that take names, and in a key that takes only certain values.
	const kinds, modelEvery = 3, 7
	for i, text := range texts {
		v := quoted(text)
		lines.WriteString(strings.Replace(line(2*(kinds*i)+1, 0, `"origin": `+v+`, "model_name": `+v),
			fmt.Sprintf(`"text %d"`, 2*(kinds*i)+1), v, 1))
		classifiers := ""
		if i%modelEvery == 0 { // the number of models and of a model's outputs is limited
			classifiers = fmt.Sprintf(`, "classifiers": {%[1]s: {%[1]s: 0.25}}, "detoxify": {%[1]s: 1}`, v)
		}
		lines.WriteString(line(2*(kinds*i+1)+1, 0,
			fmt.Sprintf(`"lang": %[1]s, "emojis": {%[1]s: 2}, "labels": {%[1]s: {"value": 0.5, "count": 2}}`, v)+classifiers))
		key := []string{"user_id", "parent_id", "message_tree_id", "tree_state", "created_date"}[i%5]
		lines.WriteString(line(2*(kinds*i+2)+1, 0, `"colour": 1, `+quoted(key)+`: `+v))
	}
	summary, named := importNamed(t, s, lines.String())
	for i, text := range texts {
		long := utf8.RuneCountInString(text) > corpus.MaxOrigin
		if fault := named[kinds*i+1]; long != (fault != nil) || long && fault.Code != corpus.TooLong {
			t.Errorf("the text %.60q is refused: %v", text, fault)
		}
		if fault := named[kinds*i+2]; fault != nil && (utf8.RuneCountInString(text) <= corpus.MaxName ||
			fault.Code != corpus.TooLong) {
			t.Errorf("the name %.60q is refused: %v", text, fault)
		}
	}
	messages, trees := checkReadable(t, s)
	if int64(len(messages)) != summary.Messages {
		t.Errorf("the list has %d messages, the import counted %d", len(messages), summary.Messages)
	}
	byID := map[uuid.UUID]store.Message{}
	for _, m := range messages {
		byID[m.MessageID] = m
	}
	origins := map[uuid.UUID]*string{}
	for _, tree := range trees {
		origins[tree.TreeID] = tree.Origin
	}
	half, quarter, whole := 0.5, 0.25, 1.0
	for i, text := range texts {
		if named[kinds*i+1] != nil {
			continue
		}
		id := uuid.MustParse(testID(2*(kinds*i) + 1))
		m, ok := byID[id]
		if origin := origins[id]; !ok || m.Text != text || m.ModelName == nil || *m.ModelName != text || origin == nil ||
			*origin != text {
			t.Errorf("%.60q is read as the text %.60q, the model %v and the origin %v", text, m.Text, m.ModelName, origin)
		}
		if named[kinds*i+2] != nil {
			continue
		}
		m = byID[uuid.MustParse(testID(2*(kinds*i+1)+1))]
		if m.Lang == nil || *m.Lang != text || !reflect.DeepEqual(m.Emojis, map[string]int{text: 2}) ||
			!reflect.DeepEqual(m.Labels, map[string]store.Label{text: {Value: &half, Count: 2}}) {
			t.Errorf("the name %q is read as %v, %v, %v", text, m.Lang, m.Emojis, m.Labels)
		}
		if i%modelEvery > 0 {
			continue
		}
		want := map[string]map[string]*float64{text: {text: &quarter}}
		if text == corpus.Detoxify {
			want = map[string]map[string]*float64{}
		}
		if !reflect.DeepEqual(m.Classifiers, want) || text != corpus.Detoxify &&
			!reflect.DeepEqual(m.Detoxify, map[string]*float64{text: &whole}) {
			t.Errorf("the model %q is read as %v and %v", text, m.Classifiers, m.Detoxify)
		}
	}
	before := dump(t, s, true)
	if again, _ := importNamed(t, s, lines.String()); again.Unchanged != summary.Messages ||
		again.Rejected != summary.Rejected {
		t.Errorf("the second import counted %v, the first %v", counts(again), counts(summary))
	}
	if d := diff(before, dump(t, s, true)); d != "" {
		t.Errorf("the second import changed something: %s", d)
	}
}

// TestImportManyModels imports more models and outputs than the limits. The import
// refuses the lines beyond the limits and takes all others.
func TestImportManyModels(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	var lines strings.Builder
	outputs := func(kind string, n int, value string) string {
		var all []string
		for i := range corpus.MaxNames {
			all = append(all, fmt.Sprintf(`"%s %d %d": %s`, kind, n, i, value))
		}
		return strings.Join(all, ", ")
	}
	const n = 34 // 34 times 1000 names are more than a smallint can count
	for i := range n {
		lines.WriteString(line(8*i+1, 0, `"classifiers": {`+outputs("model", i, `{"o": 1}`)+`}`))
		lines.WriteString(line(8*i+3, 0, `"detoxify": {`+outputs("output", i, "1")+`}`))
		lines.WriteString(line(8*i+5, 0, ""))
	}
	summary := importText(t, s, lines.String())
	if summary.Messages < n || summary.Messages > n+2 || summary.Messages+summary.Rejected != 3*n {
		t.Errorf("of %d lines: %v", 3*n, counts(summary))
	}
	for _, fault := range summary.Errors {
		if fault.Code != corpus.TooMany {
			t.Errorf("an unexpected fault: %v", fault)
		}
	}
}

// TestImportExtremes imports the largest and smallest numbers and dates of their
// types, many times by one author. No sum overflows, and all imported messages
// can be read.
func TestImportExtremes(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	values := map[string][]string{
		"rank":         {"0", "-0", "2147483647", "2147483648", "1e308", "1e-308", "-1", "9007199254740993"},
		"review_count": {"2147483647", "2147483648", "1e400"},
		"emojis": {`{"+1": 2147483647}`, `{"-1": 2147483647, "red_flag": 2147483647}`, `{"red_flag": 1e9}`,
			`{"+1": 1000000, "-1": 1000000, "red_flag": 1000000}`, `{"+1": 1000001}`, `{"+1": 2147483648}`,
			`{"skull": 2147483647}`, `{"+1": -0.0}`},
		"labels": {`{"spam": {"value": 1, "count": 2147483647}}`, `{"toxicity": {"value": 1, "count": 2147483647}}`,
			`{"toxicity": {"value": 1, "count": 1000000}}`, `{"toxicity": {"value": 5e-324, "count": 1000000}}`,
			`{"spam": {"value": 1, "count": 1000000}}`, `{"toxicity": {"value": 0.25, "count": 1001}}`,
			`{"toxicity": {"value": 1.0000000001, "count": 1}}`, `{"quality": {"value": null, "count": 5}}`,
			`{"odd": {"value": 1, "count": 2147483647}}`},
		"detoxify": {`{"toxicity": 1e308}`, `{"toxicity": -1e308}`, `{"toxicity": 1.7976931348623157e308}`,
			`{"toxicity": 9223372}`, `{"toxicity": 9223373}`, `{"toxicity": 5e-324}`,
			`{"toxicity": 1e999}`, `{"insult": 1e308}`, `{"toxicity": -0.0}`},
		"created_date": {`"0001-01-01T00:00:00Z"`, `"0000-01-01T00:00:00Z"`, `"0000-01-01T00:00:00+14:00"`,
			`"0001-01-01T00:00:00+23:59"`, `"2025-12-31T23:59:59.999999999Z"`,
			`"9999-12-31T23:59:59-14:00"`, `"294277-01-01T00:00:00Z"`, `"-0001-01-01T00:00:00Z"`, `"1970-01-01"`, `"infinity"`,
			`"-infinity"`, `"now"`, `"2023-02-05T24:00:00Z"`,
			`"2016-12-31T23:59:60Z"`, `"2023-02-05T00:00:00+25:00"`},
		"goal_tree_size": {"2147483647", "2147483648"}, "max_depth": {"2147483647"}, "max_children_count": {"2147483647"},
	}
	var lines strings.Builder
	n := 0
	for range 15 { // several, so that sums overflow if they can
		for _, key := range slices.Sorted(maps.Keys(values)) {
			for _, value := range values[key] {
				n++
				lines.WriteString(line(2*n+1, 0, fmt.Sprintf(`"user_id": "%s", %q: %s`, testID(999_999), key, value)))
			}
		}
	}
	n++
	lines.WriteString(line(2*n+1, 0, `"user_id": "`+testID(999_999)+`"`))
	summary, _ := importNamed(t, s, lines.String())
	if summary.Messages+summary.Rejected != int64(n) || summary.Messages < int64(n)/3 {
		t.Errorf("of %d lines: %v", n, counts(summary))
	}
	messages, _ := checkReadable(t, s)
	for _, m := range messages {
		for name, value := range m.Detoxify {
			if value != nil && (math.IsNaN(*value) || math.IsInf(*value, 0)) {
				t.Errorf("%s of %s was imported as %v", name, m.MessageID, *value)
			}
		}
	}
	if err := s.RebuildScores(t.Context()); err != nil {
		t.Errorf("rebuild the counters: %v", err)
	}
}
