package search

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"treewarden/scoring/fold"
)

// Names is a query line that finds names of users and lists. Its zero value finds all.
//
// It is read as a line of [Parse], and names are folded as texts are. Names are short
// and people type their beginnings, so there are these differences:
//
//   - A word finds parts of names: spam is in "xXspammer99". What stands in quotes has
//     whole words, as in texts: "spam" is not.
//   - A sign in a word, at its start or at its end is a boundary of words, as in texts:
//     a_b is in "mega-b", not in "axb"; @bob is in "@bobby" and "Big Bobby", not in
//     "kabob".
//   - A piece without letters, digits and emoji is looked for as it is, with its
//     signs, and so is a line of signs alone, which may be "-" or an open quote.
//   - There are no filters.
type Names struct{ query Query }

// ParseNames reads a line that finds names. Its error is a *SyntaxError.
func ParseNames(line string) (Names, error) {
	p := &parser{line: line, names: true}
	err := p.parse()
	if err == nil {
		return Names{p.query}, nil
	}
	if line = strings.TrimSpace(line); hasWord(line) || p.check() != nil {
		return Names{}, err
	}
	whole := Part{Kind: Phrase, Text: line, End: len(line)}
	if whole.prepare(true); whole.name == nil {
		return Names{}, err
	}
	return Names{Query{Groups: [][]Part{{whole}}}}, nil
}

// All reports whether the line finds all names.
func (n Names) All() bool { return len(n.query.Groups) == 0 }

// String returns the line in its one spelling.
func (n Names) String() string { return n.query.String() }

// Fit reports whether somebody fits the line who has one or more names. Each part must
// be in one of them or, if it must not hold, in none.
func (n Names) Fit(names ...string) bool {
	if n.All() {
		return true
	}
	var few [2]cutName // users have a display name and a username
	cut := few[:0]
	for _, name := range names {
		cut = append(cut, cutName{text: name, cutter: newCutter()})
		cut[len(cut)-1].cutter.cut(name)
	}
	fits := true
	for _, group := range n.query.Groups {
		fits = fits && anyHolds(group, cut)
	}
	for _, c := range cut {
		c.cutter.release()
	}
	return fits
}

// anyHolds reports whether one of the parts holds for names.
func anyHolds(group []Part, names []cutName) bool {
	for i := range group {
		in := false
		for _, name := range names {
			in = in || name.has(&group[i])
		}
		if in != group[i].Not {
			return true
		}
	}
	return false
}

// cutName is a name with its tokens.
type cutName struct {
	text   string
	cutter *cutter
}

// has reports whether a part is in the name.
func (n cutName) has(p *Part) bool {
	switch {
	case p.regex != nil:
		return p.regex.MatchString(searched(n.text))
	case p.name == nil:
		return len(p.pattern.find(nil, n.cutter.tokens, 1)) > 0
	case p.name.signs != "":
		return strings.Contains(folded(n.text), p.name.signs)
	}
	for i := range len(n.cutter.tokens) - len(p.name.words) + 1 {
		if p.name.at(n.cutter, i) {
			return true
		}
	}
	return false
}

// namePattern is what is looked for in names: signs, or words of which the first and
// the last may be parts of longer ones.
type namePattern struct {
	signs string   // folded
	words [][]byte // the letters of the tokens
	// first and last tell that a word begins and ends where the pattern does.
	first, last bool
	strict      bool // as of a pattern
}

// newNamePattern returns the pattern of a word, or of a phrase without one. It is nil
// for a phrase with words, which is found as in texts, and for what has nothing to look
// for.
func newNamePattern(p Part) *namePattern {
	if p.pattern == nil {
		if signs := folded(p.Text); signs != "" {
			return &namePattern{signs: signs}
		}
		return nil
	}
	if p.Kind == Phrase {
		return nil
	}
	c := newCutter()
	defer c.release()
	c.cut(p.Text)
	n := &namePattern{strict: p.pattern.strict, first: c.tokens[0].apart, last: c.after}
	for i := range c.tokens {
		n.words = append(n.words, bytes.Clone(c.word(i)))
	}
	return n
}

// at reports whether the words of the pattern are in a name, the first one in its
// token i.
func (p *namePattern) at(name *cutter, i int) bool {
	end := len(p.words) - 1
	for k, word := range p.words {
		if k > 0 && p.strict && separated(name.tokens, i+k) {
			return false
		}
		in := name.word(i + k)
		begins, ends := k > 0 || p.first, k < end || p.last
		switch {
		case begins && ends && !bytes.Equal(in, word),
			begins && !bytes.HasPrefix(in, word),
			ends && !bytes.HasSuffix(in, word),
			!bytes.Contains(in, word):
			return false
		}
	}
	return true
}

// word returns the letters of a token.
func (c *cutter) word(i int) []byte { return c.letters[c.tokens[i].start:c.tokens[i].end] }

// hasWord reports whether a text has a letter, digit or emoji.
func hasWord(text string) bool {
	c := newCutter()
	defer c.release()
	c.cut(text)
	return len(c.tokens) > 0
}

// isSigns reports whether a piece of a line is looked for as it is: it has no word, and
// begins no phrase or expression.
func isSigns(piece string) bool {
	rest := strings.TrimLeft(piece, "-")
	if first, _ := utf8.DecodeRuneInString(rest); isQuote(first) || first == '/' && len(rest) > 2 {
		return false
	}
	return !hasWord(piece)
}

// folded returns the folding of a text.
func folded(text string) string {
	f := fold.Get()
	defer f.Release()
	f.Fold(searched(text))
	var b strings.Builder
	for _, u := range f.Units {
		b.WriteRune(u.Rune)
	}
	return b.String()
}
