package exports_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"treewarden/corpus"
	"treewarden/corpus/parquetfile"
	"treewarden/corpus/spreadsheet"
)

// asLines returns what a file of any format holds as JSON Lines. Rows of Parquet become
// rows as on Hugging Face, which an import reads.
func asLines(t testing.TB, file []byte) []byte {
	t.Helper()
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
