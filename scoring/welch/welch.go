// Package welch compares the means of two samples whose variances may differ (B. L.
// Welch, The generalization of "Student's" problem when several different population
// variances are involved, Biometrika 34, 1947).
package welch

import "math"

// Sample holds the size of a sample with the sums of its values and of their squares.
type Sample struct {
	N            int64
	Sum, Squares float64
}

// Add adds the values of another sample.
func (s *Sample) Add(o Sample) {
	s.N += o.N
	s.Sum += o.Sum
	s.Squares += o.Squares
}

// Without returns the values that are not those of a part.
func (s Sample) Without(part Sample) Sample {
	return Sample{s.N - part.N, s.Sum - part.Sum, s.Squares - part.Squares}
}

// Mean returns the mean; that of no value is NaN.
func (s Sample) Mean() float64 { return s.Sum / float64(s.N) }

// Variance returns the variance with the divisor n − 1; that of fewer than two values is
// NaN. Rounding never makes it negative.
func (s Sample) Variance() float64 {
	if s.N < 2 {
		return math.NaN()
	}
	n := float64(s.N)
	return max(0, (s.Squares-s.Sum*s.Sum/n)/(n-1))
}

// Interval returns the difference of the means of two samples, a − b, and half the width
// of its 95 % confidence interval, by Student's t distribution with the degrees of
// freedom of Welch and Satterthwaite. ok is false if a sample has fewer than two values:
// then there is no interval.
func Interval(a, b Sample) (difference, half float64, ok bool) {
	difference = a.Mean() - b.Mean()
	if a.N < 2 || b.N < 2 {
		return difference, 0, false
	}
	va, vb := a.Variance()/float64(a.N), b.Variance()/float64(b.N)
	if va+vb == 0 {
		return difference, 0, true
	}
	freedom := (va + vb) * (va + vb) / (va*va/float64(a.N-1) + vb*vb/float64(b.N-1))
	return difference, Quantile(freedom) * math.Sqrt(va+vb), true
}

// Quantile returns the value t that Student's t distribution with so many degrees of
// freedom, at least 1, exceeds with a probability of 2.5 %.
func Quantile(freedom float64) float64 {
	freedom = min(freedom, 1e7) // from there on, rounding has more effect than the degrees
	low, high := 1.9, 12.8      // of infinitely many degrees 1.95996…, of one 12.706…
	for range 60 {
		middle := (low + high) / 2
		// The probability of both tails is the regularized incomplete beta function.
		if beta(freedom/2, 0.5, freedom/(freedom+middle*middle)) > 0.05 {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}

// beta returns the regularized incomplete beta function I_x(a, b), by its continued
// fraction (Abramowitz and Stegun, 26.5.8).
func beta(a, b, x float64) float64 {
	if x <= 0 || x >= 1 {
		return min(1, max(0, x))
	}
	if x > (a+1)/(a+b+2) { // where the fraction converges slowly
		return 1 - beta(b, a, 1-x)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab-la-lb+a*math.Log(x)+b*math.Log1p(-x)) / a
	return front / fraction(a, b, x)
}

// fraction evaluates the continued fraction of beta, by the method of Lentz.
func fraction(a, b, x float64) float64 {
	const tiny, enough = 1e-300, 1e-15
	f, c, d := 1.0, 1.0, 0.0
	for i := 1; i < 10_000; i++ {
		m := float64(i / 2)
		factor := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		if i%2 == 1 {
			factor = -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		}
		d = 1 / away(1+factor*d, tiny)
		c = away(1+factor/c, tiny)
		f *= c * d
		if math.Abs(c*d-1) < enough {
			break
		}
	}
	return f
}

// away keeps a divisor away from 0.
func away(x, tiny float64) float64 {
	if math.Abs(x) < tiny {
		return tiny
	}
	return x
}
