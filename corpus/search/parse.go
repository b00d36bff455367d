package search

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"treewarden/scoring/rule"
)

// The limits of a query line.
const (
	MaxLength  = 2_000 // characters
	MaxParts   = 100   // words, phrases, expressions and filters: each is looked for in each text
	MaxRegexes = 10    // they are slower than words
)

// SyntaxError says what is wrong with a query line, and where.
type SyntaxError struct {
	Start, End int    // byte offsets into the line, at characters
	Why        string // a sentence for people, with what to do
}

func (e *SyntaxError) Error() string { return e.Why }

// Parse reads a query line. Its error is a *SyntaxError.
func Parse(line string) (Query, error) {
	p := &parser{line: line}
	if err := p.parse(); err != nil {
		return Query{}, err
	}
	return p.query, nil
}

type parser struct {
	line    string
	at      int // where to read on
	query   Query
	parts   int // with filters
	regexes int
	names   bool // whether the line finds names: see [Names]
	// last is what stands before: an OR takes the part before it as a side.
	last   item
	orFrom int // the place of the last OR
}

// item is what was read last.
type item uint8

const (
	none item = iota
	aPart
	aFilter
	anOr
)

func (p *parser) wrong(start, end int, format string, args ...any) error {
	return &SyntaxError{Start: start, End: end, Why: fmt.Sprintf(format, args...)}
}

func (p *parser) parse() error {
	if err := p.check(); err != nil {
		return err
	}
	for p.skip(); p.at < len(p.line); p.skip() {
		if err := p.item(); err != nil {
			return err
		}
	}
	if p.last == anOr {
		return p.wrong(p.orFrom, p.orFrom+len(or), "OR has nothing after it: add a word, or write %q for the word OR.", or)
	}
	return nil
}

const or = "OR"

// check returns an error if the line has broken characters, or too many.
func (p *parser) check() error {
	read := 0
	for i, r := range p.line {
		if _, n := utf8.DecodeRuneInString(p.line[i:]); r == utf8.RuneError && n == 1 {
			return p.wrong(i, i+1, "The query has a broken character here: type it again.")
		}
		if read++; read > MaxLength {
			return p.wrong(i, len(p.line), "The query is too long: %d characters are the most.", MaxLength)
		}
	}
	return nil
}

// skip skips spaces, and invisible characters that were pasted with a line.
func (p *parser) skip() {
	unseen := func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }
	rest := strings.TrimLeftFunc(p.line[p.at:], unseen)
	p.at = len(p.line) - len(rest)
}

// raw returns what follows, up to the next space.
func (p *parser) raw() string {
	rest := p.line[p.at:]
	if end := strings.IndexFunc(rest, unicode.IsSpace); end >= 0 {
		return rest[:end]
	}
	return rest
}

// item reads one condition or OR.
func (p *parser) item() error {
	start, not := p.at, false
	if raw := p.raw(); p.names && isSigns(raw) {
		p.at += len(raw)
		return p.add(Part{Text: raw, Start: start, End: p.at})
	}
	if p.line[p.at] == '-' {
		not = true
		p.at++
		switch raw := p.raw(); {
		case raw == "":
			return p.wrong(start, p.at, "A minus stands alone: put it right before what must not be found, as in -word.")
		case raw[0] == '-':
			return p.wrong(start, p.at+1, `Only one minus can stand before a word: put quotes around a text such as "--help".`)
		}
	} else if p.raw() == or {
		return p.or()
	}
	part := Part{Not: not, Start: start}
	var err error
	switch first, _ := utf8.DecodeRuneInString(p.line[p.at:]); {
	case isQuote(first):
		part.Kind = Phrase
		part.Text, err = p.quoted()
	case first == '/':
		part.Kind = Regex
		part.Text, err = p.slashed()
	default:
		isFilter, err := p.filter(start, not)
		switch {
		case isFilter && p.names:
			end := p.at
			if fault := (*SyntaxError)(nil); errors.As(err, &fault) {
				end = fault.End // of a value whose quote is not closed, too
			}
			return p.wrong(start, end, "Names have no filters: put quotes around %s to look for this text.",
				shown(p.line[start:end]))
		case isFilter:
			return err
		}
		part.Text = p.raw()
		p.at += len(part.Text)
	}
	if err != nil {
		return err
	}
	part.End = p.at
	return p.add(part)
}

func (p *parser) or() error {
	start, end := p.at, p.at+len(or)
	switch p.last {
	case none, anOr:
		return p.wrong(start, end, "OR has nothing before it: add a word, or write %q for the word OR.", or)
	case aFilter:
		return p.wrong(start, end, "OR stands between words, phrases and expressions: filters must all hold.")
	}
	p.at, p.orFrom, p.last = end, start, anOr
	return nil
}

// count counts one more part or filter.
func (p *parser) count(start int) error {
	if p.parts++; p.parts > MaxParts {
		return p.wrong(start, p.at, "The query has more than %d words, phrases, expressions and filters: "+
			"leave some out, or put quotes around words that follow each other.", MaxParts)
	}
	return nil
}

// add makes a part ready, and adds it to the query.
func (p *parser) add(part Part) error {
	if err := p.count(part.Start); err != nil {
		return err
	}
	if part.Kind == Regex {
		if p.regexes++; p.regexes > MaxRegexes {
			return p.wrong(part.Start, part.End, "The query has more than %d expressions: leave some out.", MaxRegexes)
		}
		var err error
		if part.regex, err = rule.CompileRegex("(?i)", part.Text); err != nil {
			var fault *rule.Error
			if !errors.As(err, &fault) {
				return err
			}
			return p.wrong(part.Start, part.End, "The regular expression cannot be used: %s.", fault.Why)
		}
	} else if part.prepare(p.names); part.pattern == nil && part.name == nil {
		return p.wrong(part.Start, part.End, "%s has no letter, digit or emoji: leave it out, or search for signs "+
			"with an expression, as in /\\?!/%s.", shown(p.line[part.Start:part.End]), hint(part.Text))
	}
	if last := len(p.query.Groups) - 1; p.last == anOr {
		p.query.Groups[last] = append(p.query.Groups[last], part)
	} else {
		p.query.Groups = append(p.query.Groups, []Part{part})
	}
	p.last = aPart
	return nil
}

// prepare makes a word or phrase ready to be found in texts or in names. A part that
// cannot be found gets no pattern.
func (p *Part) prepare(inNames bool) {
	p.pattern = newPattern(p.Kind, p.Text)
	if inNames {
		p.name = newNamePattern(*p)
	}
}

// hint tells people who put spaces around the sign of a filter what to do.
func hint(text string) string {
	if strings.Trim(text, "<>=:") == "" {
		return "; a filter such as spam>0.5 has no space inside"
	}
	return ""
}

// shown returns a piece of the line to be shown in a sentence.
func shown(piece string) string {
	const most = 40 // characters
	if runes := []rune(piece); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return piece
}

func isQuote(r rune) bool { return r == '"' || r == '“' || r == '”' || r == '„' }

// quoted reads a text in quotes. Typographic ones, as phones write them, are ended
// by any quote.
func (p *parser) quoted() (string, error) {
	start := p.at
	first, n := utf8.DecodeRuneInString(p.line[start:])
	var text strings.Builder
	for i := start + n; i < len(p.line); i += n {
		var r rune
		r, n = utf8.DecodeRuneInString(p.line[i:])
		if r == '\\' && i+1 < len(p.line) && (p.line[i+1] == '"' || p.line[i+1] == '\\') {
			text.WriteByte(p.line[i+1])
			n = 2
			continue
		}
		if r == '"' || first != '"' && isQuote(r) {
			p.at = i + n
			return text.String(), p.spaceAfter("the closing quote", `write \" for a quote inside quotes`)
		}
		text.WriteRune(r)
	}
	return "", p.wrong(start, len(p.line), `The quote is not closed: add a " at the end of the phrase.`)
}

// slashed reads a regular expression.
func (p *parser) slashed() (string, error) {
	start := p.at
	var text strings.Builder
	for i := start + 1; i < len(p.line); i++ {
		switch c := p.line[i]; {
		case c == '\\' && i+1 < len(p.line):
			if i++; p.line[i] != '/' {
				text.WriteByte(c)
			}
			text.WriteByte(p.line[i])
		case c != '/':
			text.WriteByte(c)
		case text.Len() == 0:
			return "", p.wrong(start, i+1, `The expression between the slashes is empty: write it there, or put quotes around `+
				`a text that starts with slashes.`)
		default:
			p.at = i + 1
			return text.String(), p.spaceAfter("the closing slash", `write \/ for a slash inside an expression, and put `+
				`quotes around a path such as "/home/me"`)
		}
	}
	return "", p.wrong(start, len(p.line), "The expression is not closed: add a / at its end, or put quotes around "+
		"a text that starts with a slash.")
}

// spaceAfter returns an error unless a space follows, or nothing.
func (p *parser) spaceAfter(what, advice string) error {
	if raw := p.raw(); raw != "" {
		return p.wrong(p.at, p.at+len(raw), "A space must stand after %s: add one, or %s.", what, advice)
	}
	return nil
}

// filter reads a filter. It reports false, and reads nothing, where there is none.
func (p *parser) filter(start int, not bool) (is bool, err error) {
	raw := p.raw()
	i := strings.IndexAny(raw, ":<>")
	if i < 0 {
		return false, nil
	}
	f := Filter{Name: raw[:i], Op: raw[i : i+1], Not: not, Start: start}
	if f.Op == ":" {
		f.Name = strings.ToLower(f.Name)
		is = slices.Contains(filters, f.Name)
	} else {
		is = isName(f.Name)
		if strings.HasPrefix(raw[i+1:], "=") {
			f.Op += "="
		}
	}
	if !is {
		return false, nil
	}
	p.at += i + len(f.Op)
	if first, _ := utf8.DecodeRuneInString(p.line[p.at:]); p.at < len(p.line) && isQuote(first) {
		f.Value, err = p.quoted()
	} else {
		f.Value = p.raw()
		p.at += len(f.Value)
	}
	f.End = p.at
	switch {
	case err != nil:
		return true, err
	case f.Op != ":" && !isNumber(f.Value):
		return true, p.wrong(start, f.End, "After %s%s must stand a number, such as 0.5, without a space: "+
			"to search for the text, put quotes around it.", shown(f.Name), f.Op)
	case f.Value == "":
		return true, p.wrong(start, f.End, "The filter %s: has no value: write one after the colon, without a space.", f.Name)
	case p.last == anOr:
		return true, p.wrong(p.orFrom, f.End, "OR stands between words, phrases and expressions: filters must all hold.")
	}
	if err := p.count(start); err != nil {
		return true, err
	}
	p.query.Filters, p.last = append(p.query.Filters, f), aFilter
	return true, nil
}

// isName reports whether a text can be the name of a label or of a classifier's
// output, such as detoxify.insult.
func isName(s string) bool {
	letter := func(r rune) bool { return r == '_' || unicode.In(r, unicode.L, unicode.N, unicode.M) }
	first, _ := utf8.DecodeRuneInString(s)
	last, _ := utf8.DecodeLastRuneInString(s)
	return s != "" && letter(first) && letter(last) &&
		strings.IndexFunc(s, func(r rune) bool { return !letter(r) && !strings.ContainsRune("./-", r) }) < 0
}

// isNumber reports whether a text is a decimal number.
func isNumber(s string) bool {
	digits, points := 0, 0
	for i, c := range []byte(s) {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c == '.':
			points++
		case i > 0 || c != '-' && c != '+':
			return false
		}
	}
	return digits > 0 && points <= 1
}
