package scoring

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// bruteAUC compares every troll with every other user.
func bruteAUC(trolls []bool, scores []float64, weights []uint8) float64 {
	var won, pairs float64
	for i, troll := range trolls {
		for j, other := range trolls {
			if !troll || other {
				continue
			}
			weight := float64(weights[i]) * float64(weights[j])
			pairs += weight
			switch {
			case scores[i] > scores[j]:
				won += weight
			case scores[i] == scores[j]:
				won += weight / 2
			}
		}
	}
	return won / pairs
}

// brutePrecision lays every user down as often as they count, and of those who
// share the score at the last place takes what falls to it by chance.
func brutePrecision(trolls []bool, scores []float64, weights []uint8, depth int) float64 {
	var laid []int
	for i, weight := range weights {
		for range weight {
			laid = append(laid, i)
		}
	}
	depth = min(depth, len(laid))
	if depth == 0 {
		return math.NaN()
	}
	sorted := slices.Clone(laid)
	slices.SortFunc(sorted, func(a, b int) int { return int(math.Copysign(1, scores[b]-scores[a])) })
	last := scores[sorted[depth-1]]
	var sure, level, levelTrolls, hits float64
	for _, i := range laid {
		switch {
		case scores[i] > last:
			sure++
			if trolls[i] {
				hits++
			}
		case scores[i] == last:
			level++
			if trolls[i] {
				levelTrolls++
			}
		}
	}
	return (hits + levelTrolls*(float64(depth)-sure)/level) / float64(depth)
}

func near(a, b float64) bool {
	return math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) < 1e-12
}

// TestMeasure compares the one walk down the order with brute force, for every
// user once and for resamples, with many equal scores and few.
func TestMeasure(t *testing.T) {
	draw := rand.New(rand.NewPCG(7, 7))
	for round := range 300 {
		n := draw.IntN(250)
		trolls, scores, weights := make([]bool, n), make([]float64, n), slices.Repeat([]uint8{1}, n)
		distinct, share := 1+draw.IntN(40), draw.Float64()
		for i := range n {
			scores[i] = float64(draw.IntN(distinct) - distinct/2)
			trolls[i] = draw.Float64() < share
			if round%2 > 0 {
				weights[i] = uint8(draw.IntN(4))
			}
		}
		got := newOrder(scores, trolls).measure(weights)
		if want := bruteAUC(trolls, scores, weights); !near(got[0], want) {
			t.Errorf("round %d: AUC %v, want %v", round, got[0], want)
		}
		for i, depth := range Depths {
			if want := brutePrecision(trolls, scores, weights, depth); !near(got[1+i], want) {
				t.Errorf("round %d: precision at %d %v, want %v", round, depth, got[1+i], want)
			}
		}
	}
}

// TestJudgeByHand holds figures that were computed by hand.
func TestJudgeByHand(t *testing.T) {
	const yes, no = true, false
	for name, c := range map[string]struct {
		trolls        []bool
		scores        []float64
		auc           float64
		at20, overall float64
	}{
		"perfect":       {[]bool{yes, yes, no, no}, []float64{4, 3, 2, 1}, 1, 0.5, 0.5},
		"the wrong way": {[]bool{no, no, yes}, []float64{4, 3, 2}, 0, 1.0 / 3, 1.0 / 3},
		"all equal":     {[]bool{yes, no, no, yes}, []float64{0, 0, 0, 0}, 0.5, 0.5, 0.5},
		// lost, level, won: (0 + ½ + 1) ÷ 3
		"one pair of three": {[]bool{yes, no, no, no}, []float64{2, 3, 2, 1}, 0.5, 0.25, 0.25},
	} {
		q := Measure(c.trolls, c.scores)[0]
		if q.AUC == nil || *q.AUC != c.auc || q.Precision[20] != c.at20 || q.Precision[100] != c.overall {
			t.Errorf("%s: %v, %v", name, *q.AUC, q.Precision)
		}
		if q.AUCInterval == nil || q.AUCInterval[0] > c.auc || q.AUCInterval[1] < c.auc {
			t.Errorf("%s: the interval %v does not hold %v", name, q.AUCInterval, c.auc)
		}
	}
	// 19 trolls, then a run of four equal scores with one troll for one place.
	trolls, scores := slices.Repeat([]bool{true}, 19), []float64{}
	for i := range 19 {
		scores = append(scores, float64(100-i))
	}
	trolls, scores = append(trolls, no, yes, no, no), append(scores, 1, 1, 1, 1)
	if got := Measure(trolls, scores)[0].Precision[20]; got != 19.25/20 {
		t.Errorf("precision at 20 is %v, want 19¼ of 20", got)
	}
	for name, trolls := range map[string][]bool{"nobody": nil, "no troll": {no, no}, "trolls only": {yes, yes}} {
		q := Measure(trolls, make([]float64, len(trolls)))[0]
		if q.AUC != nil || q.AUCInterval != nil || len(q.Precision) != min(3, 3*len(trolls)) {
			t.Errorf("%s: %+v", name, q)
		}
	}
}

// TestIntervals holds that intervals are the same each time, and as wide as
// theory has it: a share p of the first k, drawn anew, varies by √(p(1−p)÷k).
func TestIntervals(t *testing.T) {
	draw := rand.New(rand.NewPCG(3, 3))
	trolls, scores := make([]bool, 5000), make([]float64, 5000)
	for i := range trolls {
		scores[i] = float64(-i)
		trolls[i] = draw.Float64() < 0.4
	}
	first, second := Measure(trolls, scores)[0], Measure(trolls, scores)[0]
	if fmt.Sprint(*first.AUCInterval, first.PrecisionInterval) != fmt.Sprint(*second.AUCInterval,
		second.PrecisionInterval) {
		t.Errorf("two looks at the same: %v and %v", first.PrecisionInterval, second.PrecisionInterval)
	}
	for _, depth := range Depths {
		p, around := first.Precision[depth], first.PrecisionInterval[depth]
		want := 2 * 1.96 * math.Sqrt(p*(1-p)/float64(depth))
		if width := around[1] - around[0]; width < want*0.75 || width > want*1.25 || around[0] > p || around[1] < p {
			t.Errorf("precision at %d is %v in %v, want about %v wide", depth, p, around, want)
		}
	}
}

// TestPoisson holds the draws to the distribution.
func TestPoisson(t *testing.T) {
	var counts [9]float64
	for _, drawn := range poisson {
		counts[drawn]++
	}
	want := math.Exp(-1)
	for k := range 8 {
		if got := counts[k] / (1 << 16); math.Abs(got-want) > 1.0/(1<<16) {
			t.Errorf("%d is drawn with the probability %v, want %v", k, got, want)
		}
		want /= float64(k + 1)
	}
}

func TestQuantile(t *testing.T) {
	for share, want := range map[float64]float64{0: 1, 0.025: 1.1, 0.5: 3, 0.975: 4.9, 1: 5} {
		if got := quantile([]float64{1, 2, 3, 4, 5}, share); !near(got, want) {
			t.Errorf("the quantile %v is %v, want %v", share, got, want)
		}
	}
}

// BenchmarkJudge judges two formulas on as many users as the largest collection
// that is planned for has.
func BenchmarkJudge(b *testing.B) {
	draw := rand.New(rand.NewPCG(1, 1))
	trolls, scores := make([]bool, 135_000), [2][]float64{make([]float64, 135_000), make([]float64, 135_000)}
	for i := range trolls {
		trolls[i] = draw.IntN(12) == 0
		scores[0][i], scores[1][i] = math.Floor(draw.ExpFloat64()*5), math.Floor(draw.ExpFloat64()*9)/2
	}
	for b.Loop() {
		Measure(trolls, scores[0], scores[1])
	}
}
