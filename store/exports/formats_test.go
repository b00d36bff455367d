package exports_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"treewarden/corpus"
	"treewarden/corpus/parquetfile"
	"treewarden/corpus/spreadsheet"
	"treewarden/store"
	"treewarden/store/exports"
	"treewarden/store/storetest"
)

// asLines returns what a file of any format holds as JSON Lines. Rows of Parquet become
// rows as on Hugging Face, which an import reads.
func asLines(t testing.TB, file []byte) []byte {
	t.Helper()
	if bytes.HasPrefix(file, []byte{0x1f, 0x8b}) {
		unzip, err := gzip.NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		if file, err = io.ReadAll(unzip); err != nil {
			t.Fatal(err)
		}
	}
	switch {
	case bytes.HasPrefix(file, []byte("PAR1")):
		var lines bytes.Buffer
		for row, err := range parquetfile.Rows(bytes.NewReader(file), int64(len(file))) {
			if err == nil {
				err = json.NewEncoder(&lines).Encode(row)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return lines.Bytes()
	case bytes.HasPrefix(file, []byte(spreadsheet.ByteOrderMark)):
		return linesOfCSV(t, file)
	}
	return file
}

// cells reads the rows of CSV. Unlike encoding/csv, it leaves all line breaks as they are.
func cells(t testing.TB, file []byte) (rows [][]string) {
	t.Helper()
	text, marked := strings.CutPrefix(string(file), spreadsheet.ByteOrderMark)
	if !marked {
		t.Fatal("the file has no byte order mark")
	}
	row := []string{}
	for text != "" {
		var cell string
		if quoted, is := strings.CutPrefix(text, `"`); is {
			for {
				part, rest, ended := strings.Cut(quoted, `"`)
				if !ended {
					t.Fatalf("a quoted cell has no end: %.100q", quoted)
				}
				cell += part
				if quoted, is = strings.CutPrefix(rest, `"`); !is {
					text = rest
					break
				}
				cell += `"`
			}
		} else {
			end := strings.IndexAny(text, ",\n")
			cell, text = text[:end], text[end:]
		}
		row = append(row, cell)
		if text[0] == '\n' {
			rows, row = append(rows, row), []string{}
		} else if text[0] != ',' {
			t.Fatalf("a cell goes on after its quotes: %.100q", text)
		}
		text = text[1:]
	}
	return rows
}

// linesOfCSV reads CSV as another program does: cells with JSON as they are, true, false
// and figures too, and others as texts, without the apostrophe before a formula.
func linesOfCSV(t testing.TB, file []byte) []byte {
	t.Helper()
	rows := cells(t, file)
	header := rows[0]
	if !slices.Equal(header, corpus.Columns) {
		t.Fatalf("the header is %q", header)
	}
	texts := []string{"message_id", "parent_id", "user_id", "created_date", "text", "role", "lang", "model_name",
		"message_tree_id", "tree_state", "origin"}
	var lines bytes.Buffer
	for _, row := range rows[1:] {
		fields := map[string]json.RawMessage{}
		for i, cell := range row {
			if cell == "" && header[i] != "text" {
				continue
			}
			fields[header[i]] = json.RawMessage(cell)
			if slices.Contains(texts, header[i]) {
				if plain, marked := strings.CutPrefix(cell, "'"); marked && spreadsheet.Defuse(plain) == cell {
					cell = plain
				}
				text, err := json.Marshal(cell)
				if err != nil {
					t.Fatal(err)
				}
				fields[header[i]] = text
			}
		}
		encoder := json.NewEncoder(&lines)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(fields); err != nil {
			t.Fatal(err)
		}
	}
	return lines.Bytes()
}

// hostileTexts are texts of messages that a spreadsheet, a terminal or a reader of CSV
// could take for something else.
var hostileTexts = []string{
	"=cmd|' /C calc'!A0", "@SUM(1)", "+1+1", "-2+3", "\uff1d1+1", "\t=1", "\r\n=1", "\n", "'=1", "'", "a,b;c",
	`say "hello"`, `"`, `""`, "one\ntwo", "one\r\ntwo", "one\rtwo", "\u202edesrever", "\u2028", "\ufeffmarked",
	"\x01\x1b[31m", " spaces ", "\\.", "null", "-12.5", "{\"a\": 1}", "\U0001F333", "",
}

// hostile returns a store with a tree of hostileTexts. Their languages and models are
// hostile too.
func hostile(t *testing.T) *store.Store {
	t.Helper()
	var file bytes.Buffer
	root := id("00")
	for i, text := range hostileTexts {
		line := map[string]any{
			"message_id": id(fmt.Sprintf("%02x", i)), "text": text, "role": "prompter", "lang": "=de", "review_result": true,
			"rank": i, "model_name": "@model,\"x\"", "synthetic": true, "emojis": map[string]int{"=1": 2, "+1": 1},
			"labels": map[string]any{"=spam": map[string]any{"value": nil, "count": 0}},
			"events": map[string]any{"emoji": []string{"=1\n"}},
		}
		if i > 0 {
			line["parent_id"], line["role"] = root, "assistant"
		}
		if i%2 == 0 {
			line["detoxify"] = map[string]float64{"insult": 0.5, "=other": 1e-9}
			line["classifiers"] = map[string]any{"@model": map[string]float64{"=x": 1}}
		}
		if err := json.NewEncoder(&file).Encode(line); err != nil {
			t.Fatal(err)
		}
	}
	s := storetest.New(t)
	if summary := take(t, s, file.Bytes()); summary.Faults() || summary.Messages != int64(len(hostileTexts)) {
		t.Fatalf("%+v", summary)
	}
	return s
}

// TestHostileCells exports hostile texts as each format, and takes them back.
func TestHostileCells(t *testing.T) {
	t.Parallel()
	s := hostile(t)
	nul := []byte(`{"message_id": "ff000000-0000-4000-8000-000000000000", "text": "a\u0000", "role": "prompter"}`)
	if summary := take(t, s, nul); summary.Rejected != 1 {
		t.Errorf("a text with U+0000 was imported, and CSV cannot hold one: %+v", summary)
	}
	for _, format := range exports.Formats {
		file, m := export(t, s, everything(format))
		found := nodes(t, file)
		for i, n := range found {
			// Nothing tells an apostrophe of a text from that before a formula.
			if want := hostileTexts[i]; n.Text != want && (format != exports.CSV || want != "'=1") {
				t.Errorf("in %s, %q is %q", format, want, n.Text)
			}
		}
		if len(found) != len(hostileTexts) {
			t.Errorf("%d messages are in %s", len(found), format)
		}
		if len(m.Languages) != 1 {
			t.Errorf("languages are counted as %v", m.Languages)
		}
		if format != exports.CSV {
			again(t, file, everything(format))
			continue
		}
		for i, row := range cells(t, file) {
			for _, cell := range row {
				if spreadsheet.Defuse(cell) != cell {
					t.Errorf("row %d has the formula %q", i, cell)
				}
			}
		}
	}
}

// TestNotHeld looks for what a format does not hold in the manifest.
func TestNotHeld(t *testing.T) {
	t.Parallel()
	s := hostile(t)
	half, n := len(hostileTexts)/2, len(hostileTexts)
	storetest.Exec(t, s, "UPDATE messages SET edited = true WHERE message_id = $1", id("03"))
	storetest.Exec(t, s, "UPDATE trees SET origin = 'somewhere', max_depth = 3")
	for format, want := range map[string][]string{
		exports.Trees: nil, exports.Messages: nil,
		exports.CSV: {fmt.Sprintf("cells as they are that a spreadsheet would run: an apostrophe stands before them "+
			"(CSV, %d rows)", n)},
		exports.Parquet: {
			fmt.Sprintf("events (Parquet, %d rows)", n),
			fmt.Sprintf("outputs of other classifiers than Detoxify, or other ones of it (Parquet, %d rows)", half),
			"the mark of edited messages (Parquet, 1 row)", "the origin of trees (Parquet, 1 row)",
			"the goals of trees (Parquet, 1 row)",
		},
	} {
		_, m := export(t, s, everything(format))
		if got := m.NotHeld[1:]; !slices.Equal(got, want) { // the first is about users, and of all formats
			t.Errorf("%s does not hold %q, want %q", format, got, want)
		}
	}
	_, m := export(t, s, exports.Filters{Format: exports.Parquet, State: exports.AllStates})
	if !slices.Contains(m.NotHeld, "events, for which Parquet has no column") ||
		slices.ContainsFunc(m.NotHeld, func(what string) bool { return strings.Contains(what, "export_events") }) {
		t.Errorf("Parquet does not hold %q", m.NotHeld)
	}
	storetest.Exec(t, s, "UPDATE messages SET lang = ''")
	_, m = export(t, s, everything(exports.CSV))
	if want := fmt.Sprintf("the difference between an empty text and none, in lang, model_name and origin (CSV, %d rows)",
		n); !slices.Contains(m.NotHeld, want) {
		t.Errorf("CSV does not hold %q", m.NotHeld)
	}
}

// TestDamagedRows changes files of rows after their export.
func TestDamagedRows(t *testing.T) {
	t.Parallel()
	s := small(t)
	for format, another := range map[string]string{exports.CSV: exports.Parquet, exports.Parquet: exports.CSV} {
		file, m := export(t, s, everything(format))
		_, other := export(t, s, everything(another))
		fewer, _ := export(t, s, exports.Filters{Format: format, State: exports.AllStates})
		for name, c := range map[string]struct {
			m     exports.Manifest
			file  []byte
			wants []string
		}{
			"another file": {m, fewer, []string{"SHA-256", "bytes", "lines, the manifest says 18", "trees, the manifest says 5",
				"messages, the manifest says 18", `of role "assistant"`, `of language "en"`}},
			"cut":               {m, file[:len(file)/2], []string{"SHA-256", "bytes", "messages"}},
			"empty":             {m, nil, []string{"SHA-256", "0 bytes", "0 lines", "0 trees", "0 messages"}},
			"of another format": {other, file, []string{"SHA-256", "the file has 0 messages"}},
		} {
			all := strings.Join(c.m.Differences(contentOf(t, c.m, c.file)), "\n")
			for _, want := range c.wants {
				if !strings.Contains(all, want) {
					t.Errorf("%s, %s: %q does not speak of %q", format, name, all, want)
				}
			}
		}
	}
	file, m := export(t, s, everything(exports.CSV))
	for name, c := range map[string]struct{ from, to, want string }{
		"a quote":       {"text of a1", `text "of a1`, "row 4 is no CSV"},
		"a cell more":   {"text of a1", "text,of a1", "row 4: it has 26 cells, not 25"},
		"no id":         {id("a1").String() + ",", "a1,", "row 4: message_id"},
		"a column":      {"message_id,", "id,", "the first row does not name the columns"},
		"no UTF-8":      {"text of a1", "text \xff", "row 4: it is not UTF-8"},
		"a quoted rest": {"text of a1", `"text of a1`, "row 4 is no CSV"},
	} {
		damaged := bytes.Replace(file, []byte(c.from), []byte(c.to), 1)
		if all := strings.Join(m.Differences(contentOf(t, m, damaged)), "\n"); !strings.Contains(all, c.want) {
			t.Errorf("%s: %q does not speak of %q", name, all, c.want)
		}
	}
	m.Gzip = true
	if all := strings.Join(m.Differences(contentOf(t, m, file)), "\n"); !strings.Contains(all, "compressed") {
		t.Errorf("a file that is not compressed: %q", all)
	}
	var bad store.BadParameter
	_, err := access(t, s).Write(ctx, io.Discard, exports.Options{Filters: everything(exports.Parquet), Gzip: true})
	if !errors.As(err, &bad) || bad.Name != "format" {
		t.Errorf("Parquet is compressed twice: %v", err)
	}
}
