package corpus

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	id1 = "00000000-0000-4000-8000-000000000001"
	id2 = "00000000-0000-4000-8000-000000000002"
)

// message makes a line of a message with further keys; a text is the first of them.
func message(id, more string) string {
	if more != "" {
		more = ", " + more
	}
	text := `"text": "a", `
	if strings.HasPrefix(more, `, "text": `) {
		text = ""
	}
	return `{"message_id": "` + id + `", ` + text + `"role": "prompter"` + more + `}`
}

func TestBadLines(t *testing.T) {
	for _, c := range []struct{ code, line string }{
		{NotJSON, `{`},
		{NotJSON, message(id1, "") + message(id2, "")},
		{NotJSON, message(id1, `"rank": NaN`)},
		{NotJSON, message(id1, `"rank": Infinity`)},
		{NotJSON, message(id1, `"rank": -Infinity`)},
		{NotJSON, message(id1, `"deleted":`)},
		{NotJSON, "{\"a\": \"\x00\"}"},
		{NotJSON, "\x00"},
		{UnknownShape, `[]`},
		{UnknownShape, `null`},
		{UnknownShape, `"text"`},
		{UnknownShape, `17`},
		{UnknownShape, `{}`},
		{UnknownShape, `{"thread_id": "` + id1 + `"}`},
		{UnknownShape, message(id1, `"prompt": `+message(id2, ""))},
		{UnknownShape, `{"prompt": ` + message(id1, "") + `, "replies": [` + message(id2, "") + `]}`},
		{MissingField, `{"message_tree_id": "` + id1 + `"}`},
		{MissingField, `{"message_tree_id": "` + id1 + `", "prompt": null}`},
		{MissingField, `{"message_id": "` + id1 + `", "role": "prompter"}`},
		{MissingField, `{"message_id": "` + id1 + `", "role": "prompter", "text": null}`},
		{MissingField, `{"message_id": "` + id1 + `", "text": "a"}`},
		{MissingField, `{"prompt": {"text": "a", "role": "prompter"}}`},
		{WrongType, `{"prompt": []}`},
		{WrongType, message(id1, `"text": 3`)},
		{WrongType, message(id1, `"deleted": "yes"`)},
		{WrongType, message(id1, `"deleted": 1`)},
		{WrongType, message(id1, `"rank": "best"`)},
		{WrongType, message(id1, `"rank": 1.5`)},
		{WrongType, message(id1, `"replies": {}`)},
		{WrongType, message(id1, `"replies": [1]`)},
		{WrongType, message(id1, `"replies": [null]`)},
		{WrongType, message(id1, `"emojis": 3`)},
		{WrongType, message(id1, `"emojis": {"+1": "many"}`)},
		{WrongType, message(id1, `"emojis": {"+1": true}`)},
		{WrongType, message(id1, `"emojis": [3]`)},
		{WrongType, message(id1, `"labels": {"spam": 1}`)},
		{WrongType, message(id1, `"labels": {"spam": {"value": "1"}}`)},
		{WrongType, message(id1, `"detoxify": 0.5`)},
		{WrongType, message(id1, `"detoxify": {"toxicity": {}}`)},
		{WrongType, message(id1, `"classifiers": {"m": 1}`)},
		{WrongType, message(id1, `"created_date": 1675599830`)},
		{WrongType, `{"message_id": 1, "text": "a", "role": "prompter"}`},
		{WrongValue, message(id1, `"rank": -1`)},
		{WrongValue, message(id1, `"review_count": -1`)},
		{WrongValue, message(id1, `"review_count": 1e99`)},
		{WrongValue, message(id1, `"review_count": 1e999`)},
		{WrongValue, message(id1, `"emojis": {"+1": -1}`)},
		{WrongValue, message(id1, `"emojis": {"+1": 1000001}`)},
		{WrongValue, message(id1, `"emojis": {"name": ["+1"], "count": [1e9]}`)},
		{WrongValue, message(id1, `"labels": {"spam": {"value": 1, "count": 2147483647}}`)},
		{WrongValue, message(id1, `"emojis": {"name": ["a"], "count": []}`)},
		{WrongValue, message(id1, `"labels": {"spam": {"value": 1.5, "count": 1}}`)},
		{WrongValue, message(id1, `"labels": {"spam": {"value": -1, "count": 1}}`)},
		{WrongValue, message(id1, `"labels": {"spam": {"value": 1, "count": -1}}`)},
		{WrongValue, message(id1, `"labels": {"name": ["a", "b"], "value": [1], "count": [1, 2]}`)},
		{WrongValue, message(id1, `"detoxify": {"toxicity": 1e400}`)},
		{TooLong, message(id1, `"lang": "`+strings.Repeat("x", MaxName+1)+`"`)},
		{TooLong, message(id1, `"model_name": "`+strings.Repeat("x", MaxModelName+1)+`"`)},
		{TooLong, message(id1, `"origin": "`+strings.Repeat("x", MaxOrigin+1)+`"`)},
		{TooLong, message(id1, `"emojis": {"`+strings.Repeat("x", MaxName+1)+`": 1}`)},
		{TooLong, `{"message_id": "` + id1 + `", "role": "prompter", "text": "` + strings.Repeat("ä", MaxText+1) + `"}`},
		{RepeatedKey, message(id1, `"lang": "en", "lang": "de"`)},
		{RepeatedKey, message(id1, `"lang": null, "text": "b"`)},
		{RepeatedKey, message(id1, `"te\u0078t": "b"`)},
		{RepeatedKey, message(id1, `"message_id": "`+id1+`"`)},
		{RepeatedKey, message(id1, `"rank": null, "rank": null`)},
		{RepeatedKey, message(id1, `"colour": 1, "colour": 1`)},
		{RepeatedKey, message(id1, `"replies": [`+message(id2, "")+`], "replies": null`)},
		{RepeatedKey, message(id1, `"replies": [`+message(id2, `"rank": 1, "text": "b"`)+`]`)},
		{RepeatedKey, message(id1, `"emojis": {"+1": 1, "+1": 1}`)},
		{RepeatedKey, message(id1, `"emojis": {"+1": 1, "name": ["+1"], "count": [1]}`)},
		{RepeatedKey, message(id1, `"emojis": {"name": ["+1"], "name": ["+1"], "count": [1]}`)},
		{RepeatedKey, message(id1, `"emojis": {"name": ["+1", "+1"], "count": [1, 2]}`)},
		{RepeatedKey, message(id1, `"emojis": [{"name": "+1", "count": 1}, {"name": "+1", "count": 1}]`)},
		{RepeatedKey, message(id1, `"labels": {"spam": {"value": 1, "count": 1}, "spam": null}`)},
		{RepeatedKey, message(id1, `"labels": {"spam": {"value": 1, "value": 0, "count": 1}}`)},
		{RepeatedKey, message(id1, `"labels": {"name": ["spam", "spam"], "value": [1, 0], "count": [1, 1]}`)},
		{RepeatedKey, message(id1, `"labels": [{"name": "spam", "value": 1}, {"name": "spam", "value": 1}]`)},
		{RepeatedKey, message(id1, `"detoxify": {"toxicity": 1, "toxicity": 0}`)},
		{RepeatedKey, message(id1, `"classifiers": {"m": {"a": 1}, "m": {"b": 1}}`)},
		{RepeatedKey, message(id1, `"detoxify": {"toxicity": 1}, "classifiers": {"detoxify": {"toxicity": 0}}`)},
		{RepeatedKey, message(id1, many(100, func(i int) string { return fmt.Sprintf(`"k%d": 1`, i) })+`, "k70": 1`)},
		{RepeatedKey, message(id1, many(100, func(i int) string { return fmt.Sprintf(`"k%d": 1`, i) })+`, "k7": 1`)},
		{RepeatedKey, `{"prompt": ` + message(id1, "") + `, "prompt": ` + message(id2, "") + `}`},
		{WrongTree, `{"prompt": ` + message(id1, "") + `, "message_tree_id": "` + id2 + `"}`},
		{WrongTree, `{"message_tree_id": "` + id2 + `", "prompt": ` + message(id1, "") + `}`},
		{WrongTree, `{"prompt": ` + message(id1, `"message_tree_id": "`+id2+`"`) + `}`},
		{WrongTree, `{"message_tree_id": "` + id1 + `", "prompt": ` + message(id1, `"message_tree_id": "`+id2+`"`) + `}`},
		{WrongTree, message(id1, `"message_tree_id": "`+id1+`", "replies": [`+
			message(id2, `"message_tree_id": "`+id2+`"`)+`]`)},
		{MissingField, message(id1, `"emojis": [{"count": 1}]`)},
		{MissingField, message(id1, `"emojis": {"name": ["a"]}`)},
		{UnknownRole, `{"message_id": "` + id1 + `", "text": "a", "role": "system"}`},
		{UnknownRole, `{"message_id": "` + id1 + `", "text": "a", "role": ""}`},
		{UnknownRole, `{"message_id": "` + id1 + `", "text": "a", "role": "Prompter"}`},
		{UnknownState, message(id1, `"tree_state": "paused"`)},
		{BadID, `{"message_id": "1", "text": "a", "role": "prompter"}`},
		{BadID, `{"message_id": "", "text": "a", "role": "prompter"}`},
		{BadID, `{"message_id": "00000000-0000-0000-0000-000000000000", "text": "a", "role": "prompter"}`},
		{BadID, `{"message_id": "` + strings.Repeat("ab", 32) + `", "text": "a", "role": "prompter"}`},
		{BadID, message(id1, `"user_id": "nobody"`)},
		{BadID, message(id1, `"parent_id": "`+id2[1:]+`g"`)},
		{BadID, message(id1, `"message_tree_id": "tree"`)},
		{BadID, message(id1, `"user_id": "/messages/`+id2+`"`)},
		{BadID, message(id1, `"user_id": "(`+id2+`)"`)},
		{BadDate, message(id1, `"created_date": "yesterday"`)},
		{BadDate, message(id1, `"created_date": "2023-02-30T00:00:00Z"`)},
		{BadDate, message(id1, `"created_date": ""`)},
		{BadDate, message(id1, `"created_date": "9999-12-31T23:59:59-14:00"`)},
		{BadDate, message(id1, `"created_date": "0001-01-01T00:00:00+14:00"`)},
		{BadDate, message(id1, `"created_date": "0000-01-01T00:00:00Z"`)},
		{RepeatedID, message(id1, `"replies": [`+message(id2, "")+`, `+message(id2, "")+`]`)},
		{Cycle, message(id1, `"parent_id": "`+id1+`"`)},
		{Cycle, message(id1, `"replies": [`+message(id2, `"replies": [`+message(id1, "")+`]`)+`]`)},
		{Cycle, message(id1, `"parent_id": "`+id2+`", "replies": [`+message(id2, "")+`]`)},
		{WrongParent, message(id1, `"replies": [`+message(id2, `"parent_id": "00000000-0000-4000-8000-000000000003"`)+`]`)},
		{WrongParent, `{"prompt": ` + message(id1, `"parent_id": "`+id2+`"`) + `}`},
		{NUL, message(id1, `"text": "a\u0000b"`)},
		{NUL, message(id1, `"lang": "\u0000"`)},
		{NUL, message(id1, `"model_name": "\u0000"`)},
		{NUL, message(id1, `"events": {"emoji": ["\\\u0000"]}`)},
		{NUL, message(id1, `"emojis": {"a\u0000": 1}`)},
		{NUL, message(id1, `"labels": {"name": ["\u0000"], "value": [1], "count": [1]}`)},
		{InvalidUTF8, message(id1, "\"text\": \"\xff\"")},
		{InvalidUTF8, message(id1, "\"unknown\": \"\xc3\"")},
		{InvalidUTF8, message(id1, "\"text\": \"\xed\xa0\x80\"")},
		{LoneSurrogate, message(id1, `"text": "\ud83d"`)},
		{LoneSurrogate, message(id1, `"text": "\udc00\ud83d"`)},
		{LoneSurrogate, message(id1, `"unknown": "\ud83d\u0020"`)},
		{TooMany, message(id1, `"emojis": {`+many(MaxNames+1, func(i int) string { return fmt.Sprintf(`"e%d": 1`, i) })+`}`)},
	} {
		record, bad := NewParser().Parse([]byte(c.line))
		switch {
		case bad == nil:
			t.Errorf("taken as %+v: %s", record, clip(c.line))
		case bad.Code != c.code:
			t.Errorf("%s (%s), want %s: %s", bad.Code, bad.Message, c.code, c.line)
		case bad.Message == "" || !utf8.ValidString(bad.Message) || strings.ContainsAny(bad.Message, "\x00\n"):
			t.Errorf("message %q of %s", bad.Message, c.line)
		}
	}
}

func many(n int, item func(int) string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = item(i)
	}
	return strings.Join(items, ", ")
}

// TestGoodOddities: what is unusual and means something all the same.
func TestGoodOddities(t *testing.T) {
	for _, line := range []string{
		message(id1, `"text": ""`),
		message(id1, `"text": "\ud83c\udf41"`),
		message(id1, `"text": "\\u0000"`),
		message(id1, `"unknown": "\u0000", "\u0000": "\\\u0000"`),
		message(id1, `"unknown": [1e999, -0, {"a": {"a": 1, "a": 2}}]`),
		message(id1, `"events": {"a": 1, "a": 2}`),
		message(id1, `"replies": [`+message(id2, "")+`], "labels": {"spam": null}, "emojis": {"name": [], "count": []}`),
		message(id1, many(100, func(i int) string { return fmt.Sprintf(`"k%d": 1`, i) })),
		message(id1, `"model_name": "`+strings.Repeat("ä", MaxModelName)+`"`),
		`{"message_id": "` + id1 + `", "role": "prompter", "text": "` + strings.Repeat("ä", MaxText) + `"}`,
		message(id1, `"rank": 3.0, "review_count": 1e1`),
		message(id1, `"created_date": "2023-02-05 12:23:50+00"`),
		message(id1, `"created_date": "2023-02-05T12:23:50.922881"`),
		message(id1, `"created_date": "2023-02-05T14:23:50.922881999+02:00"`),
		message(strings.ToUpper("abcdef00-0000-4000-8000-000000000001"), ""),
		`{"message\u005fid": "` + id1 + `", "text": "a", "role": "prompter"}`,
		`{"prompt": ` + message(id1, `"message_tree_id": "{`+id1+`}"`) + `, "message_tree_id": "` + id1 + `"}`,
		" \t" + message(id1, "") + " ",
	} {
		if _, bad := NewParser().Parse([]byte(line)); bad != nil {
			t.Errorf("%s (%s): %s", bad.Code, bad.Message, line)
		}
	}
}

// TestFaultsSayWhere: a fault deep in a tree is of no use without its place.
func TestFaultsSayWhere(t *testing.T) {
	_, bad := NewParser().Parse([]byte(`{"prompt": ` + message(id1, `"replies": [`+message(id2, `"rank": "x"`)+`]`) + `}`))
	if bad == nil || !strings.Contains(bad.Message, "/prompt/replies/0/rank") {
		t.Errorf("got %v", bad)
	}
}

// nested makes a line of replies within replies.
func nested(levels int) string {
	var b strings.Builder
	for i := range levels {
		fmt.Fprintf(&b, `{"message_id": "00000000-0000-4000-8000-%012x", "text": "a", "role": "prompter", "replies": [`, i+1)
	}
	for range levels {
		b.WriteString("]}")
	}
	return b.String()
}

func TestDepth(t *testing.T) {
	p := NewParser()
	record, bad := p.Parse([]byte(nested(MaxDepth + 1)))
	if bad != nil || len(record.Messages) != MaxDepth+1 {
		t.Errorf("the deepest tree is refused: %v", bad)
	}
	deep := strings.Repeat("[", 100_000)
	for name, line := range map[string]string{
		"a level too many":          nested(MaxDepth + 2),
		"100,000 levels of replies": nested(100_000),
		"100,000 open brackets":     deep,
		"an unknown key":            message(id1, `"unknown": `+deep+strings.ReplaceAll(deep, "[", "]")),
		"events":                    message(id1, `"events": `+deep+strings.ReplaceAll(deep, "[", "]")),
		"events that the database's parser would not take": message(id1, `"events": `+deep[:5000]+
			strings.ReplaceAll(deep[:5000], "[", "]")),
		"100,000 objects": strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000),
	} {
		if _, bad := p.Parse([]byte(line)); bad == nil || bad.Code != TooDeep {
			t.Errorf("%s: %v, want %s", name, bad, TooDeep)
		}
	}
}

// TestJSONTestSuite holds the parser to the JSON grammar: what the suite calls
// valid is taken as the value of an unknown key, what it calls invalid is
// refused, and nothing makes it crash.
func TestJSONTestSuite(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpora(t), "bad-input", "json-parsing", "*.json"))
	if err != nil || len(files) < 300 {
		t.Fatalf("%d files in the suite, %v", len(files), err)
	}
	p := NewParser()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		_, alone := p.Parse(text)
		if alone == nil {
			t.Errorf("%s alone is taken as a message", name)
		}
		_, within := p.Parse([]byte(message(id1, `"unknown": `+string(text))))
		switch name[0] {
		case 'y':
			if within != nil {
				t.Errorf("%s is refused: %v", name, within)
			}
			if alone != nil && alone.Code == NotJSON {
				t.Errorf("%s alone is called no JSON: %v", name, alone)
			}
		case 'n':
			// Some only err in what follows them, which within a line may be well.
			if within == nil && alone.Code == UnknownShape {
				t.Errorf("%s is taken", name)
			}
		}
	}
}

// FuzzParse: no line crashes the parser, a record that comes of one keeps its
// promises, and is the same once written and read again.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.jsonl")
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			f.Add([]byte(strings.TrimSpace(line)))
		}
	}
	f.Add([]byte(nested(5)))
	f.Add([]byte(message(id1, `"emojis": {"name": ["a"], "count": [1.0]}, "created_date": "2023-02-05 12:23:50+00"`)))
	f.Fuzz(func(t *testing.T, line []byte) {
		p := NewParser()
		record, bad := p.Parse(line)
		if (record == nil) == (bad == nil) {
			t.Fatalf("record %v and fault %v", record, bad)
		}
		if bad != nil {
			if bad.Code == "" || !utf8.ValidString(bad.Message) {
				t.Fatalf("fault %+v", bad)
			}
			return
		}
		depth := -1
		for i, m := range record.Messages {
			if m.Depth > depth+1 || m.Depth > MaxDepth || (m.Depth == 0) != (i == 0) || strings.Contains(m.Text, "\x00") {
				t.Fatalf("message %d: %+v", i, m)
			}
			depth = m.Depth
		}
		written := record.Append(nil)
		again, bad := p.Parse(written)
		if bad != nil {
			t.Fatalf("%v in %s", bad, written)
		}
		if twice := again.Append(nil); string(twice) != string(written) {
			t.Fatalf("written twice:\n%s\n%s", written, twice)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text, err := os.ReadFile("testdata/tree.jsonl")
	if err != nil {
		b.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	p := NewParser()
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, bad := p.Parse([]byte(line)); bad != nil {
			b.Fatal(bad)
		}
	}
}
