// package demo makes the demonstration: a generated collection of conversations
// in twelve languages with its contributors, honest ones and several kinds of
// troll, and all that they did to each other's messages; how it is loaded; and
// the staff who work on it.
//
// Everything is composed from vocabularies of our own (languages/*.txt); nothing
// is copied from a real collection. Generate is pure: no SQL, no clock, no network.
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

// Options choose a corpus. The same options give the same corpus.
type Options struct {
	Seed  uint64
	Scale int       // multiplies users and trees; less than 1 is 1
	Now   time.Time // the moment up to which the corpus runs; nothing in it is later
}

// Generate makes a corpus. At scale 1 it has 300 users and 2,000 trees; it is
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

// generator holds a corpus in the making.
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

// id makes a random (version 4) UUID out of the seed.
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

// between picks a moment from a span.
func (g *generator) between(from, to time.Time) time.Time {
	if !to.After(from) {
		return from
	}
	return from.Add(time.Duration(g.rand.Int64N(int64(to.Sub(from))))).Truncate(time.Microsecond)
}

// after picks a moment that follows another by a typical time, and mostly by
// less; it may lie beyond now.
func (g *generator) after(at time.Time, typical time.Duration) time.Time {
	return at.Add(time.Minute + time.Duration(g.rand.ExpFloat64()*float64(typical))).Truncate(time.Microsecond)
}

// soon is after, held back to the time that is left until now.
func (g *generator) soon(at time.Time, typical time.Duration) time.Time {
	if later := g.after(at, typical); later.Before(g.now) {
		return later
	}
	return g.between(at, g.now)
}
