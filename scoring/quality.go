package scoring

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
)

// WithoutLeakage returns the formula without the leaky signals.
func (f Formula) WithoutLeakage() Formula {
	f.Weights = maps.Clone(f.Weights)
	for _, signal := range LeakySignals {
		f.Weights[signal] = 0
	}
	return f
}

// Depths are the numbers of top places for which precision is measured.
var Depths = []int{20, 50, 100}

// Resamples is the number of bootstrap resamples for an interval.
const Resamples = 200

// Interval is the range from the 2.5th to the 97.5th percentile over the
// resamples.
type Interval [2]float64

// Quality measures how well a score finds sanctioned users. AUC is the
// probability that a sanctioned user has a higher score than another user, with
// ties counted half. It is null if there are no users of one kind. Precision is
// the share of sanctioned users among the first 20, 50 and 100, or among all if
// there are fewer; ties count by their share, independent of order.
type Quality struct {
	AUC               *float64         `json:"auc"`
	AUCInterval       *Interval        `json:"auc_interval"`
	Precision         map[int]float64  `json:"precision"`
	PrecisionInterval map[int]Interval `json:"precision_interval"`
}

// measured holds the values of one sample: AUC, NaN if undefined, and the
// precision at each of Depths, NaN without users.
type measured [4]float64

// Measure returns the quality of several scores of the same users. All scores use
// the same resamples, so that they can be compared.
func Measure(sanctioned []bool, scores ...[]float64) []Quality {
	qualities, _ := measureAll(sanctioned, scores...)
	return qualities
}

// measureAll is like Measure and also returns the values of every resample by score.
func measureAll(sanctioned []bool, scores ...[]float64) ([]Quality, [][]measured) {
	orders, qualities, samples := make([]order, len(scores)), make([]Quality, len(scores)), make([][]measured, len(scores))
	for i, score := range scores {
		orders[i], samples[i] = newOrder(score, sanctioned), make([]measured, Resamples)
	}
	var group sync.WaitGroup
	for part := range parts {
		group.Go(func() {
			weights := make([]uint8, len(sanctioned))
			draw := rand.NewPCG(1, uint64(part)) // a fixed seed gives the same result each time
			for n := part; n < Resamples; n += parts {
				resample(weights, draw)
				for i := range orders {
					samples[i][n] = orders[i].measure(weights)
				}
			}
		})
	}
	group.Wait()
	once := slices.Repeat([]uint8{1}, len(sanctioned))
	for i := range qualities {
		qualities[i] = newQuality(orders[i].measure(once), samples[i])
	}
	return qualities, samples
}

// parts is the number of parts of the resamples, each with its own random
// numbers, so that the result does not depend on the number of processors.
const parts = 8

func newQuality(whole measured, samples []measured) Quality {
	q := Quality{Precision: map[int]float64{}, PrecisionInterval: map[int]Interval{}}
	if !math.IsNaN(whole[0]) {
		q.AUC = &whole[0]
		if around, ok := interval(column(samples, 0)); ok {
			q.AUCInterval = &around
		}
	}
	for i, depth := range Depths {
		if math.IsNaN(whole[1+i]) {
			continue
		}
		q.Precision[depth] = whole[1+i]
		if around, ok := interval(column(samples, 1+i)); ok {
			q.PrecisionInterval[depth] = around
		}
	}
	return q
}

func column(samples []measured, i int) []float64 {
	values := make([]float64, len(samples))
	for n, sample := range samples {
		values[n] = sample[i]
	}
	return values
}

// interval returns the middle 95 % of values without NaN; ok is false if none is
// left.
func interval(values []float64) (around Interval, ok bool) {
	values = slices.DeleteFunc(values, math.IsNaN)
	if len(values) == 0 {
		return around, false
	}
	slices.Sort(values)
	return Interval{quantile(values, 0.025), quantile(values, 0.975)}, true
}

// quantile interpolates between sorted values.
func quantile(sorted []float64, share float64) float64 {
	at := share * float64(len(sorted)-1)
	below := int(at)
	if below+1 == len(sorted) {
		return sorted[below]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}

// order holds users by descending score. It is sorted once: a resample only
// changes the weights of users.
type order struct {
	users []uint32 // index × 2, + 1 for a sanctioned user
	ends  []int    // where each run of equal scores ends
}

func newOrder(scores []float64, sanctioned []bool) order {
	type scored struct {
		score float64
		user  uint32
	}
	sorted := make([]scored, len(scores))
	for i, score := range scores {
		sorted[i] = scored{score, uint32(i) << 1} // there are fewer than 2^31 users
		if sanctioned[i] {
			sorted[i].user++
		}
	}
	slices.SortFunc(sorted, func(a, b scored) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return 0
	})
	o := order{users: make([]uint32, len(sorted))}
	for i, s := range sorted {
		o.users[i] = s.user
		if i+1 == len(sorted) || sorted[i+1].score != s.score {
			o.ends = append(o.ends, i+1)
		}
	}
	return o
}

// measure measures the order with each user counted weights[user] times.
func (o order) measure(weights []uint8) (m measured) {
	var others, sanctioned, lost int64 // so far; lost is twice the number of pairs with the other user first
	var found [3]float64
	begin := 0
	for _, end := range o.ends {
		var run, bad int64 // of one score: users, and sanctioned ones among them
		for _, user := range o.users[begin:end] {
			weight := int64(weights[user>>1])
			run += weight
			bad += weight * int64(user&1)
		}
		begin = end
		lost += bad * (2*others + run - bad)
		if seen := others + sanctioned; seen < int64(Depths[2]) && bad > 0 {
			for i, depth := range Depths {
				found[i] += float64(bad) * min(1, float64(max(0, int64(depth)-seen))/float64(run))
			}
		}
		others, sanctioned = others+run-bad, sanctioned+bad
	}
	m[0] = 1 - float64(lost)/float64(2*others*sanctioned) // 0 ÷ 0 is NaN
	for i, depth := range Depths {
		m[1+i] = found[i] / float64(min(int64(depth), others+sanctioned))
	}
	return m
}

// poisson maps 16 random bits to a draw from the Poisson distribution with mean
// 1: the number of times that one of many users is drawn in a resample of the
// same size. Independent draws need neither a sort nor random access.
var poisson = func() (table [1 << 16]uint8) {
	share, below, drawn := math.Exp(-1), 0.0, uint8(0)
	for i := range table {
		for drawn < 8 && float64(i) >= math.Round((below+share)*(1<<16)) {
			below += share
			drawn++
			share /= float64(drawn)
		}
		table[i] = drawn
	}
	return table
}()

// resample draws the weights of all users, four from each random number.
func resample(weights []uint8, draw *rand.PCG) {
	for i := 0; i < len(weights); i += 4 {
		bits := draw.Uint64()
		for j := i; j < min(i+4, len(weights)); j++ {
			weights[j] = poisson[bits&(1<<16-1)]
			bits >>= 16
		}
	}
}
