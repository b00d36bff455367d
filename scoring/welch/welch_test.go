package welch_test

import (
	"math"
	"testing"

	"treewarden/scoring/welch"
)

func sample(values ...float64) (s welch.Sample) {
	for _, v := range values {
		s.Add(welch.Sample{N: 1, Sum: v, Squares: v * v})
	}
	return s
}

// TestQuantile compares with the printed tables of Student's t distribution.
func TestQuantile(t *testing.T) {
	t.Parallel()
	for freedom, want := range map[float64]float64{1: 12.7062, 2: 4.3027, 3: 3.1824, 5: 2.5706, 10: 2.2281, 30: 2.0423,
		120: 1.9799, 1e6: 1.9600, 1e12: 1.9600} {
		if got := welch.Quantile(freedom); math.Abs(got-want) > 5e-5 {
			t.Errorf("of %v degrees of freedom: %.5f, want %.4f", freedom, got, want)
		}
	}
}

// TestInterval compares with figures computed by hand: means 2 and 5, variances 1 and
// 10, so that the squared standard errors are 1/3 and 10/5 and the degrees of freedom
// (7/3)² / ((1/3)²/2 + 2²/4) = 49/9 / (19/18) = 98/19 ≈ 5.158. The t value of these lies
// between those of 5 and 6 degrees, 2.5706 and 2.4469.
func TestInterval(t *testing.T) {
	t.Parallel()
	a, b := sample(1, 2, 3), sample(1, 3, 5, 7, 9)
	if a.Mean() != 2 || a.Variance() != 1 || b.Mean() != 5 || b.Variance() != 10 {
		t.Fatalf("means %v and %v, variances %v and %v", a.Mean(), b.Mean(), a.Variance(), b.Variance())
	}
	difference, half, ok := welch.Interval(a, b)
	error7thirds := math.Sqrt(7. / 3)
	if !ok || difference != -3 || half < 2.4469*error7thirds || half > 2.5706*error7thirds ||
		math.Abs(half-welch.Quantile(98./19)*error7thirds) > 1e-9 {
		t.Errorf("difference %v ± %v", difference, half)
	}
	if _, _, ok := welch.Interval(sample(1), b); ok {
		t.Error("one value has an interval")
	}
	if difference, half, ok := welch.Interval(sample(1, 1), sample(2, 2)); !ok || difference != -1 || half != 0 {
		t.Errorf("values that are all equal: %v ± %v", difference, half)
	}
	if v := sample(1e8, 1e8, 1e8).Variance(); v < 0 {
		t.Errorf("a variance of %v", v)
	}
	whole := sample(1, 2, 3, 4)
	if rest := whole.Without(sample(4)); rest != sample(1, 2, 3) {
		t.Errorf("without a part: %+v", rest)
	}
}
