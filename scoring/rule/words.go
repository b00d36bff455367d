package rule

import (
	"slices"
	"strings"
	"unicode/utf8"

	"treewarden/scoring/fold"
)

// phrase is an entry of a list.
type phrase struct {
	what   string // reported as Match.What
	spaced bool   // has a letter of a script with spaces between words
}

// phrases finds the entries of a list in folded texts. It is a trie that is
// walked from each place where a word may start, without the failure links of
// Aho and Corasick: most characters are inside a word and start no walk, and a
// walk ends after a few characters if nothing is found. The worst text costs a
// walk as long as the longest phrase at each start.
type phrases struct {
	part    string
	entries []phrase
	// The nodes of the trie stand by depth, so that the children of a node stand
	// side by side, by label. The label of a node leads to it.
	nodes  []node
	labels []rune
	// first tells most characters that start no phrase, by their lowest bits.
	first [64]uint64
}

type node struct {
	from, to int32 // the children, from inclusive, to exclusive
	entry    int32 // the phrase that ends here, or -1
}

// compileWords makes a word list ready; nil without words. Empty lines and words
// that fold to the same are taken once.
func compileWords(list []string) (*phrases, error) {
	b := newPhraseBuilder(Words)
	for _, word := range list {
		word = strings.TrimSpace(word)
		if n := utf8.RuneCountInString(word); n > MaxWordLength {
			return nil, wrong(Words, "%q has %d characters, %d is the most: shorten it or leave it out",
				shorten(word), n, MaxWordLength)
		}
		if b.add(word, word); len(b.entries) > MaxWords {
			return nil, wrong(Words, "%q is word number %d, %d is the most: make several rules",
				shorten(word), len(b.entries), MaxWords)
		}
	}
	return b.build(), nil
}

type phraseBuilder struct {
	*phrases
	folder *fold.Folder
	taken  map[string]int32 // folded phrases and their entries
}

func newPhraseBuilder(part string) *phraseBuilder {
	return &phraseBuilder{
		phrases: &phrases{part: part}, folder: fold.New(), taken: map[string]int32{},
	}
}

// add adds a phrase that is reported as what.
func (b *phraseBuilder) add(text, what string) {
	b.folder.Fold(text)
	folded := foldedText(b.folder.Units)
	if _, ok := b.taken[folded]; ok || folded == "" {
		return
	}
	entry := int32(len(b.entries))
	b.entries = append(b.entries, phrase{
		what:   what,
		spaced: slices.ContainsFunc(b.folder.Units, func(u fold.Unit) bool { return u.Class == fold.Spaced }),
	})
	b.taken[folded] = entry
	// The capital of the Turkish ı is I, which folds to i. Texts are not folded by
	// their language, so "SIK" stands for both words.
	if capital := strings.ReplaceAll(folded, "ı", "i"); capital != folded {
		if _, ok := b.taken[capital]; !ok {
			b.taken[capital] = entry
		}
	}
}

func foldedText(units []fold.Unit) string {
	var text strings.Builder
	for _, u := range units {
		text.WriteRune(u.Rune)
	}
	return text.String()
}

// build makes the trie from the sorted phrases, one depth after the other. A node
// stands for the phrases with the same beginning, which are neighbours.
func (b *phraseBuilder) build() *phrases {
	if len(b.entries) == 0 {
		return nil
	}
	type span struct{ from, to, depth int }
	sorted := make([][]rune, 0, len(b.taken))
	for folded := range b.taken {
		sorted = append(sorted, []rune(folded))
	}
	slices.SortFunc(sorted, slices.Compare)
	spans := []span{{0, len(sorted), 0}}
	b.nodes, b.labels = []node{{}}, []rune{0}
	for i := 0; i < len(spans); i++ {
		s, n := spans[i], node{from: int32(len(spans)), entry: -1}
		if len(sorted[s.from]) == s.depth { // the shortest is the first
			n.entry = b.taken[string(sorted[s.from])]
			s.from++
		}
		for from := s.from; from < s.to; {
			label, to := sorted[from][s.depth], from+1
			for to < s.to && sorted[to][s.depth] == label {
				to++
			}
			spans = append(spans, span{from, to, s.depth + 1})
			b.nodes, b.labels = append(b.nodes, node{}), append(b.labels, label)
			from = to
		}
		n.to = int32(len(spans))
		b.nodes[i] = n
	}
	for _, label := range b.labels[1:b.nodes[0].to] {
		b.first[label>>6&63] |= 1 << (label & 63)
	}
	return b.phrases
}

// child returns the node to which a label leads from another; 0 if there is none.
func (p *phrases) child(n int32, label rune) int32 {
	from, to := p.nodes[n].from, p.nodes[n].to
	for to-from > 8 {
		if middle := (from + to) / 2; p.labels[middle] <= label {
			from = middle
		} else {
			to = middle
		}
	}
	for ; from < to; from++ {
		if p.labels[from] == label {
			return from
		}
	}
	return 0
}

// match appends the phrases in a folded text that do not overlap: the leftmost
// first, and of those with the same start the longest.
func (p *phrases) match(found []Match, units []fold.Unit) []Match {
	if p == nil {
		return found
	}
	most := len(found) + MaxMatches
	before := fold.Other
	for i := 0; i < len(units) && len(found) < most; i++ {
		r, class := units[i].Rune, units[i].Class
		starts := p.first[r>>6&63]&(1<<(r&63)) != 0 && !sameWord(before, class)
		if before = class; !starts {
			continue
		}
		if end, entry := p.longest(units, i); end > i {
			found = append(found, Match{
				Part: p.part, What: p.entries[entry].what, Start: int(units[i].From), End: int(units[end-1].To),
			})
			i, before = end-1, units[end-1].Class
		}
	}
	return found
}

// longest returns the end of the longest phrase that starts at a unit, and its
// entry. Without one, the end is the start.
func (p *phrases) longest(units []fold.Unit, start int) (end int, entry int32) {
	if start > 0 && units[start-1].To > units[start].From { // in the middle of a character
		return start, 0
	}
	end = start
	for i, n := start, int32(0); i < len(units); i++ {
		if n = p.child(n, units[i].Rune); n == 0 {
			break
		}
		e := p.nodes[n].entry
		if e >= 0 && endsWord(units, i) && !(p.entries[e].spaced && touches(units, start, i)) {
			end, entry = i+1, e
		}
	}
	return end, entry
}

// sameWord reports whether two neighbours are in the same word for sure.
func sameWord(a, b fold.Class) bool {
	return a == b && (a == fold.Spaced || a == fold.Katakana) || a >= fold.Unspaced && b == fold.UnspacedEnd
}

// endsWord reports whether a word can end with a unit.
func endsWord(units []fold.Unit, i int) bool {
	if i+1 == len(units) {
		return true
	}
	return units[i+1].From >= units[i].To && !sameWord(units[i].Class, units[i+1].Class)
}

// touches reports whether a phrase has a letter beside a sign at its start or
// end: "a$$" is not in "a$$et". A phrase of signs alone may stand anywhere.
func touches(units []fold.Unit, start, last int) bool {
	return start > 0 && units[start-1].Class == fold.Spaced && units[start].Class == fold.Other ||
		last+1 < len(units) && units[last].Class == fold.Other && units[last+1].Class == fold.Spaced
}
