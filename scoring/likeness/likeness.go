// Package likeness tells how alike two texts are, and finds texts that may be
// alike without comparing each with each.
package likeness

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"treewarden/scoring/rule"
)

// shingleLetters is the number of letters of a shingle. Shorter ones are common
// to unlike texts of one language: two English texts of OASST2 with about 500
// characters have a likeness of 0.11 with 3 letters, of 0.01 with 5.
const shingleLetters = 5

// Shingles is the set of the runs of 5 letters in a text, as sorted hashes of 64
// bits. Two different shingles of a pair of texts have the same hash about once in
// 10^13 pairs of 1,000 letters.
//
// Only letters and digits count: white space, punctuation, case and the Unicode
// form do not matter. They are folded as in package rule. A text of less than 5
// letters is one shingle, and so is a text without letters, such as "?!", of
// which all but white space counts. Every text has a shingle, even an empty one.
type Shingles []uint64

// ShinglesOf returns the shingles of a text.
func ShinglesOf(text string) Shingles {
	letters := rule.AppendLetters(make([]byte, 0, len(text)), text)
	if len(letters) == 0 {
		return Shingles{xxhash.Sum64String("\x00" + strings.Join(strings.Fields(text), " "))}
	}
	s := make(Shingles, 0, len(letters))
	eachShingle(letters, func(hash uint64) { s = append(s, hash) })
	slices.Sort(s)
	return slices.Compact(s)
}

// eachShingle calls do with the hash of each shingle of folded letters. One that
// is in the text twice comes twice.
func eachShingle(letters []byte, do func(hash uint64)) {
	from, to := 0, 0
	for range shingleLetters {
		to = next(letters, to)
	}
	for {
		do(xxhash.Sum64(letters[from:to]))
		if to == len(letters) {
			return
		}
		from, to = next(letters, from), next(letters, to)
	}
}

// next returns the offset of the letter after the one at an offset.
func next(letters []byte, at int) int {
	if at == len(letters) {
		return at
	}
	if letters[at] < utf8.RuneSelf {
		return at + 1
	}
	_, n := utf8.DecodeRune(letters[at:])
	return at + n
}

// Likeness returns the Jaccard index of two sets: the shingles that are in both,
// divided by those that are in either.
func (s Shingles) Likeness(other Shingles) float64 {
	both, i, k := 0, 0, 0
	for i < len(s) && k < len(other) {
		switch a, b := s[i], other[k]; {
		case a < b:
			i++
		case a > b:
			k++
		default:
			both, i, k = both+1, i+1, k+1
		}
	}
	return float64(both) / float64(len(s)+len(other)-both)
}

// Likeness returns how alike two texts are, from 0 to 1: the Jaccard index of
// their [Shingles]. Texts with the same letters in the same order are 1.
func Likeness(a, b string) float64 { return ShinglesOf(a).Likeness(ShinglesOf(b)) }
