package search

import (
	"cmp"
	"slices"
	"unicode"
	"unicode/utf8"
)

// MaxPlaces is the most places of each part that Match returns.
const MaxPlaces = 100

// Span is a place in a text: byte offsets, End exclusive.
type Span struct {
	Start int `json:"start" description:"offset into the text, in bytes of UTF-8"`
	End   int `json:"end" description:"offset into the text, in bytes of UTF-8"`
}

// Match reports whether a text matches the groups of the query, and where its
// parts that must hold are, the first [MaxPlaces] of each. Spans are sorted, do not
// overlap and never cut a character. Only the first [MaxSearched] bytes of the text
// are searched. The time grows with the length of the text times the number of
// parts; an expression near the limits takes up to seconds for the longest text.
func (q Query) Match(text string) (spans []Span, ok bool) {
	if len(q.Groups) == 0 {
		return nil, true
	}
	m := matcher{text: searched(text)}
	defer m.release()
	for _, group := range q.Groups {
		holds := false
		for i := range group {
			if m.find(&group[i]) != group[i].Not {
				holds = true
			}
		}
		if !holds {
			return nil, false
		}
	}
	return merge(m.text, m.spans), true
}

// beginning is the number of bytes of a text in which Fits looks first.
const beginning = 256

// Fits reports whether a text matches, as Match does. It takes less time for texts that
// begin with what the query looks for, as texts with common words do.
func (q Query) Fits(text string) bool {
	if len(text) > 2*beginning && q.grows() {
		// Before a space and a letter, every word and character ends.
		for i := beginning; i > 0; i-- {
			if text[i] == ' ' && 'a' <= text[i+1]|0x20 && text[i+1]|0x20 <= 'z' {
				if _, ok := q.Match(text[:i]); ok {
					return true
				}
				break
			}
		}
	}
	_, ok := q.Match(text)
	return ok
}

// grows reports whether a text that begins with one that matches does so too.
func (q Query) grows() bool {
	return !slices.ContainsFunc(slices.Concat(q.Groups...), func(p Part) bool { return p.Not || p.regex != nil })
}

// matcher finds parts in one text.
type matcher struct {
	text   string
	cutter *cutter // nil as long as no word was looked for
	spans  []Span
}

func (m *matcher) release() {
	if m.cutter != nil {
		m.cutter.release()
	}
}

// cut cuts the text into tokens, if that was not done.
func (m *matcher) cut() {
	if m.cutter == nil {
		m.cutter = newCutter()
		m.cutter.cut(m.text)
	}
}

// find reports whether a part is in the text. It adds the places of one that must
// be there.
func (m *matcher) find(p *Part) bool {
	if p.regex != nil {
		return m.findRegex(p)
	}
	m.cut()
	most := MaxPlaces
	if p.Not {
		most = 1
	}
	first := len(m.spans)
	m.spans = p.pattern.find(m.spans, m.cutter.tokens, most)
	found := len(m.spans) > first
	if p.Not {
		m.spans = m.spans[:first]
	}
	return found
}

func (m *matcher) findRegex(p *Part) bool {
	// Most texts have no match, which is faster to tell without its place.
	if !p.regex.MatchString(m.text) {
		return false
	}
	if p.Not {
		return true
	}
	for _, at := range p.regex.FindAllStringIndex(m.text, MaxPlaces) {
		m.spans = append(m.spans, Span{at[0], at[1]})
	}
	return true
}

// merge sorts spans, and adds the marks that follow, such as the one that gives an
// emoji its color. It makes one of spans that overlap, as those of "㎏" do, which is
// one character of the text and two letters of a word.
func merge(text string, spans []Span) []Span {
	slices.SortFunc(spans, func(a, b Span) int { return cmp.Or(a.Start-b.Start, a.End-b.End) })
	merged := spans[:0]
	for _, s := range spans {
		switch last := len(merged) - 1; {
		case last < 0 || s.Start >= merged[last].End:
			merged = append(merged, Span{s.Start, withMarks(text, s.End)})
		case s.End > merged[last].End:
			merged[last].End = withMarks(text, s.End)
		}
	}
	return merged
}

// withMarks returns the end of the marks that start at an offset.
func withMarks(text string, end int) int {
	for end < len(text) && text[end] >= utf8.RuneSelf {
		r, n := utf8.DecodeRuneInString(text[end:])
		if !unicode.Is(unicode.M, r) {
			break
		}
		end += n
	}
	return end
}

// pattern is a row of tokens to look for.
type pattern struct {
	hashes []uint64
	// back tells, for each number of tokens that were found, how many of the last
	// ones are the first of the pattern (Knuth, Morris and Pratt), so that the time
	// to look for it does not depend on its length.
	back []int
	// strict patterns want characters of scripts without spaces to stand side by
	// side, as in the query.
	strict bool
	terms  []int32 // what the index must have, sorted
}

// newPattern returns the pattern of a word or phrase; nil if it has no token.
func newPattern(kind Kind, text string) *pattern {
	c := newCutter()
	defer c.release()
	c.cut(text)
	if len(c.tokens) == 0 {
		return nil
	}
	p := &pattern{strict: kind == Word, back: make([]int, len(c.tokens)+1)}
	for i, t := range c.tokens {
		p.hashes = append(p.hashes, t.hash)
		single, after := t.kind != word, i > 0 && c.tokens[i-1].kind != word
		if single && after {
			p.terms = append(p.terms, c.pair(i))
		} else if before := i+1 < len(c.tokens) && c.tokens[i+1].kind != word; !single || !before {
			p.terms = append(p.terms, term(t.hash)) // pairs imply their characters
		}
		p.strict = p.strict && !separated(c.tokens, i)
	}
	slices.Sort(p.terms)
	p.terms = slices.Compact(p.terms)
	for i, k := 1, 0; i < len(p.hashes); i++ {
		k = p.next(k, p.hashes[i])
		p.back[i+1] = k
	}
	return p
}

// next returns how many tokens of the pattern are found with another one, after k.
func (p *pattern) next(k int, hash uint64) int {
	for k > 0 && p.hashes[k] != hash {
		k = p.back[k]
	}
	if p.hashes[k] == hash {
		k++
	}
	return k
}

// find appends the first places of the pattern that do not overlap.
func (p *pattern) find(spans []Span, tokens []token, most int) []Span {
	k, most := 0, most+len(spans)
	for i := range tokens {
		if p.strict && separated(tokens, i) {
			k = 0
		}
		if k = p.next(k, tokens[i].hash); k == len(p.hashes) {
			spans = append(spans, Span{int(tokens[i-k+1].from), int(tokens[i].to)})
			if k = 0; len(spans) == most {
				break
			}
		}
	}
	return spans
}

// separated reports whether a token and the one before are characters of scripts
// without spaces, with something between them.
func separated(tokens []token, i int) bool {
	return i > 0 && tokens[i].apart && tokens[i].kind == character && tokens[i-1].kind == character
}

// Pairs returns the pairs of words that a text must have, as [Pairs] keeps them, to match:
// those of the phrases that must all hold. They are the first maxPairs of each.
func (q Query) Pairs() (all []Pair) {
	for _, group := range q.Groups {
		if len(group) != 1 || group[0].Not || group[0].pattern == nil {
			continue
		}
		hashes := group[0].pattern.hashes
		for i := 1; i < min(len(hashes), maxPairs+1); i++ {
			all = append(all, pairOf(hashes[i-1], hashes[i]))
		}
	}
	return all
}

// maxPairs is the most pairs of a phrase that are looked up: two leave out nearly all other
// texts.
const maxPairs = 3

// Needs returns what the index must have for a text to match: in each group, all
// terms of at least one alternative must be among the [Terms] of the text. It is
// nil if the index cannot help: groups with a negation or a regular expression
// have no entry, because no whole word follows from an expression such as /buy/,
// which "buyer" matches too. A text that matches always has what it needs, but not
// the other way round: the order of words is not in the index.
func (q Query) Needs() [][][]int32 {
	var all [][][]int32
	for _, group := range q.Groups {
		if slices.ContainsFunc(group, func(p Part) bool { return p.Not || p.pattern == nil }) {
			continue
		}
		alternatives := make([][]int32, len(group))
		for i, p := range group {
			alternatives[i] = p.pattern.terms
		}
		all = append(all, alternatives)
	}
	return all
}
