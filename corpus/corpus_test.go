package corpus

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// read collects the records and faults of a file's text.
func read(t testing.TB, text io.Reader) (records []*Record, faults []*Fault) {
	t.Helper()
	for record, err := range NewReader(text, "test.jsonl").All() {
		var bad *Fault
		switch {
		case err == nil:
			records = append(records, record)
		case errors.As(err, &bad):
			faults = append(faults, bad)
		default:
			t.Fatalf("reading ended with %v, which is no fault of a line", err)
		}
	}
	return records, faults
}

// corpora returns the folder of public data, or skips.
func corpora(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("TREEWARDEN_CORPORA")
	if dir == "" {
		t.Skip("SKIPPED: TREEWARDEN_CORPORA is not set; it names the folder with the public data sets that this test reads")
	}
	return dir
}

func TestShapes(t *testing.T) {
	for _, c := range []struct {
		file              string
		records, messages int
	}{
		{"tree.jsonl", 2, 5},
		{"flat.jsonl", 4, 4},
		{"bare.jsonl", 1, 3},
		{"rows.jsonl", 3, 3},
		{"sparse.jsonl", 1, 2},
	} {
		t.Run(c.file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", c.file))
			if err != nil {
				t.Fatal(err)
			}
			records, faults := read(t, bytes.NewReader(text))
			if len(faults) > 0 {
				t.Fatalf("refused: %v", faults)
			}
			messages, size := 0, 0
			for _, record := range records {
				messages += len(record.Messages)
				size += record.Size
			}
			if len(records) != c.records || messages != c.messages {
				t.Errorf("read %d records with %d messages, want %d with %d", len(records), messages, c.records, c.messages)
			}
			if size != len(text) {
				t.Errorf("the records' sizes sum to %d, the file has %d bytes", size, len(text))
			}
		})
	}
}

func TestTreeIsReadWhole(t *testing.T) {
	file, err := os.Open("testdata/tree.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	records, _ := read(t, file)
	record := records[0]
	if got := *record.Tree.State; got != "growing" {
		t.Errorf("state %q", got)
	}
	if got := *record.Tree.Origin; got != "handmade" {
		t.Errorf("origin %q", got)
	}
	root := record.Messages[0]
	if got := root.CreatedDate.Format(dateLayout); got != "2023-02-05T12:23:50.922881+00:00" {
		t.Errorf("created_date %s", got)
	}
	if !reflect.DeepEqual(root.Emojis, map[string]int{"+1": 4, "-1": 1, "red_flag": 2, "_skip_reply": 3}) {
		t.Errorf("emojis %v", root.Emojis)
	}
	if spam := root.Labels["spam"]; spam.Count != 3 || *spam.Value != 1.0/3 {
		t.Errorf("spam %v", spam)
	}
	if nobody := root.Labels["violence"]; nobody.Count != 0 || nobody.Value != nil {
		t.Errorf("a label that nobody gave is %v", nobody)
	}
	if got := *root.Classifiers[Detoxify]["toxicity"]; got != 0.0005416299100033939 {
		t.Errorf("detoxify.toxicity %v", got)
	}
	if got := *root.Classifiers["other-model"]["anger"]; got != 12.5 {
		t.Errorf("other-model.anger %v", got)
	}
	if got := string(root.Events); got != `{"emoji":[],  "rating": [1.50]}` {
		t.Errorf("events %s are not word by word", got)
	}
	var depths []int
	for _, m := range record.Messages {
		depths = append(depths, m.Depth)
		if m.Depth > 0 && m.ParentID == nil {
			t.Errorf("%s has no parent", m.MessageID)
		}
	}
	if !reflect.DeepEqual(depths, []int{0, 1, 2, 1}) {
		t.Errorf("depths %v", depths)
	}
}

func TestRowsEqualObjects(t *testing.T) {
	const line = `{"message_id": "00000000-0000-4000-8000-000000000001", "text": "a", "role": "prompter", ` +
		`"emojis": %s, "labels": %s}`
	forms := [][2]string{
		{`{"+1": 2, "-1": 1}`, `{"spam": {"value": 0.5, "count": 2}, "pii": {"value": null, "count": 0}}`},
		{`{"name": ["+1", "-1"], "count": [2, 1]}`, `{"name": ["spam", "pii"], "value": [0.5, null], "count": [2, 0]}`},
		{`{"count": [2.0, 1.0], "name": ["+1", "-1"]}`,
			`{"value": [0.5, null], "count": [2, null], "name": ["spam", "pii"]}`},
		{`[{"name": "+1", "count": 2}, {"count": 1, "name": "-1"}]`,
			`[{"name": "spam", "value": 0.5, "count": 2}, {"name": "pii", "value": null, "count": 0}]`},
	}
	var first Message
	for i, form := range forms {
		record, err := NewParser().Parse(fmt.Appendf(nil, line, form[0], form[1]))
		if err != nil {
			t.Fatalf("%v: %v", form, err)
		}
		if i == 0 {
			first = record.Messages[0]
		} else if !reflect.DeepEqual(first, record.Messages[0]) {
			t.Errorf("%v is read as %+v", form, record.Messages[0])
		}
	}
}

// TestNoRecordIsNotAnEmptyOne: a troll score tells them apart.
func TestNoRecordIsNotAnEmptyOne(t *testing.T) {
	for value, known := range map[string]bool{
		"null": false, "{}": true, "[]": true, `{"name": [], "count": []}`: true, `{"name": null, "count": null}`: false,
		`{"name": 3}`: true,
	} {
		line := `{"message_id": "00000000-0000-4000-8000-000000000001", "text": "", "role": "prompter", "emojis": ` + value +
			`}`
		record, err := NewParser().Parse([]byte(line))
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		if got := record.Messages[0].Emojis != nil; got != known {
			t.Errorf("%s is a record: %v, want %v", value, got, known)
		}
	}
}

// TestAppendReadsBack: a record that is written and read is the same.
func TestAppendReadsBack(t *testing.T) {
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatal("no files in testdata", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		checkAppend(t, bytes.NewReader(text))
	}
}

func checkAppend(t *testing.T, text io.Reader) {
	t.Helper()
	records, _ := read(t, text)
	for _, record := range records {
		line := record.Append(nil)
		if !json.Valid(line) {
			t.Fatalf("not JSON: %s", line)
		}
		again, err := NewParser().Parse(line)
		if err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		again.Tree.ID = record.Tree.ID
		again.File, again.Line, again.Size = record.File, record.Line, record.Size
		if !reflect.DeepEqual(record, again) {
			t.Errorf("read back differently:\n%+v\n%+v", record, again)
		}
	}
}

// TestRealFiles reads the public data, every shape of it.
func TestRealFiles(t *testing.T) {
	dir := filepath.Join(corpora(t), "oasst")
	for name, want := range map[string][2]int{
		"oasst2-sample.trees.jsonl":   {551, 1552},
		"shape-rows.jsonl":            {60, 60},
		"shape-sparse.trees.jsonl":    {5, 50},
		"shape-bare.messages.jsonl":   {5, 50},
		"open-assistant-openapi.json": {0, 0},
	} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		records, faults := read(t, bytes.NewReader(text))
		messages := 0
		for _, record := range records {
			messages += len(record.Messages)
		}
		if len(records) != want[0] || messages != want[1] || (len(faults) > 0) != (want[0] == 0) {
			t.Errorf("%s: %d records, %d messages, %d faults %v", name, len(records), messages, len(faults), faults)
		}
		checkAppend(t, bytes.NewReader(text))
	}
}

// TestAppendWritesTheSameBytes: the files of the data set come out as they went in.
func TestAppendWritesTheSameBytes(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(corpora(t), "oasst", "oasst2-sample.trees.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	records, _ := read(t, bytes.NewReader(text))
	for i, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		if got := records[i].Append(nil); !bytes.Equal(got, line) {
			t.Fatalf("line %d:\n%.600s\nbecame\n%.600s", i+1, line, got)
		}
	}
}

func TestGzip(t *testing.T) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	text, err := os.ReadFile("testdata/tree.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	zip.Write(bytes.Repeat(text, 2000))
	zip.Close()
	records, faults := read(t, bytes.NewReader(packed.Bytes()))
	if len(records) != 4000 || len(faults) > 0 {
		t.Errorf("%d records, %v", len(records), faults)
	}

	cut := packed.Bytes()[:packed.Len()/2]
	records, faults = read(t, bytes.NewReader(cut))
	if len(records) == 0 || len(faults) != 1 || faults[0].Code != Unreadable {
		t.Errorf("a cut file gave %d records and %v; want some and one fault %q", len(records), faults, Unreadable)
	}
}

func TestLines(t *testing.T) {
	const good = `{"message_id": "00000000-0000-4000-8000-000000000001", "text": "a", "role": "prompter"}`
	for _, c := range []struct {
		name, text      string
		records, faults int
	}{
		{"nothing", "", 0, 0},
		{"no end", good, 1, 0},
		{"Windows", "\xef\xbb\xbf" + good + "\r\n" + good + "\r\n", 2, 0},
		{"empty lines", "\n\n" + good + "\n\r\n\n", 1, 0},
		{"a line of spaces is not JSON", " \n" + good, 1, 1},
		{"a byte order mark alone is not JSON", "\xef\xbb\xbf", 0, 1},
		{"a cut last line", good + "\n" + good[:40], 1, 1},
		{"UTF-16", "\xff\xfe{\x00}\x00\n\x00", 0, 2},
	} {
		records, faults := read(t, strings.NewReader(c.text))
		if len(records) != c.records || len(faults) != c.faults {
			t.Errorf("%s: %d records and faults %v, want %d and %d", c.name, len(records), faults, c.records, c.faults)
		}
	}
}

// TestLongLine: a line beyond the bound is named and passed over.
func TestLongLine(t *testing.T) {
	const good = `{"message_id": "00000000-0000-4000-8000-000000000001", "text": "a", "role": "prompter"}`
	text := io.MultiReader(strings.NewReader(good+"\n"), io.LimitReader(endless('x'), MaxLine+1),
		strings.NewReader("\n"+good+"\n"))
	records, faults := read(t, text)
	if len(records) != 2 || len(faults) != 1 || faults[0].Code != TooLong || faults[0].Line != 2 || records[1].Line != 3 {
		t.Errorf("%d records, faults %v", len(records), faults)
	}
	_, faults = read(t, io.LimitReader(endless('x'), MaxLine+1))
	if len(faults) != 1 || faults[0].Code != TooLong {
		t.Errorf("at the end of the file: faults %v", faults)
	}
}

type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func TestIgnoredKeysAreCounted(t *testing.T) {
	const line = `{"message_tree_id": "00000000-0000-4000-8000-000000000001", "colour": 1, "lang": "en", "prompt":
		{"message_id": "00000000-0000-4000-8000-000000000001", "text": "a", "role": "prompter",
		"colour": [{"deep": 1}], "depth": 0}}`
	r := NewReader(strings.NewReader(strings.ReplaceAll(line, "\n", "")+"\n"), "")
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if want := map[string]int{"colour": 2, "lang": 1}; !reflect.DeepEqual(r.Ignored(), want) {
		t.Errorf("ignored %v, want %v", r.Ignored(), want)
	}
}
