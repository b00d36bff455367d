package admin

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	csvType = "text/csv; charset=utf-8"
	// byteOrderMark at the beginning of a file tells Excel that it is UTF-8.
	byteOrderMark = "\uFEFF"
)

// writeCSV writes rows as CSV (RFC 4180). A cell that a spreadsheet would read as a
// formula gets an apostrophe at its beginning, so that no contributor's text runs on
// a moderator's machine.
func writeCSV(out io.Writer, rows [][]string) error {
	w := csv.NewWriter(out)
	w.UseCRLF = true
	for _, row := range rows {
		safe := make([]string, len(row))
		for i, cell := range row {
			safe[i] = defuse(cell)
		}
		if err := w.Write(safe); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
	}
	w.Flush()
	return w.Error()
}

// formulaSigns are those with which a formula begins, in spreadsheets of any
// language: also in their full-width and small forms.
const formulaSigns = "=+-@＝＋－＠﹦﹢﹣﹫−"

// defuse marks a cell that a spreadsheet would read as a formula. It reads past what
// a spreadsheet does not show: white space, control and format characters. A tab or
// a line break at the beginning is marked too: some programs begin a new cell there.
func defuse(cell string) string {
	shown := strings.TrimLeftFunc(cell, func(r rune) bool { return unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf) })
	sign, _ := utf8.DecodeRuneInString(shown)
	formula := strings.ContainsRune(formulaSigns, sign) && !isFigure(cell)
	if formula || strings.HasPrefix(cell, "\t") || strings.HasPrefix(cell, "\r") || strings.HasPrefix(cell, "\n") {
		return "'" + cell
	}
	return cell
}
