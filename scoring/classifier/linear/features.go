package linear

import (
	"unicode"
	"unicode/utf8"

	"treewarden/scoring/fold"
)

// The features of a text are numbers below Buckets, each the hash of:
//
//   - a word, and the pair of it and the word before;
//   - the runs of 2 to 5 letters of a word, with marks for its start and end;
//   - in a script without spaces, the runs of 1 to 4 letters;
//   - an emoji or another sign, and the pair of an emoji and the word before;
//   - a property of the whole text, such as that it has a link.
//
// Each counts once, however often it is in the text. Words are folded by package
// fold, and then so that a spelling that shall deceive a filter is equal to the
// plain one: accents are dropped, look-alikes of another script and digits that
// stand for letters are replaced, a letter that is there three times or more is
// there once and twice, and single letters one after the other make a word too.
const (
	bucketBits = 22
	// Buckets is one more than the greatest feature.
	Buckets = 1 << bucketBits
)

const (
	// maxBytes is the number of bytes of a text, from its start, that are read. It
	// covers the longest message (corpus.MaxText is 20,000 characters) in letters
	// of up to 3 bytes.
	maxBytes = 64 << 10
	// maxWord is the number of letters after which a word is cut. Longer ones are
	// rare.
	maxWord = 40
	// The lengths of the runs of letters of a word, with the marks of its start and
	// end, and of the runs in scripts without spaces.
	shortestRun, longestRun = 2, 5
	longestUnspaced         = 4
)

// Seeds of the hashes of each kind of features.
const (
	seedWord uint64 = iota + 1
	seedPair
	seedRun
	seedUnspaced
	seedSign
	seedText
)

const multiplier = 0x9E3779B97F4A7C15

func step(hash, with uint64) uint64 {
	hash = (hash ^ with) * multiplier
	return hash ^ hash>>29
}

func bucket(hash uint64) uint32 { return uint32(hash * multiplier >> (64 - bucketBits)) }

// collector takes the features of a text.
type collector interface {
	// word takes the features of a word by itself, as appendWord makes them.
	word(hash uint64, marked []rune)
	// feature takes one other feature.
	feature(hash uint64)
}

// appendWord appends the features of a word. It has marks before and after it.
func appendWord(to []uint32, hash uint64, marked []rune) []uint32 {
	to = append(to, bucket(hash))
	for i := range marked {
		run := seedRun
		for k, r := range marked[i:min(len(marked), i+longestRun)] {
			run = step(run, uint64(r))
			if k+1 >= shortestRun {
				to = append(to, bucket(run))
			}
		}
	}
	return to
}

// The marks before and after a word, and for a number.
const (
	markStart  = '^'
	markEnd    = '$'
	markNumber = '#'
)

// reader finds the features of texts. It is for one goroutine at a time.
type reader struct {
	folder *fold.Folder
	seen   seen
	raw    []rune // the letters of a word as they are folded
	marked []rune
	single []rune // letters that stood alone, one after the other
	before uint64 // the hash of the word before
	text   textCounts
}

// textCounts are the counts of a text of which features are made.
type textCounts struct{ capitals, links, mixed, repeated, exclamations int }

func newReader() *reader {
	return &reader{
		folder: fold.New(), seen: newSeen(),
		raw: make([]rune, 0, maxWord), marked: make([]rune, 0, maxWord+2), single: make([]rune, 0, maxWord),
	}
}

// read gives the features of a text to a collector.
func (r *reader) read(text string, to collector) {
	text = cut(text)
	r.folder.Fold(text)
	r.seen.clear()
	r.before, r.text, r.single = seedPair, textCounts{}, r.single[:0]
	units := r.folder.Units
	for i := 0; i < len(units); {
		switch u := &units[i]; {
		case u.Class == fold.Spaced || u.Class == fold.Katakana:
			i = r.readWord(text, i, to)
		case u.Class != fold.Other:
			r.readUnspaced(units[i:min(len(units), i+longestUnspaced)], to)
			i++
		default:
			r.readSign(u.Rune, to)
			i++
		}
	}
	r.endSingles(to)
	r.endText(to)
}

// cut returns the part of a text that is read.
func cut(text string) string {
	if len(text) <= maxBytes {
		return text
	}
	end := maxBytes
	for end > maxBytes-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// readWord reads the word that starts at a unit, and returns the one after it.
func (r *reader) readWord(text string, from int, to collector) int {
	units, i := r.folder.Units, from
	r.raw = r.raw[:0]
	for i < len(units) && len(r.raw) < maxWord {
		u := &units[i]
		if u.Class != units[from].Class && !(u.Class == fold.Other && masks(units, i)) {
			break
		}
		r.raw = append(r.raw, u.Rune)
		i++
	}
	sign := rune(0)
	if from > 0 {
		sign = units[from-1].Rune
	}
	switch {
	case sign == '@', (sign == '<' || sign == '[') && equal(r.raw, "user"):
		return i // a mention says nothing
	case equal(r.raw, "url"), equal(r.raw, "http"), equal(r.raw, "https"), equal(r.raw, "www"):
		r.text.links++
		return i
	}
	if len(r.raw) > 2 && isUpper(text, units[from]) && isUpper(text, units[from+1]) && isUpper(text, units[i-1]) {
		r.text.capitals++
	}
	r.normalize()
	if len(r.raw) == 1 {
		r.single = append(r.single, r.raw[0])
		if len(r.single) == maxWord {
			r.endSingles(to)
		}
	} else {
		r.endSingles(to)
	}
	r.addWord(to)
	return i
}

// equal reports whether letters are those of an ASCII word.
func equal(letters []rune, word string) bool {
	if len(letters) != len(word) {
		return false
	}
	for i, c := range letters {
		if c != rune(word[i]) {
			return false
		}
	}
	return true
}

// masks reports whether a sign stands for a letter of a word: it is one of those
// that people put in its place, between two letters.
func masks(units []fold.Unit, i int) bool {
	switch units[i].Rune {
	case '@', '$', '!':
		return i+1 < len(units) && units[i+1].Class == fold.Spaced && units[i-1].Class == fold.Spaced
	case '*':
		for i < len(units) && units[i].Rune == '*' {
			i++
		}
		return i < len(units) && units[i].Class == fold.Spaced
	}
	return false
}

func isUpper(text string, u fold.Unit) bool {
	c, _ := utf8.DecodeRuneInString(text[u.From:])
	return unicode.IsUpper(c)
}

// normalize replaces the letters of a word by those that they stand for.
func (r *reader) normalize() {
	var count [4]int
	onlyCyrillic, firstDigits := 0, 0
	for i, c := range r.raw {
		l := letterOf(c)
		count[l.script]++
		if l.script == cyrillicScript && l.latin == 0 {
			onlyCyrillic++
		}
		if l.script == digitScript && firstDigits == i {
			firstDigits++
		}
		r.raw[i] = l.plain
	}
	if firstDigits == len(r.raw) {
		for i := range r.raw {
			r.raw[i] = markNumber
		}
		return
	}
	mixed := count[latinScript] > 0 && count[cyrillicScript] > 0
	if mixed {
		r.text.mixed++
	}
	if mixed && onlyCyrillic > 0 {
		for i, c := range r.raw {
			if other := letterOf(c).cyrillic; other != 0 {
				r.raw[i] = other
			}
		}
	} else if count[latinScript] > 0 {
		for i, c := range r.raw {
			if other := letterOf(c).latin; other != 0 {
				r.raw[i] = other
			}
		}
	}
}

// addWord gives the features of the word in raw, and of its pair with the word
// before.
func (r *reader) addWord(to collector) {
	if r.squeeze(2) {
		r.text.repeated++
		r.addMarked(to)
		r.squeeze(1)
	}
	hash := r.addMarked(to)
	r.addPair(hash, to)
}

// addMarked gives the features of the word in marked, unless they were given.
func (r *reader) addMarked(to collector) uint64 {
	hash := seedWord
	for _, c := range r.marked {
		hash = step(hash, uint64(c))
	}
	if r.seen.add(hash) {
		to.word(hash, r.marked)
	}
	return hash
}

func (r *reader) addPair(hash uint64, to collector) {
	r.add(step(r.before, hash), to)
	r.before = step(seedPair, hash)
}

func (r *reader) add(hash uint64, to collector) {
	if r.seen.add(hash) {
		to.feature(hash)
	}
}

// squeeze puts the word in raw into marked, with at most so many of a letter
// where it is there three times or more in a row. It reports whether there are
// such letters.
func (r *reader) squeeze(most int) bool {
	r.marked = append(r.marked[:0], markStart)
	long := false
	for i := 0; i < len(r.raw); {
		end := i + 1
		for end < len(r.raw) && r.raw[end] == r.raw[i] {
			end++
		}
		n := end - i
		if n > 2 && r.raw[i] != markNumber {
			n, long = most, true
		}
		for range n {
			r.marked = append(r.marked, r.raw[i])
		}
		i = end
	}
	r.marked = append(r.marked, markEnd)
	return long
}

// endSingles gives the features of the word that single letters make.
func (r *reader) endSingles(to collector) {
	if len(r.single) > 2 {
		r.raw = append(r.raw[:0], r.single...)
		r.squeeze(1)
		r.addMarked(to)
	}
	r.single = r.single[:0]
}

func (r *reader) readUnspaced(units []fold.Unit, to collector) {
	run := seedUnspaced
	for i := range units {
		if units[i].Class != fold.Unspaced && units[i].Class != fold.UnspacedEnd {
			break
		}
		run = step(run, uint64(units[i].Rune))
		r.add(run, to)
	}
	r.before = seedPair
}

func (r *reader) readSign(sign rune, to collector) {
	if sign == ' ' {
		return
	}
	hash := step(seedSign, uint64(sign))
	r.add(hash, to)
	if sign >= letterTableSize { // mostly emoji
		r.addPair(hash, to)
	}
	if sign == '!' {
		r.text.exclamations++
	}
}

// endText gives the features of the whole text.
func (r *reader) endText(to collector) {
	for i, n := range [...]int{
		r.text.links, r.text.mixed, r.text.repeated, r.text.capitals, r.text.exclamations,
	} {
		if n > 0 {
			r.add(step(seedText, uint64(i*10+min(n, 3))), to)
		}
	}
}
