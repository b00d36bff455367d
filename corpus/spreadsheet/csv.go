// Package spreadsheet writes CSV files whose cells no spreadsheet runs.
package spreadsheet

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ByteOrderMark at the beginning of a file tells Excel that it is UTF-8.
const ByteOrderMark = "\uFEFF"

// LineBreaks chooses the ends of rows, and what becomes of line breaks in cells.
type LineBreaks bool

const (
	// CRLF ends rows with a carriage return and a line feed (RFC 4180), and makes each
	// line feed in a cell one too.
	CRLF LineBreaks = true
	// AsTheyAre leaves the line breaks in cells as they are, and ends rows with a line feed.
	AsTheyAre LineBreaks = false
)

// Writer writes rows as CSV, with Defuse on every cell.
type Writer struct {
	csv  *csv.Writer
	safe []string
}

// NewWriter returns a writer to out. What it wrote is complete after Flush.
func NewWriter(out io.Writer, breaks LineBreaks) *Writer {
	w := csv.NewWriter(out)
	w.UseCRLF = breaks == CRLF
	return &Writer{csv: w}
}

// Write writes a row.
func (w *Writer) Write(row []string) error {
	w.safe = w.safe[:0]
	for _, cell := range row {
		w.safe = append(w.safe, Defuse(cell))
	}
	if err := w.csv.Write(w.safe); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// Flush writes what is still in memory. It returns the error of an earlier write.
func (w *Writer) Flush() error {
	w.csv.Flush()
	if err := w.csv.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// Write writes rows as CSV (RFC 4180).
func Write(out io.Writer, rows [][]string) error {
	w := NewWriter(out, CRLF)
	for _, row := range rows {
		if err := w.Write(row); err != nil {
			return err
		}
	}
	return w.Flush()
}

// formulaSigns are those with which a formula begins, in spreadsheets of any
// language: also in their full-width and small forms.
const formulaSigns = "=+-@＝＋－＠﹦﹢﹣﹫−"

// Defuse puts an apostrophe before a cell that a spreadsheet would read as a formula,
// so that no contributor's text runs on a reader's machine. It reads past what a
// spreadsheet does not show: white space, control and format characters. A tab or a
// line break at the beginning is marked too: some programs begin a new cell there.
func Defuse(cell string) string {
	shown := strings.TrimLeftFunc(cell, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf)
	})
	sign, _ := utf8.DecodeRuneInString(shown)
	formula := strings.ContainsRune(formulaSigns, sign) && !isFigure(cell)
	if formula || strings.HasPrefix(cell, "\t") || strings.HasPrefix(cell, "\r") || strings.HasPrefix(cell, "\n") {
		return "'" + cell
	}
	return cell
}

// isFigure reports whether a text is a plain number.
func isFigure(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}
