package linear

// seen is a set of hashes that is cleared at no cost.
type seen struct {
	slots []seenSlot
	round uint32
	used  int
}

type seenSlot struct {
	hash  uint64
	round uint32 // in which the hash was added
}

// seenBits and seenMost bound the memory of a set. A text of 1,000 different
// words adds about 2,000 hashes.
const (
	seenBits = 14
	seenMost = 3 << (seenBits - 2)
)

func newSeen() seen { return seen{slots: make([]seenSlot, 1<<seenBits)} }

func (s *seen) clear() {
	s.used = 0
	s.round++
	if s.round == 0 { // after 2^32 texts, slots of old would look new
		clear(s.slots)
		s.round = 1
	}
}

// add adds a hash, and reports whether it is new. A full set takes no more.
func (s *seen) add(hash uint64) bool {
	for i := hash >> (64 - seenBits); ; i = (i + 1) & (1<<seenBits - 1) {
		switch slot := &s.slots[i]; {
		case slot.round != s.round:
			if s.used == seenMost {
				return false
			}
			s.used++
			*slot = seenSlot{hash, s.round}
			return true
		case slot.hash == hash:
			return false
		}
	}
}
