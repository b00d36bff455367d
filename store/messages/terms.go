package messages

import (
	"slices"
	"strings"

	"treewarden/corpus/search"
	"treewarden/store/db"
)

// terms are conditions on the terms of a message.
type terms struct {
	needs [][][]int32 // as Query.Needs
	langs [][][]int32 // the languages, likewise
	pairs []search.Pair
	of    frequencies
}

// where adds the conditions on message_terms w.
func (t terms) where(q *db.Query) {
	needs := t.needs
	if t.of.findsByLanguage(needs, t.langs) {
		needs = slices.Concat(needs, t.langs)
	}
	needTerms(q, needs)
	needPairs(q, t.pairs)
}

// onDays adds the conditions on message_terms w, as its type says. Few messages of the days
// have the terms, so that their languages need not be looked up.
func (t terms) onDays(q *db.Query, days []int32, share float64) {
	defer needPairs(q, t.pairs)
	if len(days) > mostScans || t.of.rarest(t.needs) < share {
		needTerms(q, t.needs)
		q.Where("w.terms && ?::integer[]", days)
		return
	}
	// The index looks at each message of a day for the terms, not at each of all messages
	// that have the rarest of them.
	adds := make([]func(), len(days))
	for i, day := range days {
		adds[i] = func() { needTerms(q, append(t.needs[:len(t.needs):len(t.needs)], [][]int32{{day}})) }
	}
	q.Any(adds...)
}

// mostScans is the most days that are looked up one by one.
const mostScans = 8

// needPairs adds the conditions that message_terms w may have pairs of words.
func needPairs(q *db.Query, pairs []search.Pair) {
	for _, p := range pairs {
		for _, bit := range p {
			q.Where("get_bit(w.pairs, ?::bigint & (8 * octet_length(w.pairs) - 1)) = 1", int64(bit))
		}
	}
}

// needTerms adds the conditions that message_terms w has what a line needs.
func needTerms(q *db.Query, needs [][][]int32) {
	var all []int32 // what each text needs
	for _, alternatives := range needs {
		switch {
		case len(alternatives) == 1:
			all = append(all, alternatives[0]...)
		case !slices.ContainsFunc(alternatives, func(terms []int32) bool { return len(terms) > 1 }):
			q.Where("w.terms && ?::integer[]", slices.Concat(alternatives...))
		default:
			var either []string
			for _, terms := range alternatives {
				either = append(either, "w.terms @> "+q.Arg(terms)+"::integer[]")
			}
			q.Where("(" + strings.Join(either, " OR ") + ")")
		}
	}
	if len(all) > 0 {
		q.Where("w.terms @> ?::integer[]", all)
	}
}
