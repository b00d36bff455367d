package scoring

import (
	"math"
	"time"
)

// The limits from which two raters are named as a pair that votes together.
const (
	// RingWithin is the time between two votes that count as given together. People
	// who arrange a vote follow each other within minutes. Those who only meet the same
	// message do so over hours; an hour would cover one evening of work of both.
	RingWithin = 10 * time.Minute
	// RingTargets is the least number of common targets. Fewer say nothing, however
	// rare they are: two friends who answer in the same thread have them.
	RingTargets = 5
	// RingChance is the greatest chance, over all pairs that were looked at. If
	// somebody looks at 10,000 raters, one in a hundred such looks names a wrong pair.
	RingChance = 1e-6
	// RingRatio is the least ratio of the common targets to those expected. The number
	// of all votes is an estimate, which may be wrong by a factor of two, and a
	// great number of targets makes even a small excess improbable.
	RingRatio = 4
)

// RingOdds says how far what two raters voted on together is beyond chance.
type RingOdds struct {
	Expected float64 `json:"expected"` // targets in common by chance, at most
	Ratio    float64 `json:"ratio"`    // of the targets in common to the expected ones
	// Chance is the probability, 0 to 1, that any of the pairs looked at has so many
	// targets in common by chance, at most.
	Chance float64 `json:"chance"`
}

// ExpectedTogether returns the number of targets of a rater that another one would vote
// on too, if they voted independently. votes holds, for each target of the rater, the
// number of votes by others; all is the number of all votes by others in the same time,
// on any target; given is the number of targets of the other rater.
//
//	expected = Σ min(1, given × votes of the target ÷ all)
//
// Each vote of the other rater falls on a target with that target's share of all votes:
// popular targets are common without arrangement. If N targets have the same number
// of votes, this is n₁ × n₂ ÷ N. The time between the votes is left out, so that the true
// number is smaller.
func ExpectedTogether(votes []int, all, given int) float64 {
	sum := 0
	for _, n := range votes {
		sum += n
	}
	all = max(all, sum) // all is an estimate
	expected := 0.0
	for _, n := range votes {
		if n > 0 {
			expected += min(1, float64(given)*float64(n)/float64(all))
		}
	}
	return expected
}

// OddsOf compares the number of common targets with the expected one. The chance is the
// tail of the Poisson distribution, P(X ≥ shared), times the number of pairs that were
// looked at (Bonferroni). Above the mean the tail of a sum of independent events is no
// longer than Poisson's (Hoeffding 1956), so that the chance errs towards innocence.
//
// Tumminello et al., "Statistically validated networks in bipartite complex systems",
// PLoS ONE 6(3), 2011, judge common neighbours so, by the hypergeometric distribution
// among targets of the same popularity.
func OddsOf(shared int, expected float64, pairs int) RingOdds {
	odds := RingOdds{Expected: expected, Chance: min(1, PoissonTail(shared, expected)*float64(max(1, pairs)))}
	if expected > 0 {
		odds.Ratio = float64(shared) / expected
	}
	return odds
}

// Together reports whether two raters with so many common targets are named.
func (o RingOdds) Together(shared int) bool {
	return shared >= RingTargets && o.Ratio >= RingRatio && o.Chance < RingChance
}

// PoissonTail returns the probability that a Poisson variable of a mean is at least k.
func PoissonTail(k int, mean float64) float64 {
	switch {
	case k <= 0:
		return 1
	case mean <= 0:
		return 0
	}
	// The sum from k on loses no digits where it is small. Up to the mean the terms
	// grow, and the sum below k is the shorter one.
	if float64(k) <= mean {
		below := 0.0
		for i := k - 1; i >= 0; i-- {
			below += poissonAt(i, mean)
		}
		return max(0, 1-below)
	}
	sum, term := 0.0, poissonAt(k, mean)
	for i := k + 1; term > sum*1e-16; i++ {
		sum += term
		term *= mean / float64(i)
	}
	return min(1, sum)
}

// poissonAt returns the probability that a Poisson variable is k.
func poissonAt(k int, mean float64) float64 {
	factorial, _ := math.Lgamma(float64(k) + 1)
	return math.Exp(float64(k)*math.Log(mean) - mean - factorial)
}
