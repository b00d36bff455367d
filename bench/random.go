package main

import "math"

// random is a stream of pseudo-random numbers (splitmix64). Each message has
// its own streams, one for each purpose, so that every table can be generated
// independently and is always the same.
type random uint64

// The purposes of streams.
const (
	ofUser = iota + 1
	ofTree
	ofMessage
	ofText
	ofReactions
	ofLabels
	ofToxicity
)

const seed = 20230501

func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

func stream(purpose, a, b uint64) random {
	return random(mix(seed ^ mix(purpose*0x9e3779b97f4a7c15^mix(a<<20^b))))
}

func (r *random) bits() uint64 {
	*r += 0x9e3779b97f4a7c15
	return mix(uint64(*r))
}

// float returns a number in [0, 1).
func (r *random) float() float64 { return float64(r.bits()>>11) / (1 << 53) }

// below returns a number in 0 … n-1.
func (r *random) below(n int) int { return int(r.float() * float64(n)) }

// exponential returns a number of the exponential distribution with the mean 1.
func (r *random) exponential() float64 { return -math.Log(1 - r.float()) }

// normal returns a number of the normal distribution with the mean 0 and the
// deviation 1.
func (r *random) normal() float64 {
	return math.Sqrt(-2*math.Log(1-r.float())) * math.Cos(2*math.Pi*r.float())
}

// weighted draws from fixed weights in constant time (Walker's alias method).
type weighted struct {
	keep  []float64
	other []int32
}

func newWeighted(weights []float64) *weighted {
	n, sum := len(weights), 0.0
	for _, w := range weights {
		sum += w
	}
	t := &weighted{make([]float64, n), make([]int32, n)}
	var small, large []int32
	for i, w := range weights {
		t.keep[i] = w / sum * float64(n)
		if t.keep[i] < 1 {
			small = append(small, int32(i))
		} else {
			large = append(large, int32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		t.other[s] = l
		if t.keep[l] -= 1 - t.keep[s]; t.keep[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, i := range append(small, large...) {
		t.keep[i] = 1
	}
	return t
}

func (t *weighted) draw(r *random) int {
	i := r.below(len(t.keep))
	if r.float() < t.keep[i] {
		return i
	}
	return int(t.other[i])
}
