package samples

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// candidate is a message that a sample may hold, with its first judgement.
type candidate struct {
	MessageID uuid.UUID
	Lang      string
	Kind      string
	ActorID   *uuid.UUID
	Reason    string
	ActionID  int64
	DecidedAt time.Time
	First     bool

	stratum string `db:"-"`
	rank    []byte `db:"-"`
}

// draw chooses n of a population. It orders the messages by a hash of the seed
// and the id, so that neither the order of the rows nor the version of a random
// generator matters.
func draw(population []candidate, seed int64, n int) []candidate {
	strata := map[string]int{}
	for i, c := range population {
		rank := sha256.Sum256([]byte(strconv.FormatInt(seed, 10) + " " + c.MessageID.String()))
		population[i].rank = rank[:]
		strata[c.stratum]++
	}
	slices.SortFunc(population, func(a, b candidate) int { return bytes.Compare(a.rank, b.rank) })
	left := allocate(strata, n)
	var chosen []candidate
	for _, c := range population {
		if left[c.stratum] > 0 {
			left[c.stratum]--
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// allocate divides n items among strata in proportion to their sizes, by the
// largest remainder. If n allows, each stratum gets one.
func allocate(sizes map[string]int, n int) map[string]int {
	total := 0
	for _, size := range sizes {
		total += size
	}
	n = min(n, total)
	least := 0
	if n >= len(sizes) {
		least = 1
	}
	given, rest := map[string]int{}, n
	for name, size := range sizes {
		given[name] = max(least, n*size/total)
		rest -= given[name]
	}
	// lack is what a stratum lacks of its share, times total.
	lack := func(name string) int { return n*sizes[name] - given[name]*total }
	names := slices.Sorted(maps.Keys(sizes))
	for ; rest > 0; rest-- {
		open := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return given[name] == sizes[name] })
		given[slices.MaxFunc(open, func(a, b string) int { return cmp.Compare(lack(a), lack(b)) })]++
	}
	for ; rest < 0; rest++ {
		open := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return given[name] == least })
		given[slices.MinFunc(open, func(a, b string) int { return cmp.Compare(lack(a), lack(b)) })]--
	}
	return given
}
