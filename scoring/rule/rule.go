// Package rule decides whether a text matches a rule, and says where. The
// matches of a rule become the candidates of a list.
package rule

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/language"

	"treewarden/scoring/fold"
)

// The limits of a rule and of what it reports.
const (
	MaxWords       = 20_000 // different words of a list
	MaxWordLength  = 200    // characters of a word
	MaxRegexLength = 1_000  // characters of a regular expression
	MaxShorterThan = 10_000 // characters of a text
	MaxMatches     = 100    // matches reported of a text
	MaxRegexFound  = 20     // matches of the regular expression reported of a text
)

// Rule is what a person asks for. A text matches the rule if each part that is
// set finds something in it.
type Rule struct {
	Words            []string `json:"words,omitempty"`             // whole words or phrases, in any language
	Regex            string   `json:"regex,omitempty"`             // in the syntax of RE2
	ShorterThan      int      `json:"shorter_than,omitempty"`      // characters of the trimmed text
	LanguageMismatch bool     `json:"language_mismatch,omitempty"` // a text in another script than its language has
	Boilerplate      bool     `json:"boilerplate,omitempty"`       // phrases that give away the text of a language model
	Lang             string   `json:"lang,omitempty"`              // limits the rule to messages of a language
}

// Empty reports whether no part is set. Lang alone is no part.
func (r Rule) Empty() bool {
	return r.Regex == "" && r.ShorterThan == 0 && !r.LanguageMismatch && !r.Boilerplate &&
		!slices.ContainsFunc(r.Words, func(w string) bool { return strings.TrimSpace(w) != "" })
}

// The parts of a rule, named as in its JSON.
const (
	Words            = "words"
	Regex            = "regex"
	ShorterThan      = "shorter_than"
	LanguageMismatch = "language_mismatch"
	Boilerplate      = "boilerplate"
)

// Match is a place in a text where a part of a rule matches.
type Match struct {
	Part string `json:"part"` // the part of the rule, such as "words"
	// What says what was found: the word as the list has it, the beginning of
	// what the regular expression matched, the length, the script, the kind of phrase.
	What string `json:"what"`
	// Start and End are byte offsets into the text. Both are 0 if the match is
	// about the whole text.
	Start int `json:"start" description:"offset into the text, in bytes of UTF-8"`
	End   int `json:"end" description:"offset into the text, in bytes of UTF-8"`
	// OtherID is the message that the text is like, and Likeness tells how much, of
	// a near-duplicate.
	OtherID  *uuid.UUID `json:"other_id,omitempty"`
	Likeness float64    `json:"likeness,omitempty"`
}

// Error names the field of a rule that is wrong. Why is for people.
type Error struct{ Field, Why string }

func (e *Error) Error() string { return e.Field + ": " + e.Why }

func wrong(field, format string, args ...any) error {
	return &Error{Field: field, Why: fmt.Sprintf(format, args...)}
}

// Matcher is a rule made ready. Several goroutines may use one Matcher.
type Matcher struct {
	rule        Rule
	words       *phrases
	boilerplate *phrases
	regex       *regex
	parts       []string // those that are set
}

// Compile makes a rule ready. Its error is an *Error for each wrong field,
// joined by errors.Join.
func Compile(r Rule) (*Matcher, error) {
	if r.Empty() {
		return nil, wrong("rule", "the rule has no condition: set words, regex, shorter_than, language_mismatch or "+
			"boilerplate")
	}
	m := &Matcher{rule: r}
	var errs [4]error
	m.words, errs[0] = compileWords(r.Words)
	m.regex, errs[1] = compileRegex(r.Regex)
	if r.ShorterThan < 0 || r.ShorterThan > MaxShorterThan {
		errs[2] = wrong(ShorterThan, "%d is not possible: give a number of characters from 1 to %d",
			r.ShorterThan, MaxShorterThan)
	}
	errs[3] = CheckLang(r.Lang)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	if r.Boilerplate {
		m.boilerplate = boilerplatePhrases()
	}
	for _, part := range []struct {
		name string
		set  bool
	}{
		{Words, m.words != nil}, {Regex, m.regex != nil}, {ShorterThan, r.ShorterThan > 0},
		{LanguageMismatch, r.LanguageMismatch}, {Boilerplate, r.Boilerplate},
	} {
		if part.set {
			m.parts = append(m.parts, part.name)
		}
	}
	return m, nil
}

// CheckLang returns an *Error if a language is neither "" nor a known code.
func CheckLang(lang string) error {
	if _, err := language.Parse(lang); lang != "" && err != nil {
		return wrong("lang", "there is no language %q: give a code such as en, de or pt-BR", shorten(lang))
	}
	return nil
}

// Match returns the matches of a text, by start and then by part, at most
// MaxMatches; nil if there is none. lang is the language of the message, such as
// "en" or "pt-BR".
func (m *Matcher) Match(text, lang string) []Match {
	if !Covers(m.rule.Lang, lang) {
		return nil
	}
	var found []Match
	if m.words != nil || m.boilerplate != nil {
		found = m.matchPhrases(text)
	}
	if m.regex != nil {
		found = m.regex.match(found, text)
	}
	if n, ok := shorterThan(text, m.rule.ShorterThan); ok {
		found = append(found, Match{Part: ShorterThan, What: fmt.Sprintf("%d characters", n)})
	}
	if m.rule.LanguageMismatch {
		if script := mismatch(text, lang); script != "" {
			found = append(found, Match{Part: LanguageMismatch, What: script})
		}
	}
	for _, part := range m.parts {
		if !slices.ContainsFunc(found, func(f Match) bool { return f.Part == part }) {
			return nil
		}
	}
	slices.SortStableFunc(found, func(a, b Match) int {
		return cmp.Or(a.Start-b.Start, strings.Compare(a.Part, b.Part), a.End-b.End)
	})
	return found[:min(len(found), MaxMatches)]
}

// matchPhrases folds the text once, for the word list and for the boilerplate.
func (m *Matcher) matchPhrases(text string) []Match {
	f := fold.Get()
	defer f.Release()
	f.Fold(text)
	return m.boilerplate.match(m.words.match(nil, f.Units), f.Units)
}

// Covers reports whether a rule for a language applies to a message: "pt" is for
// "pt" and "pt-BR", "pt-BR" for "pt-BR" alone, "" for all.
func Covers(rule, message string) bool {
	if len(message) < len(rule) || !strings.EqualFold(message[:len(rule)], rule) {
		return false
	}
	rest := message[len(rule):]
	return rule == "" || rest == "" || rest[0] == '-' || rest[0] == '_'
}

// shorterThan returns the number of characters of the trimmed text, and whether
// it is below a limit. It stops counting at the limit.
func shorterThan(text string, limit int) (n int, ok bool) {
	if limit == 0 {
		return 0, false
	}
	for range strings.TrimSpace(text) {
		if n++; n >= limit {
			return n, false
		}
	}
	return n, true
}

// shorten cuts a text for a person to recognize.
func shorten(text string) string {
	const most = 40 // characters
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}
