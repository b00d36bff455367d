package corpus

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// idWord is a part of a row between separators, by its place in the row.
type idWord struct {
	start, end int
	kind       wordKind
	id         uuid.UUID
}

type wordKind int

const (
	plainWord wordKind = iota
	goodID
	brokenID // a word that was meant to be an id
)

// idWords returns the words of a row, without those of punctuation only and without
// a number before the others ("1. ID").
func idWords(row string) []idWord {
	var words []idWord
	for at := 0; at < len(row); {
		end, next := wordEnd(row, at)
		if word := row[at:end]; trimMarks(word) != "" {
			kind, id := wordOf(word)
			words = append(words, idWord{start: at, end: end, kind: kind, id: id})
		}
		at = next
	}
	if len(words) > 1 && numbering.MatchString(row[words[0].start:words[0].end]) {
		return words[1:]
	}
	return words
}

// wordEnd returns the end of the word at a position, and what follows the separator.
func wordEnd(row string, at int) (end, next int) {
	for i, r := range row[at:] {
		if isBetweenWords(r) {
			return at + i, at + i + utf8.RuneLen(r)
		}
	}
	return len(row), len(row)
}

var numbering = regexp.MustCompile(`^[0-9]{1,7}[.)]$`)

func allIDs(words []idWord) bool {
	for _, w := range words {
		if w.kind == plainWord {
			return false
		}
	}
	return true
}

func anyID(words []idWord) bool {
	for _, w := range words {
		if w.kind != plainWord {
			return true
		}
	}
	return false
}

func startsWithID(words []idWord) bool { return len(words) > 0 && words[0].kind != plainWord }

// hidesID reports whether a cell of several lines holds an id. Then its quotes were
// probably not meant to go over the lines, and the cell is no note to be kept.
func hidesID(cells []string) bool {
	for _, cell := range cells {
		if strings.Contains(cell, "\n") && anyID(idWords(cell)) {
			return true
		}
	}
	return false
}

// whyNoItem says why a row does not start with an id.
func whyNoItem(row string, words []idWord) string {
	for _, w := range words {
		switch w.kind {
		case goodID:
			return whyBefore
		case brokenID:
			return whyNoID(row[w.start:w.end])
		}
	}
	if len(words) == 1 {
		return whyNoID(row[words[0].start:words[0].end])
	}
	return whyWord
}

func isComment(row string) bool {
	return strings.HasPrefix(strings.TrimLeftFunc(row, isBlank), "#")
}

func skipBlanks(text string, at int) int {
	for at < len(text) && text[at] == ' ' {
		at++
	}
	return at
}

// isInvisible reports whether a character takes no room: a soft hyphen, a zero-width
// space, a mark of direction.
func isInvisible(r rune) bool { return r >= 0x80 && unicode.Is(unicode.Cf, r) }

func isBlank(r rune) bool { return unicode.IsSpace(r) || isInvisible(r) }

func isBetweenWords(r rune) bool {
	if r < 0x80 {
		return asciiMarks[r] == betweenWords
	}
	return unicode.IsSpace(r)
}

// asciiMarks holds the ASCII characters that are no part of an id, by where they
// may stand: this is asked for each character of a list.
var asciiMarks = func() (marks [0x80]byte) {
	for _, set := range []struct {
		where byte
		chars string
	}{{betweenWords, " \t\n\v\f\r" + separators}, {beforeNote, "-:"}, {aroundID, "\"'`[](){}<>=*."}} {
		for _, c := range []byte(set.chars) {
			marks[c] = set.where
		}
	}
	return marks
}()

const (
	betweenWords = iota + 1
	beforeNote
	aroundID
)

// isNoteMark reports whether a character between an id and its note belongs to
// neither.
func isNoteMark(r rune) bool {
	if r < 0x80 {
		return asciiMarks[r] == betweenWords || asciiMarks[r] == beforeNote
	}
	return unicode.IsSpace(r) || isInvisible(r) || unicode.Is(unicode.Pd, r)
}

// trimMarks removes what stands around an id: quotes, brackets, dashes, bullets, the
// = of Excel's ="ID", punctuation and invisible characters.
func trimMarks(word string) string {
	return strings.TrimFunc(word, func(r rune) bool {
		if r < 0x80 {
			return asciiMarks[r] != 0
		}
		return isNoteMark(r) || unicode.In(r, unicode.Pi, unicode.Pf, unicode.Ps, unicode.Pe) || r == '•'
	})
}

// wordOf reads a word as an id.
func wordOf(word string) (wordKind, uuid.UUID) {
	s := trimMarks(word)
	if id, ok := ParseID(s); ok && id != uuid.Nil {
		return goodID, id
	} else if ok || looksLikeID(word, s) {
		return brokenID, uuid.Nil
	}
	return plainWord, uuid.Nil
}

// ParseID reads the id of a message in any spelling that ParseUUID reads, or in the
// address of a message.
func ParseID(s string) (uuid.UUID, bool) {
	if strings.IndexByte(s, '/') >= 0 {
		id, why := addressID(s)
		return id, why == ""
	}
	return ParseUUID(s)
}

// ParseUUID reads an id in any usual spelling: in upper case, in braces, without
// dashes, with urn:uuid: before it.
func ParseUUID(s string) (uuid.UUID, bool) {
	if len(s) > 2 && s[0] == '{' && s[len(s)-1] == '}' {
		s = s[1 : len(s)-1]
	}
	const urn = "urn:uuid:"
	if len(s) > len(urn) && strings.EqualFold(s[:len(urn)], urn) {
		s = s[len(urn):]
	}
	if len(s) != 36 && len(s) != 32 { // uuid.Parse reads other lengths, with any character as a brace
		return uuid.Nil, false
	}
	id, err := uuid.Parse(s)
	return id, err == nil
}

const uuidPattern = `(?i:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32})`

var (
	idInWord    = regexp.MustCompile(uuidPattern)
	idInAddress = regexp.MustCompile(`\b` + uuidPattern + `\b`)
	// idAsNumber is an id of digits, perhaps with one e, as a spreadsheet writes it; the
	// part before a decimal comma is a word of its own.
	idAsNumber = regexp.MustCompile(`^[0-9]+([.][0-9]+)?[eE][+][0-9]{2,3}$`)
)

// addressID reads the address of a message: /messages/ID, or a page with #m-ID.
func addressID(s string) (id uuid.UUID, why string) {
	page, fragment, _ := strings.Cut(s, "#")
	if strings.HasPrefix(fragment, "m-") && idInAddress.MatchString(fragment) {
		return uuid.MustParse(idInAddress.FindString(fragment)), ""
	}
	path, query, _ := strings.Cut(page, "?")
	for _, part := range []string{path, query} {
		found := idInAddress.FindAllStringIndex(part, 2)
		switch {
		case len(found) == 0:
			continue
		case len(found) > 1:
			return uuid.Nil, "The address holds several ids. Give the id of the message alone."
		}
		before := part[:found[0][0]]
		switch {
		case strings.HasSuffix(before, "/users/"):
			return uuid.Nil, "This is the address of a user. Give the address or the id of a message."
		case !strings.HasSuffix(before, "/") && !strings.HasSuffix(before, "="):
			return uuid.Nil, whyGrown
		}
		return uuid.MustParse(part[found[0][0]:found[0][1]]), ""
	}
	return uuid.Nil, "The address holds no id. Give the id of the message alone."
}

// looksLikeID reports whether a word that is no id was meant to be one, and is not a
// word of a note. s is the word without marks.
func looksLikeID(word, s string) bool {
	if len(s) < 4 {
		return false
	}
	digits, hex, others := countDigits(s)
	switch {
	case digits == 0:
		return false
	case isShortened(word):
		return hex >= 6 && others*8 <= hex
	case len(s) > 32 && idInWord.MatchString(s) || idAsNumber.MatchString(s):
		return true
	}
	return hex >= 16 && others*8 <= hex
}

// countDigits counts the decimal and hexadecimal digits of a word and its other
// characters, save dashes, invisible ones and those of an ellipsis.
func countDigits(s string) (digits, hex, others int) {
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits++
			hex++
		case r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F':
			hex++
		case r != '-' && r != '.' && r != '…' && !isInvisible(r):
			others++
		}
	}
	return digits, hex, others
}

func isShortened(word string) bool {
	return strings.Contains(word, "…") || strings.Contains(word, "...")
}

// Reasons that several kinds of words have.
const (
	whyWord  = "This is no id. An id reads like 0f3a7b1c-5d2e-4f60-8a9b-0c1d2e3f4a5b."
	whyGrown = "The id is joined to other characters. Put a space or a comma between them."
)

// whyNoID says what is wrong with a word that is no id, and what to do.
func whyNoID(word string) string {
	s := trimMarks(word)
	id, ok := ParseID(s)
	_, hex, others := countDigits(s)
	onlyHex := others == 0
	switch {
	case ok && id == uuid.Nil:
		return "This is the nil id, which names no message. Remove it."
	case strings.Contains(s, "://") || strings.Contains(s, "/") && looksLikeID(word, s):
		_, why := addressID(s)
		return why
	case idAsNumber.MatchString(s):
		return "A spreadsheet has made a number of the id. Format the column as text and paste the id again."
	case isShortened(word):
		return "The id is shortened. Copy the whole id."
	case onlyHex && hex == 64:
		return "Two ids without a separator: " + splitHint(s)
	case onlyHex && hex > 64 && hex%32 == 0:
		return "Several ids without a separator: " + splitHint(s)
	case strings.IndexFunc(s, isInvisible) >= 0 && looksLikeID(word, s):
		return "An invisible character stands inside the id. Copy the id from where it is shown."
	case !onlyHex && idInWord.MatchString(s):
		return whyGrown
	case onlyHex && hex >= 8 && hex < 32:
		return fmt.Sprintf("The id is cut short: it has %d of 32 digits. Copy the whole id.", hex)
	case onlyHex && hex > 32:
		return fmt.Sprintf("The id is too long: it has %d digits, and an id has 32. Copy the id again.", hex)
	case onlyHex && hex == 32:
		return "The dashes of the id are not in their places. Copy the id again."
	case looksLikeID(word, s):
		return whyLetter(s)
	}
	return whyWord
}

// splitHint says where ids that are joined are to be separated.
func splitHint(s string) string {
	digits := strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || isInvisible(r) {
			return -1
		}
		return r
	}, s)
	return fmt.Sprintf("put a comma or a line break after %s.", uuid.MustParse(digits[:32]))
}

// whyLetter names the first character of an id that cannot stand in one.
func whyLetter(s string) string {
	for _, r := range s {
		_, _, other := countDigits(string(r))
		switch {
		case r == 'o' || r == 'O':
			return fmt.Sprintf("The id holds the letter %c. Write the digit 0 if that is meant.", r)
		case r == 'l' || r == 'L' || r == 'i' || r == 'I':
			return fmt.Sprintf("The id holds the letter %c. Write the digit 1 if that is meant.", r)
		case unicode.Is(unicode.Pd, r) && r != '-':
			return "The dashes of the id are typographic ones. Write plain hyphens (-)."
		case other > 0:
			return fmt.Sprintf("The id holds %q, but an id has only the digits 0 to 9 and a to f. Copy it again.", r)
		}
	}
	return whyWord
}
