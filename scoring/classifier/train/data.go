package main

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// row is a labelled text.
type row struct {
	text  string
	label float64 // 1 is toxic, or spam in a set of spam; a teacher gives values between
	kind  string  // what else the set says: a functional test, a language
	hash  uint64  // of the letters
	block int     // of near-copies
	part  part
}

func open(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil || !strings.HasSuffix(path, ".gz") {
		return f, err
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{z, f}, nil
}

var unescape = strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n")

// readTSV reads lines of a label, categories and a text, after a header line.
func readTSV(path string) ([]row, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	lines.Scan() // the header
	var rows []row
	for lines.Scan() {
		cells := strings.SplitN(lines.Text(), "\t", 3)
		if len(cells) != 3 {
			return nil, fmt.Errorf("line %d has %d columns, not 3", len(rows)+2, len(cells))
		}
		label, err := strconv.ParseFloat(cells[0], 64)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", len(rows)+2, err)
		}
		rows = append(rows, row{text: unescape.Replace(cells[2]), label: label, kind: cells[1]})
	}
	return rows, lines.Err()
}

// csvColumns are the columns of a CSV file that are read, and the label's value
// that is 0, or 1.
type csvColumns struct{ text, label, kind, zero, one string }

// readCSV reads the rows of a file with a header line.
func readCSV(path string, columns csvColumns) ([]row, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cells, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(cells) == 0 {
		return nil, errors.New("the file is empty")
	}
	at := map[string]int{}
	for i, name := range cells[0] {
		at[name] = i
	}
	var rows []row
	for _, cell := range cells[1:] {
		r := row{text: cell[at[columns.text]]}
		if columns.kind != "" {
			r.kind = cell[at[columns.kind]]
		}
		label := cell[at[columns.label]]
		if columns.one != "" && label == columns.one || columns.zero != "" && label != columns.zero {
			r.label = 1
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// oasstMessage is a message with its replies, as far as training needs it.
type oasstMessage struct {
	Text     string
	Lang     string
	Detoxify *struct{ Toxicity float64 }
	Replies  []oasstMessage
}

// readOASST reads the messages that have an output of Detoxify, which is their
// label. The kind is the language.
func readOASST(folder string) ([]row, error) {
	f, err := open(filepath.Join(folder, "oasst", "oasst2-sample.trees.jsonl"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var rows []row
	known := map[string]bool{}
	var add func(m *oasstMessage)
	add = func(m *oasstMessage) {
		if m.Detoxify != nil && !known[m.Text] {
			known[m.Text] = true
			rows = append(rows, row{text: m.Text, label: m.Detoxify.Toxicity, kind: m.Lang})
		}
		for i := range m.Replies {
			add(&m.Replies[i])
		}
	}
	for trees := json.NewDecoder(f); ; {
		var tree struct{ Prompt oasstMessage }
		if err := trees.Decode(&tree); errors.Is(err, io.EOF) {
			return rows, nil
		} else if err != nil {
			return nil, err
		}
		add(&tree.Prompt)
	}
}

// readWords reads the word list of a language: a word or a phrase a line.
func readWords(folder, lang string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(folder, "toxicity", "ldnoobw", lang))
	if err != nil {
		return nil, err
	}
	var words []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			words = append(words, line)
		}
	}
	return words, nil
}
