// Package demo makes the demonstration. It generates a collection of
// conversations in twelve languages, with honest contributors, several kinds of
// troll, and their votes, reactions and reports. It loads the collection, and
// makes the staff who act on it.
//
// All texts are composed from vocabularies of our own (languages/*.txt);
// nothing is copied from a real collection. Generate is pure: no SQL, no clock,
// no network.
package demo

import (
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
)

// The size of a corpus at scale 1.
const (
	usersPerScale = 300
	treesPerScale = 2000
)

// Options sets the size and the time of a corpus. The same options give the
// same corpus.
type Options struct {
	Seed  uint64
	Scale int       // multiplies users and trees; less than 1 is 1
	Now   time.Time // the end of the corpus; nothing in it is later
}

// Generate makes a corpus. At scale 1 it has 300 users and 2,000 trees. It is
// held in memory as a whole, some 20 MB for each unit of scale.
func Generate(o Options) Corpus {
	g := &generator{
		rand: rand.New(rand.NewPCG(o.Seed, 0x7265656e)),
		now:  o.Now.UTC().Truncate(time.Microsecond),
		size: max(o.Scale, 1),
	}
	g.cast()
	g.plant()
	g.troll()
	g.curious()
	for _, tree := range g.trees {
		for _, n := range tree.nodes {
			g.review(n)
			g.react(n)
			g.report(n)
			g.classify(n)
		}
		g.conclude(tree)
	}
	g.voteDown()
	g.collect()
	return g.out
}

// generator holds the state of a corpus that is being generated.
type generator struct {
	rand  *rand.Rand
	now   time.Time
	size  int
	crew  crew
	trees []*tree
	out   Corpus
}

func (g *generator) chance(p float64) bool { return g.rand.Float64() < p }

func (g *generator) pick(list []string) string { return list[g.rand.IntN(len(list))] }

// some picks up to n different entries of a list, in any order.
func (g *generator) some(list []string, n int) []string {
	n = min(n, len(list))
	picked := make([]string, n)
	for i, j := range g.rand.Perm(len(list))[:n] {
		picked[i] = list[j]
	}
	return picked
}

// id makes a random (version 4) UUID from the seed.
func (g *generator) id() uuid.UUID {
	var id uuid.UUID
	for i := 0; i < 16; i += 8 {
		bits := g.rand.Uint64()
		for j := range 8 {
			id[i+j] = byte(bits >> (8 * j))
		}
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// between picks a time within a span.
func (g *generator) between(from, to time.Time) time.Time {
	if !to.After(from) {
		return from
	}
	return from.Add(time.Duration(g.rand.Int64N(int64(to.Sub(from))))).Truncate(time.Microsecond)
}

// after picks a time that follows another by a typical delay, and mostly by
// less. It may be later than now.
func (g *generator) after(at time.Time, typical time.Duration) time.Time {
	return at.Add(time.Minute + time.Duration(g.rand.ExpFloat64()*float64(typical))).Truncate(time.Microsecond)
}

// soon is after, limited to the time until now.
func (g *generator) soon(at time.Time, typical time.Duration) time.Time {
	if later := g.after(at, typical); later.Before(g.now) {
		return later
	}
	return g.between(at, g.now)
}
