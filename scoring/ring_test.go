package scoring

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// tail12 is P(X ≥ 12) of mean 0.4, by decimal numbers of 60 digits, as the others below.
const tail12 = 2.42218298573003e-14

func TestPoissonTail(t *testing.T) {
	for _, test := range []struct {
		k    int
		mean float64
		want float64
	}{
		{0, 3, 1},
		{1, 0, 0},
		{1, 0.5, 1 - math.Exp(-0.5)},
		{2, 3, 1 - 4*math.Exp(-3)}, // 1 − e⁻³ (1 + 3)
		{3, 3, 1 - 8.5*math.Exp(-3)},
		{5, 1, 1 - math.Exp(-1)*(1+1+1.0/2+1.0/6+1.0/24)}, // 0.00366
		{12, 0.4, tail12},
		{40, 8, 6.78072135931023e-16},
		{60, 2, 1.93867816306129e-65},
		{500, 20, 0},
		{500, 5000, 1},
	} {
		if got := PoissonTail(test.k, test.mean); math.Abs(got-test.want) > 1e-9*test.want {
			t.Errorf("P(X ≥ %d) of mean %v is %v, want %v", test.k, test.mean, got, test.want)
		}
	}
}

func TestExpectedTogether(t *testing.T) {
	for _, test := range []struct {
		name       string
		votes      []int
		all, given int
		want       float64
	}{
		{"no target with another vote", nil, 100, 10, 0},
		{"as n₁ × n₂ ÷ N: 4 × 10 ÷ 50", []int{2, 2, 2, 2}, 100, 10, 0.8},
		{"popular targets are certain to be shared", []int{50, 1}, 100, 10, 1.1},
		{"an estimate below the votes that were seen", []int{3, 3, 3, 3}, 0, 4, 4},
		{"a target without votes", []int{0, 0}, 0, 4, 0},
		{"a partner without votes", []int{5, 5}, 20, 0, 0},
	} {
		if got := ExpectedTogether(test.votes, test.all, test.given); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestOddsOf(t *testing.T) {
	for _, test := range []struct {
		name     string
		shared   int
		expected float64
		pairs    int
		ratio    float64
		chance   float64
		together bool
	}{
		{"far beyond chance", 12, 0.4, 200, 30, 200 * tail12, true},
		{"the same among too many pairs", 12, 0.4, 1_000_000_000, 30, 1e9 * tail12, false},
		{"as expected", 12, 12, 1, 1, 1 - poissonBelow(12, 12), false},
		{"too few targets, however rare", 4, 0.0001, 1, 40000, PoissonTail(4, 0.0001), false},
		{"the least number of targets", 5, 0.01, 1, 500, PoissonTail(5, 0.01), true},
		{"improbable, but not by much more", 300, 150, 1, 2, PoissonTail(300, 150), false},
		{"nothing in common", 0, 0, 0, 0, 1, false},
	} {
		got := OddsOf(test.shared, test.expected, test.pairs)
		if got.Expected != test.expected || math.Abs(got.Ratio-test.ratio) > 1e-9*test.ratio ||
			math.Abs(got.Chance-test.chance) > 1e-9*test.chance || got.Together(test.shared) != test.together {
			t.Errorf("%s: %+v, together: %v", test.name, got, got.Together(test.shared))
		}
	}
	if odds := OddsOf(3, 2, 1000); odds.Chance != 1 {
		t.Errorf("a chance above 1: %v", odds.Chance)
	}
}

// poissonBelow returns P(X < k) by the definition.
func poissonBelow(k int, mean float64) float64 {
	sum, term := 0.0, math.Exp(-mean)
	for i := range k {
		sum += term
		term *= mean / float64(i+1)
	}
	return sum
}

// TestExpectedTogetherIsEnough draws raters who vote independently, by the popularity of
// the targets: what they have in common is what is expected.
func TestExpectedTogetherIsEnough(t *testing.T) {
	var shares []int // a target stands in it as often as others voted on it
	for target := range 100 {
		for range 1 + target%5 {
			shares = append(shares, target)
		}
	}
	random, sum, expected := rand.New(rand.NewPCG(1, 2)), 0, 0.0
	const rounds, given = 400, 20
	for range rounds {
		one, other := map[int]bool{}, map[int]bool{}
		for len(one) < given {
			one[shares[random.IntN(len(shares))]] = true
		}
		for len(other) < given {
			other[shares[random.IntN(len(shares))]] = true
		}
		var votes []int
		for target := range one {
			votes = append(votes, 1+target%5)
			if other[target] {
				sum++
			}
		}
		slices.Sort(votes)
		expected += ExpectedTogether(votes, len(shares), given)
	}
	if ratio := float64(sum) / expected; ratio < 0.8 || ratio > 1 {
		t.Errorf("independent raters have %d targets in common, %v expected", sum, expected)
	}
}
