package linear

import "math/bits"

// seen is a set of hashes. It is as small as it can be, so that it stays in the
// processor's first cache, and grows.
type seen struct {
	slots      []uint64 // 0 where there is no hash; a part of all
	all, spare []uint64
	used       int
	shift      int // of a hash: its upper bits are its place
}

// seenLeast and seenBits bound the number of slots, as powers of two. A text of
// 1,000 different words adds about 2,000 hashes.
const (
	seenLeast = 6
	seenBits  = 14
)

func newSeen() seen {
	return seen{all: make([]uint64, 1<<seenBits), spare: make([]uint64, 1<<seenBits)}
}

// clear prepares the set for a text of so many characters.
func (s *seen) clear(characters int) {
	// Most texts add a hash for each three or four characters.
	s.empty(min(max(bits.Len(uint(characters/2)), seenLeast), seenBits))
	s.used = 0
}

// empty makes the set one of 1<<n empty slots.
func (s *seen) empty(n int) {
	s.slots, s.shift = s.all[:1<<n], 64-n
	clear(s.slots)
}

// add adds a hash, and reports whether it is new. A full set takes no more.
func (s *seen) add(hash uint64) bool {
	hash = max(hash, 1)
	slot := s.find(hash)
	if *slot == hash {
		return false
	}
	if s.used == len(s.slots)/4*3 {
		if len(s.slots) == len(s.all) {
			return false
		}
		s.grow()
		slot = s.find(hash)
	}
	s.used++
	*slot = hash
	return true
}

// find returns the slot of a hash, or the empty one where it belongs.
func (s *seen) find(hash uint64) *uint64 {
	for i := int(hash >> s.shift); ; i++ {
		slot := &s.slots[i&(len(s.slots)-1)]
		if *slot == hash || *slot == 0 {
			return slot
		}
	}
}

// grow doubles the set.
func (s *seen) grow() {
	before := s.slots
	s.all, s.spare = s.spare, s.all
	s.empty(64 - s.shift + 1)
	for _, hash := range before {
		if hash != 0 {
			*s.find(hash) = hash
		}
	}
}
