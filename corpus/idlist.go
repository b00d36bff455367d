package corpus

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	textunicode "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// The limits of a line in a list of ids, in characters.
const (
	MaxIDNote  = 500 // of a note
	maxIDFault = 200 // of the text in a fault
)

// IDItem is an id that a line names, with the note beside it.
type IDItem struct {
	Line int
	ID   uuid.UUID
	Note string
}

// IDFault is a line, or part of a line, that names no id.
type IDFault struct {
	Line int    `json:"line"`
	Text string `json:"text"`
	Why  string `json:"why"`
}

// TooManyIDsError says that a list has more ids, or more faults, than ReadIDs was
// allowed to read.
type TooManyIDsError struct{ Limit int }

func (e *TooManyIDsError) Error() string {
	return fmt.Sprintf("the list has more than %d ids or faults: divide it and give its parts one after another", e.Limit)
}

// ReadIDs reads a list of ids as people paste it and as spreadsheets save it: ids
// between spaces, commas, semicolons, tabs or line breaks, an id with a note on each
// line, or CSV with or without a row of titles. Text is UTF-8, or UTF-16 with a byte
// order mark. An id may stand in quotes, brackets or the address of a message, and
// in any spelling of a UUID.
//
// Each line is an item, is named as a fault, or holds nothing to read: it is blank,
// a comment that starts with #, punctuation only, the row of titles, or Excel's
// "sep=;". The line of a row with line breaks in quotes is its first. An id that
// occurs twice is returned twice.
//
// With more than limit ids, or more than limit faults, the error is a
// *TooManyIDsError. Other errors are those of r. ReadIDs holds the whole text in
// memory, so the caller limits the size of r.
func ReadIDs(r io.Reader, limit int) (items []IDItem, faults []IDFault, err error) {
	decoded, err := io.ReadAll(transform.NewReader(r, textunicode.BOMOverride(transform.Nop)))
	if err != nil {
		return nil, nil, fmt.Errorf("reading ids: %w", err)
	}
	text := string(decoded)
	if strings.IndexByte(text, '\r') >= 0 {
		text = lineEnds.Replace(text)
	}
	if strings.HasPrefix(text, "PK\x03\x04") || strings.HasPrefix(text, "\xd0\xcf\x11\xe0") {
		return nil, []IDFault{{Line: 1, Text: idFaultText(text), Why: whyWorkbook}}, nil
	}
	l := idList{idColumn: -1, noteColumn: -1}
	text = l.readSeparator(text)
	for text != "" {
		row := l.cutRow(text)
		l.readRow(row)
		if len(l.items) > limit || len(l.faults) > limit {
			return nil, nil, &TooManyIDsError{Limit: limit}
		}
		l.line += 1 + strings.Count(row, "\n")
		text = strings.TrimPrefix(text[len(row):], "\n")
	}
	return l.items, l.faults, nil
}

var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// Reasons of faults that have no values. Those about the spelling of an id are in
// whyNoID.
const (
	whyWorkbook = "This is an Excel workbook. Save it in Excel as “CSV UTF-8” or as text, and give that file."
	whyNUL      = "The line holds a NUL character. Save the file as text in UTF-8."
	whyEncoding = "The line holds characters that are not UTF-8. Save the file in UTF-8, in Excel as “CSV UTF-8”."
	whyTitles   = "The line holds no id, and no column title such as message_id or note."
	whyNoColumn = "The cell of the id is empty. Put the id into the column of ids, or remove the line."
	whyMore     = "The line has more cells than there are titles. Put a note with a separator in it into quotes."
	whyBefore   = "Text stands before the id. Put the id first; what follows it is the note."
	whySeveral  = "The line holds several ids and a text. Put each id on a line of its own."
	whyQuotes   = "Quotes go over several lines with an id between them. Close the quotes on the line that opens them."
)

// idList is the state of ReadIDs.
type idList struct {
	line    int  // of the current row, from 0
	sep     byte // the separator of cells; 0 to find it for each row
	started bool // whether a row has been read that can no longer be followed by titles
	// columns is the number of titles, 0 without titles.
	columns, idColumn, noteColumn int

	items  []IDItem
	faults []IDFault
}

// separators are the characters between cells, the likeliest first: a tab or a
// semicolon is rare in a text, a comma is not.
const separators = "\t;|,"

func (l *idList) isSeparator(c byte) bool {
	if l.sep != 0 {
		return c == l.sep
	}
	return strings.IndexByte(separators, c) >= 0
}

// readSeparator reads a first line "sep=;", which Excel heeds and writes, and
// returns the text after it.
func (l *idList) readSeparator(text string) string {
	first, rest, _ := strings.Cut(text, "\n")
	first = strings.Trim(first, `" `)
	if len(first) != 5 || !strings.EqualFold(first[:4], "sep=") || !l.isSeparator(first[4]) {
		return text
	}
	l.sep = first[4]
	l.line++
	return rest
}

// cutRow returns the row at the start of a text, without its end. It is a line, or
// several where a quoted cell holds line breaks.
func (l *idList) cutRow(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	if strings.IndexByte(line, '"') < 0 || isComment(line) {
		return line
	}
	at := 0
	for { // a cell starts here
		at = skipBlanks(text, at)
		if at < len(text) && text[at] == '"' {
			if _, after, ok := l.quoted(text, at); ok {
				at = after
			}
		}
		for at < len(text) && text[at] != '\n' && !l.isSeparator(text[at]) {
			at++
		}
		if at == len(text) || text[at] == '\n' {
			return text[:at]
		}
		at++
	}
}

// quoted returns where the quoted cell that opens at a position closes, and where
// its separator, line break or the text's end is. It is not ok if something else
// follows the closing quote: such a quote is an ordinary character. All calls for
// a text take linear time, because a call ends at the next odd run of quotes, and
// one on an even run ends within that run.
func (l *idList) quoted(text string, at int) (end, after int, ok bool) {
	for at++; ; at += 2 {
		next := strings.IndexByte(text[at:], '"')
		if next < 0 {
			return 0, 0, false
		}
		at += next
		if at+1 == len(text) || text[at+1] != '"' {
			break
		}
	}
	after = skipBlanks(text, at+1)
	return at, after, after == len(text) || text[after] == '\n' || l.isSeparator(text[after])
}

// cells divides a row at the separator of the list.
func (l *idList) cells(row string) []string {
	var cells []string
	at := 0
	for {
		at = skipBlanks(row, at)
		start := at
		var cell string
		if end, after, ok := l.quotedCell(row, at); ok {
			cell, at = strings.ReplaceAll(row[start+1:end], `""`, `"`), after
		} else {
			for at < len(row) && !(l.sep != 0 && row[at] == l.sep) {
				at++
			}
			cell = row[start:at]
		}
		cells = append(cells, strings.TrimSpace(cell))
		if at == len(row) {
			return cells
		}
		at++
	}
}

// quotedCell is quoted for a row that is known, in which a line break ends no cell.
func (l *idList) quotedCell(row string, at int) (end, after int, ok bool) {
	if at == len(row) || row[at] != '"' {
		return 0, 0, false
	}
	end, after, ok = l.quoted(row, at)
	return end, after, ok && (after == len(row) || l.sep != 0 && row[after] == l.sep)
}

// readRow makes items or faults of a row.
func (l *idList) readRow(row string) {
	if trimMarks(row) == "" || isComment(row) {
		return
	}
	var words []idWord
	if l.columns == 0 {
		words = idWords(row)
	}
	switch {
	case strings.IndexByte(row, 0) >= 0:
		l.fault(l.line, row, whyNUL)
	case strings.ContainsRune(row, utf8.RuneError): // invalid UTF-8 is this too
		l.fault(l.line, row, whyEncoding)
	case l.columns > 0:
		l.readTableRow(row)
	case allIDs(words):
		l.readIDRow(row, words)
	case !l.started && !anyID(words):
		l.readTitles(row)
	default:
		l.readFreeRow(row, words)
	}
	l.started = true
}

// readIDRow reads a row of ids only.
func (l *idList) readIDRow(row string, words []idWord) {
	line, at := l.line, 0
	for _, w := range words {
		line += strings.Count(row[at:w.start], "\n")
		at = w.start
		l.add(line, w, row[w.start:w.end], "")
	}
}

// readTitles reads the first row if it has no id.
func (l *idList) readTitles(row string) {
	known := false
	for _, sep := range []byte(separators) {
		if l.sep != 0 && sep != l.sep {
			continue
		}
		names := (&idList{sep: sep}).cells(row)
		for len(names) > 1 && names[len(names)-1] == "" {
			names = names[:len(names)-1]
		}
		for i, name := range names {
			names[i] = titleMarks.Replace(strings.ToLower(trimMarks(name)))
		}
		id, note := titleColumn(names, idTitles), titleColumn(names, noteTitles)
		known = known || id >= 0 || note >= 0
		if id >= 0 && len(names) > 1 {
			l.sep, l.columns, l.idColumn, l.noteColumn = sep, len(names), id, note
			return
		}
	}
	if !known {
		l.fault(l.line, row, whyTitles)
	}
}

// The titles of columns, the likeliest first: a column message_id is meant where
// there is a column id too.
var (
	idTitles   = []string{"messageid", "messageuuid", "uuid", "id"}
	noteTitles = []string{"note", "notes", "reason", "comment", "comments", "why"}
)

var titleMarks = strings.NewReplacer(" ", "", "_", "", "-", "")

func titleColumn(names, titles []string) int {
	for _, title := range titles {
		if i := slices.Index(names, title); i >= 0 {
			return i
		}
	}
	return -1
}

// readTableRow reads a row below titles.
func (l *idList) readTableRow(row string) {
	cells := l.cells(row)
	for len(cells) <= max(l.idColumn, l.noteColumn) {
		cells = append(cells, "")
	}
	id, note := cells[l.idColumn], ""
	if l.noteColumn >= 0 {
		note = cells[l.noteColumn]
	}
	words := idWords(id)
	switch {
	case hidesID(cells):
		l.fault(l.line, row, whyQuotes)
	case strings.Join(cells[min(l.columns, len(cells)):], "") != "":
		l.fault(l.line, row, whyMore)
	case len(words) == 0:
		l.fault(l.line, row, whyNoColumn)
	case allIDs(words):
		for _, w := range words {
			l.add(l.line, w, id[w.start:w.end], note)
		}
	default:
		l.readNoted(row, id, words, note)
	}
}

// readFreeRow reads a row without titles: an id and its note, or cells of which
// one is an id.
func (l *idList) readFreeRow(row string, words []idWord) {
	one := idList{sep: l.sep}
	if one.sep == 0 {
		one.sep = separatorBeside(row, words)
	}
	cells := one.cells(row)
	if hidesID(cells) {
		l.fault(l.line, row, whyQuotes)
		return
	}
	for i, cell := range cells {
		found := idWords(cell)
		if startsWithID(found) && (i == 0 || len(found) == 1) {
			l.readNoted(row, cell, found, joinNotes(append(cells[:i:i], cells[i+1:]...)...))
			return
		}
	}
	l.fault(l.line, row, whyNoItem(row, words))
}

// separatorBeside returns the separator after the first id of a row or, unless the
// row starts with the id, the one before it. It is 0 if there is none.
func separatorBeside(row string, words []idWord) byte {
	for _, w := range words {
		if w.kind == plainWord {
			continue
		}
		after := strings.TrimLeft(row[w.end:], "\" \u00a0")
		if after != "" && strings.IndexByte(separators, after[0]) >= 0 {
			return after[0]
		}
		before := strings.TrimRight(row[:w.start], "\" \u00a0")
		if before != "" && strings.IndexByte(separators, before[len(before)-1]) >= 0 {
			return before[len(before)-1]
		}
		return 0
	}
	return 0
}

// readNoted reads a cell that starts with an id. What follows the id in the cell,
// and more, are its note.
func (l *idList) readNoted(row, cell string, words []idWord, more string) {
	switch {
	case !startsWithID(words):
		l.fault(l.line, row, whyNoItem(cell, words))
	case words[0].kind == brokenID:
		l.fault(l.line, row, whyNoID(cell[words[0].start:words[0].end]))
	case len(words) > 1 && words[1].kind != plainWord:
		l.fault(l.line, row, whySeveral)
	default:
		note := strings.TrimLeftFunc(cell[words[0].end:], isNoteMark)
		l.add(l.line, words[0], row, joinNotes(note, more))
	}
}

// add takes a word as an item or as a fault, which quotes text.
func (l *idList) add(line int, w idWord, text, note string) {
	switch {
	case w.kind != goodID:
		l.fault(line, text, whyNoID(text))
	case utf8.RuneCountInString(note) > MaxIDNote:
		l.fault(line, text, fmt.Sprintf("The note is longer than %d characters. Shorten it.", MaxIDNote))
	default:
		l.items = append(l.items, IDItem{Line: line + 1, ID: w.id, Note: note})
	}
}

func (l *idList) fault(line int, text, why string) {
	l.faults = append(l.faults, IDFault{Line: line + 1, Text: idFaultText(text), Why: why})
}

// idFaultText returns a text to quote in a fault, on one line.
func idFaultText(text string) string {
	text = printable(strings.Join(strings.Fields(text), " "))
	if utf8.RuneCountInString(text) > maxIDFault {
		text = string([]rune(text)[:maxIDFault-1]) + "…"
	}
	return text
}

// joinNotes joins the parts of a note that hold anything.
func joinNotes(parts ...string) string {
	var note []byte
	for _, part := range parts {
		if part = strings.TrimSpace(part); part != "" && len(note) > 0 {
			note = append(note, ' ')
		}
		note = append(note, part...)
	}
	return string(note)
}
