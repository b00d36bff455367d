package likeness

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"treewarden/scoring/rule"
)

// Bands is the number of values of a sketch.
const Bands = 8

const (
	rows = 5            // the bins of a band
	bins = Bands * rows // the bins of a sketch
	// minLetters is the least number of letters of a text that has a sketch. Texts
	// such as "Thank you!" are written again and again by people who copy nothing.
	minLetters = 10
	// empty marks an empty bin. A minimum of this value is one in 2^32.
	empty = math.MaxUint32
)

// Sketch returns a few numbers of a text, by which texts are found that may be
// alike: those that share at least one number. It returns nil for a text of less
// than 10 letters.
//
// The numbers are hashes of the bands of a MinHash with 8 bands of 5 values. The
// MinHash takes one hash of each shingle (one permutation hashing: Li, Owen and
// Zhang, NIPS 2012); a bin that gets none takes the value of another bin (optimal
// densification: Shrivastava, ICML 2017). A pair of likeness s shares a band with
// a chance of about 1-(1-s^5)^8: 0.23 at 0.5, 0.77 at 0.7, 0.96 at 0.8, 0.999 at
// 0.9. Texts with the same letters share all bands. Sketches are stored: another
// way to compute them needs a migration that computes all of them anew.
func Sketch(text string) []int32 {
	scratch := scratches.Get().(*[]byte) // the pool holds only these
	defer scratches.Put(scratch)
	letters := rule.AppendLetters((*scratch)[:0], text)
	if cap(letters) <= keptBytes {
		*scratch = letters
	}
	if len(letters) < minLetters || utf8.RuneCount(letters) < minLetters {
		return nil
	}
	var least [bins]uint32
	for i := range least {
		least[i] = empty
	}
	eachShingle(letters, func(hash uint64) {
		bin := hash >> 32 * bins >> 32
		least[bin] = min(least[bin], uint32(hash))
	})
	return bandsOf(densify(&least)[:], Bands)
}

// scratches holds memory for the letters of a text; longer texts are rare.
var scratches = sync.Pool{New: func() any { return new([]byte) }}

const keptBytes = 1 << 16

// densify returns the values with those of empty bins filled.
func densify(least *[bins]uint32) *[bins]uint32 {
	full := *least
	for i := range full {
		if full[i] != empty {
			continue
		}
		for _, donor := range donors()[i] {
			if least[donor] != empty {
				full[i] = least[donor]
				break
			}
		}
	}
	return &full
}

// donors returns, for each bin, the other bins in the order in which it takes a
// value from one of them: at random, but the same for all texts.
var donors = sync.OnceValue(func() *[bins][]uint8 {
	var all [bins][]uint8
	for i := range all {
		for k := range uint8(bins) {
			all[i] = append(all[i], k)
		}
		place := func(k uint8) uint64 { return xxhash.Sum64([]byte{byte(i), k}) }
		slices.SortFunc(all[i], func(a, b uint8) int { return cmp.Compare(place(a), place(b)) })
	}
	return &all
})

// bandsOf returns the hash of each band, of which there are n of the same length. The
// place of a band is part of its hash, so that a number stands for the same band in all
// sketches.
func bandsOf(values []uint32, n int) []int32 {
	sketch, of := make([]int32, n), len(values)/n
	var memory [1 + 4*max(rows, wordRows)]byte
	band := memory[:1+4*of]
	for i := range sketch {
		band[0] = byte(i)
		for k, v := range values[i*of : (i+1)*of] {
			binary.LittleEndian.PutUint32(band[1+4*k:], v)
		}
		sketch[i] = int32(uint32(xxhash.Sum64(band)))
	}
	return sketch
}
