package admin

import "treewarden/store"

// siblings links a message to the other replies to its parent.
type siblings struct {
	Place, Of  int
	Prev, Next string // addresses; empty at the ends
}

// siblingsOf returns a message's place among its siblings, or nil if it has
// none.
func siblingsOf(m store.MessageDetail) *siblings {
	if len(m.Siblings) < 2 {
		return nil
	}
	s := &siblings{Of: len(m.Siblings)}
	for i, sibling := range m.Siblings {
		if sibling.MessageID != m.MessageID {
			continue
		}
		s.Place = i + 1
		if i > 0 {
			s.Prev = "/messages/" + m.Siblings[i-1].MessageID.String()
		}
		if i < len(m.Siblings)-1 {
			s.Next = "/messages/" + m.Siblings[i+1].MessageID.String()
		}
	}
	return s
}

// placeBy returns a rank in words, such as "1st of 3"; the best rank is 0. It is
// empty without a rank.
func placeBy(rank *int, siblings int) string {
	if rank == nil {
		return ""
	}
	n := *rank + 1
	ending := "th"
	if n%100 < 11 || n%100 > 13 {
		ending = map[int]string{1: "st", 2: "nd", 3: "rd"}[n%10]
		if ending == "" {
			ending = "th"
		}
	}
	if n < 1 || n > siblings {
		return "rank " + number(*rank) // the data contradict themselves
	}
	return number(n) + ending + " of " + number(siblings)
}
