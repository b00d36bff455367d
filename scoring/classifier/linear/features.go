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

// item is a word, or another feature.
type item struct {
	hash uint64
	// from and to are the place of the word in the letters of the reader. Both are
	// 0 if the item is no word.
	from, to uint32
}

func (i *item) isWord() bool { return i.to > 0 }

// wordStart is the hash of the mark before a word.
var wordStart = step(seedWord, markStart)

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
	// items are what the last text consists of, each once and in the order of the
	// text, and letters are those of its words.
	items   []item
	letters []rune

	raw    []rune // the letters of a word as they are folded
	short  []rune // those letters, with fewer of a letter that is repeated
	marked []rune
	single []rune // letters that stood alone, one after the other
	before uint64 // the hash of the word before
	text   textCounts
}

// textCounts are the counts of a text of which features are made.
type textCounts [textKinds]int

// What is counted of a text. The order is a part of the features.
const (
	links = iota
	mixedWords
	repeatedLetters
	capitals
	exclamations
	textKinds
)

// usualItems is more than the number of items of most texts.
const usualItems = 1 << 10

func newReader() *reader {
	return &reader{
		folder: fold.New(), seen: newSeen(),
		items: make([]item, 0, usualItems), letters: make([]rune, 0, 4*usualItems),
		raw: make([]rune, 0, maxWord), short: make([]rune, 0, maxWord), marked: make([]rune, 0, maxWord+2),
		single: make([]rune, 0, maxWord),
	}
}

// read sets items and letters to those of a text.
func (r *reader) read(text string) {
	text = cut(text)
	r.folder.Fold(text)
	units := r.folder.Units
	r.seen.clear(len(units))
	r.items, r.letters = r.items[:0], r.letters[:0]
	r.before, r.text, r.single = seedPair, textCounts{}, r.single[:0]
	for i := 0; i < len(units); {
		switch u := &units[i]; {
		case u.Class == fold.Spaced || u.Class == fold.Katakana:
			i = r.readWord(text, i)
		case u.Class != fold.Other:
			r.readUnspaced(units[i:min(len(units), i+longestUnspaced)])
			i++
		default:
			r.readSign(u.Rune)
			i++
		}
	}
	r.endSingles()
	r.endText()
}

// mark sets marked to a word with the marks before and after it.
func (r *reader) mark(word []rune) []rune {
	r.marked = append(r.marked[:0], markStart)
	r.marked = append(r.marked, word...)
	r.marked = append(r.marked, markEnd)
	return r.marked
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
func (r *reader) readWord(text string, from int) int {
	units, i, class := r.folder.Units, from, r.folder.Units[from].Class
	raw, hash := r.raw[:0], wordStart
	var traits traits
	var last rune
	for repeated := 0; i < len(units) && len(raw) < maxWord; i++ {
		u := &units[i]
		if u.Class != class && !(u.Class == fold.Other && masks(units, i)) {
			break
		}
		raw = append(raw, u.Rune)
		hash = step(hash, uint64(u.Rune))
		traits |= traitsOf(u.Rune)
		if u.Rune != last {
			last, repeated = u.Rune, 0
		} else if repeated++; repeated == 2 {
			traits |= repeats
		}
	}
	r.raw = raw
	sign := rune(0)
	if from > 0 {
		sign = units[from-1].Rune
	}
	switch {
	case sign == '@', (sign == '<' || sign == '[') && equal(raw, "user"):
		return i // a mention says nothing
	case isLink(raw):
		r.text[links]++
		return i
	}
	if len(raw) > 2 && isUpper(text, units[from]) && isUpper(text, units[from+1]) && isUpper(text, units[i-1]) {
		r.text[capitals]++
	}
	plain := traits.plain()
	if !plain {
		r.normalize()
	}
	if len(raw) == 1 {
		r.single = append(r.single, raw[0])
	}
	if len(raw) != 1 || len(r.single) == maxWord {
		r.endSingles()
	}
	if plain {
		hash = step(hash, markEnd)
		r.addWord(hash, raw)
		r.addPair(hash)
	} else {
		r.addChanged()
	}
	return i
}

// isLink reports whether a word is one that begins a link, or stands for it.
func isLink(word []rune) bool {
	switch word[0] {
	case 'u':
		return equal(word, "url")
	case 'h':
		return equal(word, "http") || equal(word, "https")
	case 'w':
		return equal(word, "www")
	}
	return false
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
		r.text[mixedWords]++
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

// addChanged adds the word in raw, and its pair with the word before. Unlike
// readWord, it looks for repeated letters.
func (r *reader) addChanged() {
	if r.squeeze(r.raw, 2) {
		r.text[repeatedLetters]++
		r.addWord(hashWord(r.short), r.short)
		r.squeeze(r.raw, 1)
	}
	hash := hashWord(r.short)
	r.addWord(hash, r.short)
	r.addPair(hash)
}

func hashWord(word []rune) uint64 {
	hash := wordStart
	for _, c := range word {
		hash = step(hash, uint64(c))
	}
	return step(hash, markEnd)
}

// addWord adds a word, unless it is there.
func (r *reader) addWord(hash uint64, word []rune) {
	if r.seen.add(hash) {
		from := len(r.letters)
		r.letters = append(r.letters, word...)
		r.items = append(r.items, item{hash, uint32(from), uint32(len(r.letters))})
	}
}

func (r *reader) addPair(hash uint64) {
	r.add(step(r.before, hash))
	r.before = step(seedPair, hash)
}

func (r *reader) add(hash uint64) {
	if r.seen.add(hash) {
		r.items = append(r.items, item{hash: hash})
	}
}

// squeeze puts a word into short, with at most so many of a letter where it is
// there three times or more in a row. It reports whether there are such letters.
func (r *reader) squeeze(word []rune, most int) bool {
	r.short = r.short[:0]
	long := false
	for i := 0; i < len(word); {
		end := i + 1
		for end < len(word) && word[end] == word[i] {
			end++
		}
		n := end - i
		if n > 2 && word[i] != markNumber {
			n, long = most, true
		}
		for range n {
			r.short = append(r.short, word[i])
		}
		i = end
	}
	return long
}

// endSingles adds the word that single letters make.
func (r *reader) endSingles() {
	if len(r.single) > 2 {
		r.squeeze(r.single, 1)
		r.addWord(hashWord(r.short), r.short)
	}
	r.single = r.single[:0]
}

func (r *reader) readUnspaced(units []fold.Unit) {
	run := seedUnspaced
	for i := range units {
		if units[i].Class != fold.Unspaced && units[i].Class != fold.UnspacedEnd {
			break
		}
		run = step(run, uint64(units[i].Rune))
		r.add(run)
	}
	r.before = seedPair
}

func (r *reader) readSign(sign rune) {
	if sign == ' ' {
		return
	}
	hash := step(seedSign, uint64(sign))
	r.add(hash)
	if sign >= letterTableSize { // mostly emoji
		r.addPair(hash)
	}
	if sign == '!' {
		r.text[exclamations]++
	}
}

// endText adds the features of the whole text.
func (r *reader) endText() {
	for i, n := range r.text {
		if n > 0 {
			r.add(step(seedText, uint64(i*10+min(n, 3))))
		}
	}
}
