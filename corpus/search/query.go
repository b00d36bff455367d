// Package search tells how texts in any language are searched: which terms of a
// text the index holds, how a query line is read, and where a text matches it.
//
// # Texts
//
// Texts and queries are folded as package fold does, so that case, the Unicode
// form, invisible characters and the vowel signs of Arabic and Hebrew do not
// matter, whatever the locale. The diacritics of Latin letters count, as in "año",
// which is not "ano", but for those of i: the four Turkish letters i, I, ı and İ
// are one, because I is the capital of ı as well as of i.
//
// A word of a query is found as a whole word of a text. In scripts without spaces
// and in Korean it is found inside words too, down to one character, and emoji
// are found in a row of them. Punctuation is not searched, but for regular
// expressions.
//
// # Query lines
//
// A query line is a list of conditions, which must all hold:
//
//	word            the word, whole; "don't" and "e-mail" are two words that follow each other
//	"some words"    these words in this order, whatever stands between; \" is a quote
//	/regex/         a regular expression in the syntax of RE2, in any case; (?-i) makes case count, \/ is a slash
//	lang:de         a filter: see [Filter]
//	spam>0.5        a filter by a label or a classifier: >, >=, < or <= and a number
//	-word           a minus before any of these negates it
//	one OR two      one of two or more words, phrases or expressions must hold, not all
//
// OR binds tighter than the space: "a OR b c" is a text with c, and a or b. A line
// of negations alone is allowed, and so is an empty one, which every text matches.
package search

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Query is a query line that was read by [Parse]. A text matches if in each group
// at least one part holds. Match and Needs are only for queries from Parse; one
// that was put together from fields is to be written by String and parsed.
type Query struct {
	Groups  [][]Part
	Filters []Filter // all must hold; Match does not look at them
}

// Kind is the kind of a part of a query.
type Kind uint8

// The kinds of parts.
const (
	Word Kind = iota
	Phrase
	Regex
)

// Part is a condition on the text.
type Part struct {
	Kind Kind
	Text string // without quotes or slashes
	Not  bool   // it must not hold
	// Start and End are its place in the line, in bytes, with the minus.
	Start, End int

	pattern *pattern       // of a word or phrase
	name    *namePattern   // of one that is looked for in names, but for phrases with a word
	regex   *regexp.Regexp // of a regex
}

// Filter is a condition on other things than the text. Parse knows the names, but
// not which values are possible.
type Filter struct {
	Name  string // before ":" one of those of Filters; else of a label or a classifier's output
	Op    string // ":", ">", ">=", "<" or "<="
	Value string // not empty; a number if Op is not ":"
	Not   bool
	// Start and End are its place in the line, in bytes, with the minus.
	Start, End int
}

// Filters lists the names of the filters that have a colon and a value, as in
// lang:de. Any other name before a colon makes a word, as in "https://…".
func Filters() []string { return slices.Clone(filters) }

var filters = []string{
	"classifier", "deleted", "has", "label", "lang", "list", "review", "role", "since", "toxicity", "tree_state",
	"until", "user",
}

// String returns the line of the query in its one spelling: first the text, then
// the filters. Parse reads it as the same query, but for the places.
func (q Query) String() string {
	var items []string
	for _, group := range q.Groups {
		var parts []string
		for _, p := range group {
			parts = append(parts, p.String())
		}
		items = append(items, strings.Join(parts, " OR "))
	}
	for _, f := range q.Filters {
		items = append(items, f.String())
	}
	return strings.Join(items, " ")
}

// String returns the part as a line has it. A word that a line cannot have as
// one, such as "a b" or "OR", becomes a phrase.
func (p Part) String() string {
	minus := sign(p.Not)
	switch p.Kind {
	case Phrase:
		return minus + quote(p.Text)
	case Regex:
		return minus + "/" + escapeSlashes(p.Text) + "/"
	}
	line := minus + p.Text
	if q, err := Parse(line); err != nil || len(q.Groups) != 1 || len(q.Groups[0]) != 1 || len(q.Filters) > 0 ||
		q.Groups[0][0].Kind != Word || q.Groups[0][0].Text != p.Text || q.Groups[0][0].Not != p.Not {
		return minus + quote(p.Text)
	}
	return line
}

// String returns the filter as a line has it.
func (f Filter) String() string {
	value := f.Value
	if value == "" || strings.ContainsFunc(value, unicode.IsSpace) ||
		strings.IndexFunc(value, isQuote) == 0 {
		value = quote(value)
	}
	return sign(f.Not) + f.Name + f.Op + value
}

func sign(not bool) string {
	if not {
		return "-"
	}
	return ""
}

// quote quotes a text. A backslash is doubled only where it would be read as an
// escape, so that no line grows beyond the limit by being spelled anew.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		c := text[i]
		if c == '"' || c == '\\' && (i+1 == len(text) || text[i+1] == '"' || text[i+1] == '\\') {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	b.WriteByte('"')
	return b.String()
}

// escapeSlashes writes \/ for the slashes of an expression.
func escapeSlashes(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern):
			b.WriteString(pattern[i : i+2])
			i++
		case c == '/':
			b.WriteString(`\/`)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
