// Package fold makes equal what a reader takes for the same word. Lists of words,
// near-duplicates and the search share it.
package fold

import (
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// How characters are folded:
//
//   - NFKC and full case folding: "Straße" is "STRASSE", "ﬁ" is "fi", "Ａ" is
//     "a", the two small sigmas are one. İ is "i"; ı stays, although its
//     capital I is "i" too: texts are not folded by their language.
//   - Marks that make no letter of their own with the letter before are dropped,
//     and so are Arabic and Hebrew vowel signs and invisible characters. "é"
//     stays "é", because "año" is not "ano". Greek accents are dropped, since
//     capitals go without, and "ё" is "е".
//   - Quotes, apostrophes and hyphens are those of ASCII.
//   - White space is one space. Between a script without spaces and another, as
//     in "作为 AI 语言模型", it is dropped.

// Class is what a character is for the boundaries of words.
type Class uint8

// The classes of characters.
const (
	Other       Class = iota // no part of a word
	Spaced                   // a letter or digit of a script that puts spaces between words
	Unspaced                 // a letter of a script that does not
	UnspacedEnd              // a mark that belongs to the letter of such a script before it
	Katakana                 // a run of Katakana is mostly one word
)

// Unit is a character of a folded text.
type Unit struct {
	Rune  rune
	Class Class
	// From and To are byte offsets into the original text. Units that come from
	// the same characters, such as both of "ﬁ", have the same offsets.
	From, To uint32
}

// Folder folds texts of less than 4 GiB. It is for one goroutine at a time.
type Folder struct {
	Units []Unit // of the text that was folded last
	table []property
	caser cases.Caser
}

// keptUnits is the most that a folder keeps for the next text: 1 MiB. Longer
// texts are rare.
const keptUnits = 1 << 16

var folders = sync.Pool{New: func() any { return New() }}

// New returns a folder.
func New() *Folder { return &Folder{table: properties(), caser: cases.Fold()} }

// Get returns a folder that may have been used before; Release gives it back.
func Get() *Folder { return folders.Get().(*Folder) } // the pool holds only folders

// Release gives a folder back. Neither it nor its units may be used any more.
func (f *Folder) Release() {
	if cap(f.Units) <= keptUnits {
		folders.Put(f)
	}
}

// firstJoining is the first byte of U+0300, the first character that can join the
// one before.
const firstJoining = 0xCC

// Fold sets Units to those of a text.
func (f *Folder) Fold(text string) {
	f.Units = slices.Grow(f.Units[:0], len(text))
	for i := 0; i < len(text); {
		r, end := decode(text, i)
		p, alone := f.property(r), true
		for end < len(text) && text[end] >= firstJoining {
			next, after := decode(text, end)
			if f.property(next)&joins == 0 {
				break
			}
			end, alone = after, false
		}
		switch {
		case !alone || p&several != 0:
			f.addSegment(text, i, end)
		case p&dropped == 0:
			f.add(p, i, end)
			if p.class() == Spaced {
				end = f.addLetters(text, end)
			}
		}
		i = end
	}
	if last := len(f.Units) - 1; last >= 0 && f.Units[last].Rune == ' ' {
		f.Units = f.Units[:last]
	}
}

// addLetters adds the ASCII letters and digits from an offset on, and returns
// the offset of what follows. They are most characters of most texts. The unit
// before must be a letter too, so that there is no white space to think of.
func (f *Folder) addLetters(text string, i int) int {
	for ; i < len(text) && text[i] < utf8.RuneSelf; i++ {
		p := f.table[text[i]]
		if p.class() != Spaced || i+1 < len(text) && text[i+1] >= firstJoining {
			break
		}
		f.Units = append(f.Units, Unit{Rune: rune(p & maskRune), Class: Spaced, From: uint32(i), To: uint32(i + 1)})
	}
	return i
}

func decode(text string, i int) (r rune, end int) {
	if c := text[i]; c < utf8.RuneSelf {
		return rune(c), i + 1
	}
	r, n := utf8.DecodeRuneInString(text[i:])
	return r, i + n
}

// addSegment adds characters that only together can be normalized.
func (f *Folder) addSegment(text string, from, to int) {
	folded := text[from:to]
	// Thai and Hindi letters with their marks are mostly as folding makes them.
	first, _ := decode(folded, 0)
	if f.property(first)&(maskRune|several) != property(first) || !norm.NFKC.IsNormalString(folded) {
		folded = foldString(f.caser, folded)
	}
	for _, r := range folded {
		p := f.property(r)
		switch {
		case p&dropped != 0:
		case p&several != 0: // its parts are there already
			f.add(p&^maskRune|property(r), from, to)
		default:
			f.add(p, from, to)
		}
	}
}

func (f *Folder) add(p property, from, to int) {
	u := Unit{Rune: rune(p & maskRune), Class: p.class(), From: uint32(from), To: uint32(to)}
	if last := len(f.Units) - 1; last < 0 || f.Units[last].Rune == ' ' {
		switch {
		case u.Rune == ' ' && last < 0:
			return
		case u.Rune == ' ':
			f.Units[last].To = u.To
			return
		case last > 0 && scriptChanges(f.Units[last-1].Class, u.Class):
			f.Units = f.Units[:last]
		}
	}
	f.Units = append(f.Units, u)
}

// scriptChanges reports whether white space between two characters says nothing.
func scriptChanges(a, b Class) bool {
	return a == Spaced && b >= Unspaced || a >= Unspaced && b == Spaced
}

// foldString returns the case folding of a text, in NFKC.
func foldString(caser cases.Caser, text string) string {
	return norm.NFKC.String(caser.String(norm.NFKC.String(text)))
}

// property holds what folding needs to know of a character: what it becomes, its
// class, and flags.
type property uint32

const (
	maskRune property = 1<<21 - 1
	joins    property = 1 << 21 // may change the character before
	dropped  property = 1 << 22
	several  property = 1 << 23 // becomes several characters
)

func (p property) class() Class               { return Class(p >> 24) }
func (p property) withClass(c Class) property { return p | property(c)<<24 }

// tableSize is the number of characters in the table of properties: planes 0 and
// 1, which have all emoji and styled letters. Plane 2 has rare Han alone.
const tableSize = 0x20000

// properties returns the table, which takes 512 KiB.
var properties = sync.OnceValue(buildProperties)

func buildProperties() []property {
	table, caser := make([]property, tableSize), cases.Fold()
	for r := range rune(tableSize) {
		table[r] = propertyOf(caser, r)
	}
	return table
}

func (f *Folder) property(r rune) property {
	if r < tableSize {
		return f.table[r]
	}
	return propertyOf(f.caser, r)
}

func propertyOf(caser cases.Caser, r rune) property {
	var flags property
	if r >= 0x300 && !norm.NFKC.PropertiesString(string(r)).BoundaryBefore() {
		flags = joins
	}
	if unicode.IsSpace(r) {
		return ' '
	}
	if ignored(r) {
		return flags | dropped
	}
	folded := foldRune(caser, plain(r))
	if unicode.Is(unicode.Greek, r) {
		folded = []rune(norm.NFKD.String(string(folded)))
	}
	kept := folded[:0]
	for _, f := range folded {
		if !ignored(f) {
			kept = append(kept, plain(f))
		}
	}
	switch len(kept) {
	case 0:
		return flags | dropped
	case 1:
		return (flags | property(kept[0])).withClass(classOf(kept[0]))
	}
	return (flags | several | property(r)).withClass(classOf(r))
}

// foldRune returns what a character folds to.
func foldRune(caser cases.Caser, r rune) []rune {
	// From here on, all full foldings are the simple ones. Most of the table is Han
	// and Hangul, which fold to themselves.
	const simple = 0x2E80
	if r >= simple && unicode.SimpleFold(r) == r && norm.NFKC.IsNormalString(string(r)) {
		return []rune{r}
	}
	return []rune(foldString(caser, string(r)))
}

// plain returns the character for which another is only a better or a lazier
// type: those of keyboards for typographic ones, and "е" for "ё".
func plain(r rune) rune {
	switch r {
	case '‘', '’', '‚', '‛', '′', 'ʼ', 'ʹ', 'ʻ', 'ˈ', '´', '`', '＇':
		return '\''
	case '“', '”', '„', '‟', '″', '«', '»', '＂':
		return '"'
	case '‐', '‑', '‒', '–', '—', '―', '−', '－':
		return '-'
	case 'ё', 'Ё':
		return 'е'
	}
	return r
}

// ignored reports whether a character says nothing about which word it is: an
// invisible one, or a mark that does not make a letter of its own. Marks of
// scripts that write vowels with them, such as Devanagari and Thai, count.
func ignored(r rune) bool {
	const tatweel = 'ـ' // makes an Arabic word longer to the eye
	switch {
	case r < 0x80:
		return false
	case r == tatweel, unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		return true
	case unicode.Is(unicode.Me, r):
		return true
	}
	return unicode.Is(unicode.Mn, r) &&
		unicode.In(r, unicode.Inherited, unicode.Arabic, unicode.Hebrew, unicode.Cyrillic)
}

// withoutSpaces holds the scripts that put no spaces between words. Katakana is
// a class of its own.
var withoutSpaces = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Bopomofo, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar,
	unicode.Tai_Le, unicode.New_Tai_Lue, unicode.Tai_Tham, unicode.Tai_Viet, unicode.Javanese, unicode.Balinese,
}

func classOf(r rune) Class {
	const prolonged = 'ー' // of both kana, but mostly of Katakana
	switch {
	case !unicode.In(r, unicode.L, unicode.N, unicode.M):
		return Other
	case r == prolonged, unicode.Is(unicode.Katakana, r):
		return Katakana
	case !unicode.In(r, withoutSpaces...):
		return Spaced
	case unicode.Is(unicode.M, r):
		return UnspacedEnd
	}
	return Unspaced
}
