package search

import (
	"math/bits"
	"slices"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"treewarden/scoring/fold"
)

// MaxSearched is the number of bytes of a text, from its start, that are indexed
// and matched. It covers the longest message (corpus.MaxText is 20,000 characters)
// in letters of up to 3 bytes, as those of nearly all living scripts are. It bounds
// the terms of a text too, which are 2 for each letter of Chinese. Where it ends
// inside a word, the word ends there.
const MaxSearched = 64 << 10

// Terms returns the sorted, distinct terms of a text, for the index: they are
// compared with those of [Query.Needs]. It uses the memory of dst, and what dst
// held is lost.
//
// A term is a hash of 32 bits: xxHash64 of the folded letters in UTF-8, the upper
// half combined with the lower by XOR. Two words have the same term once in 4
// billion pairs, so a text that is found by its terms must be matched too. Terms
// are stored: another way to compute them needs a migration that computes all of
// them anew.
//
// The terms are those of the words and, in scripts without spaces and of symbols,
// of each character and of each two that follow each other, whatever stands
// between.
func Terms(text string, dst []int32) []int32 {
	c := newCutter()
	defer c.release()
	c.cut(text)
	dst = dst[:0]
	for i := range c.tokens {
		t := &c.tokens[i]
		dst = append(dst, term(t.hash))
		if i > 0 && t.kind != word && c.tokens[i-1].kind != word {
			dst = append(dst, c.pair(i))
		}
	}
	slices.Sort(dst)
	return slices.Compact(dst)
}

// Pair is what [Pairs] keeps of two tokens that follow each other: the numbers of two bits.
type Pair [2]uint32

func pairOf(before, after uint64) Pair {
	const golden = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio, as in Fibonacci hashing
	hash := (bits.RotateLeft64(before, 1) ^ after) * golden
	return Pair{uint32(hash >> 32), uint32(hash)}
}

// leastPairs and mostPairs are the sizes of the shortest and the longest result of Pairs.
const leastPairs, mostPairs = 8, 1 << 12

// Pairs returns a Bloom filter (Bloom 1970) of the pairs of words of a text that follow each
// other, by which most texts that have the words of a phrase apart are left out. Each pair
// sets its two bits; bit n is that of the value 1<<(n%8) in byte n/8, as PostgreSQL's get_bit
// has it, where n is the number modulo the number of bits. The length is a power of two, of
// at least as many bytes as there are pairs: up to 5 % of other pairs seem to be there. It
// uses the memory of dst.
func Pairs(text string, dst []byte) []byte {
	c := newCutter()
	defer c.release()
	c.cut(text)
	size := leastPairs
	for size < len(c.tokens) && size < mostPairs {
		size *= 2
	}
	dst = slices.Grow(dst[:0], size)[:size]
	clear(dst)
	for i := 1; i < len(c.tokens); i++ {
		for _, n := range pairOf(c.tokens[i-1].hash, c.tokens[i].hash) {
			n &= uint32(8*size - 1)
			dst[n/8] |= 1 << (n % 8)
		}
	}
	return dst
}

// LanguageTerm returns the term of the language of a message, which no text has. The index
// keeps it with the terms of the text, so that it finds a word in one language.
func LanguageTerm(lang string) int32 { return term(xxhash.Sum64String("\x00" + lang)) }

// DayTerm returns the term of the day, in UTC, in which a message was written, which no
// text has. With it the index finds a common word in the newest days alone.
func DayTerm(at time.Time) int32 {
	var name [16]byte
	return term(xxhash.Sum64(at.UTC().AppendFormat(name[:0], "\x00\x002006-01-02")))
}

// term returns the lower half of a hash, combined with the upper.
func term(hash uint64) int32 { return int32(uint32(hash ^ hash>>32)) }

// searched returns the part of a text that is searched.
func searched(text string) string {
	if len(text) <= MaxSearched {
		return text
	}
	end := MaxSearched
	for end > MaxSearched-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// kind tells how a token is found.
type kind uint8

const (
	nothing   kind = iota // a space, punctuation: no token
	word                  // found as a whole
	character             // one of a script without spaces, or of Hangul, with its marks
	symbol                // one such as an emoji
)

// token is a piece of a text that is found as a whole.
type token struct {
	hash       uint64 // of its letters
	start, end uint32 // its letters, in cutter.letters
	from, to   uint32 // byte offsets into the text
	kind       kind
	apart      bool // something stands between it and the token before
}

// cutter cuts texts into tokens, again and again in the same memory.
type cutter struct {
	letters []byte // the folded letters of all tokens
	tokens  []token
	after   bool // something stands after the last token
}

var cutters = sync.Pool{New: func() any { return new(cutter) }}

func newCutter() *cutter { return cutters.Get().(*cutter) } // the pool holds only cutters

// release keeps the memory for the next text, of at most 1.5 MiB.
func (c *cutter) release() {
	if cap(c.tokens) <= MaxSearched/2 && cap(c.letters) <= 4*MaxSearched {
		cutters.Put(c)
	}
}

// cut sets tokens and letters to those of a text.
//
// Words are cut by the rules of Unicode (UAX #29), but at each sign inside too: a
// word is found in "l'homme", "example.com" and "snake_case", which are one word
// by these rules. "don't" is the words "don" and "t", which follow each other.
func (c *cutter) cut(text string) {
	f := fold.Get()
	defer f.Release()
	f.Fold(searched(text))
	c.letters, c.tokens = c.letters[:0], c.tokens[:0]
	end := 0 // of the last token
	for i := 0; i < len(f.Units); {
		first, kind := i, kindOf(&f.Units[i])
		if i++; kind == nothing {
			continue
		}
		start := len(c.letters)
		c.add(f.Units[first].Rune)
		if kind == word {
			for ; i < len(f.Units) && isWord(&f.Units[i]); i++ {
				c.add(f.Units[i].Rune)
			}
		} else {
			for ; i < len(f.Units) && continues(kind, f.Units[first:], i-first); i++ {
				c.add(f.Units[i].Rune)
			}
		}
		c.tokens = append(c.tokens, token{
			hash: xxhash.Sum64(c.letters[start:]), start: uint32(start), end: uint32(len(c.letters)),
			from: f.Units[first].From, to: f.Units[i-1].To, kind: kind, apart: first > end,
		})
		end = i
	}
	c.after = end < len(f.Units)
}

// add adds a letter. The four letters i, I, ı and İ are one: I and i are the same
// without a language.
func (c *cutter) add(r rune) {
	switch {
	case r < utf8.RuneSelf:
		c.letters = append(c.letters, byte(r))
	case r == 'ı':
		c.letters = append(c.letters, 'i')
	default:
		c.letters = utf8.AppendRune(c.letters, r)
	}
}

// continues reports whether unit i belongs to the character or symbol that starts
// with unit 0.
func continues(kind kind, units []fold.Unit, i int) bool {
	if kind == character {
		return units[i].Class == fold.UnspacedEnd
	}
	return i == 1 && isRegional(units[0].Rune) && isRegional(units[1].Rune) // a flag
}

func isRegional(r rune) bool { return r >= '🇦' && r <= '🇿' }

func kindOf(u *fold.Unit) kind {
	switch {
	case isWord(u):
		return word
	case u.Class != fold.Other:
		return character
	case u.Rune >= utf8.RuneSelf && isSymbol(u.Rune):
		return symbol
	}
	return nothing
}

// isWord reports whether a character is found only as a part of a word.
func isWord(u *fold.Unit) bool {
	const firstHangul = 0x1100
	return u.Class == fold.Spaced && (u.Rune < firstHangul || !unicode.Is(unicode.Hangul, u.Rune))
}

// isSymbol reports whether a character is an emoji or alike, or its skin color.
func isSymbol(r rune) bool { return unicode.Is(unicode.So, r) || r >= '🏻' && r <= '🏿' }

// pair returns the term of a token and the one before.
func (c *cutter) pair(i int) int32 {
	return term(xxhash.Sum64(c.letters[c.tokens[i-1].start:c.tokens[i].end]))
}
