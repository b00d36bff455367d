package search

import "slices"

// The constants of [Query.Score]: usualSaturation and usualNormalization are k1 and b as
// Robertson and Zaragoza recommend them, and usualLength stands for the mean length of all
// texts, in tokens. It is no figure of the collection, so that a score does not change when
// other messages come.
const (
	usualSaturation    = 1.2
	usualNormalization = 0.75
	usualLength        = 100
)

// Ranks reports whether [Query.Score] can tell texts apart: whether there is a part that
// must be there.
func (q Query) Ranks() bool {
	return slices.ContainsFunc(q.Groups, func(group []Part) bool {
		return slices.ContainsFunc(group, func(p Part) bool { return !p.Not })
	})
}

// Score returns how well a text matches the words, phrases and expressions of the query:
// from 0 to the number of groups. It does not report whether the text matches.
//
// A part that is n times in a text of l tokens, but not more than [MaxPlaces] times, has the
// weight of BM25 (Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and
// Beyond, 2009) without the inverse document frequency:
//
//	w = n / (n + k1 × (1 − b + b × l / mean length)), with k1 = 1.2, b = 0.75
//
// So each further place adds less, and a place in a long text is worth less than one in a
// short text. A group of one part has its weight. A group of alternatives has
// 1 − (1 − w₁) × (1 − w₂) × …, as if each were independent evidence: two of them are worth
// more than one, and a group is never worth more than 1. The score is the sum of the groups.
// A phrase counts as one word. Parts with a minus and filters do not count.
//
// The inverse document frequency is left out because it changes with the collection, and
// the pages of one search with it, and because nobody knows it for a phrase. It matters
// little here: each text that is found has all groups, so a rare word cannot be missing.
func (q Query) Score(text string) float64 {
	if !q.Ranks() {
		return 0
	}
	m := matcher{text: searched(text)}
	defer m.release()
	m.cut()
	length := float64(len(m.cutter.tokens))
	half := usualSaturation * (1 - usualNormalization + usualNormalization*length/usualLength)
	score := 0.0
	for _, group := range q.Groups {
		missing := 1.0
		for i := range group {
			if group[i].Not {
				continue
			}
			m.spans = m.spans[:0]
			m.find(&group[i])
			n := float64(len(m.spans))
			missing *= 1 - n/(n+half)
		}
		score += 1 - missing
	}
	return score
}
