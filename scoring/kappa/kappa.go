// Package kappa measures how far two ratings of the same items agree.
package kappa

import "math"

// z is the 97.5 % quantile of the normal distribution: intervals are 95 % ones.
const z = 1.959963984540054

// Interval is a 95 % confidence interval.
type Interval struct{ Low, High float64 }

// Result is the agreement of two ratings.
type Result struct {
	N int // the number of items
	// Agreement is the share of items with the same category in both ratings, and
	// Wilson its interval. Both are nil without items.
	Agreement *float64
	Wilson    *Interval
	// Kappa is Cohen's kappa (Cohen 1960). It is nil if the first rating has fewer
	// than two categories: nothing that the second rating does could then raise
	// the agreement above chance, so kappa would say nothing about it.
	Kappa *float64
	// Error is the asymptotic standard error of Kappa for a kappa that is not 0
	// (Fleiss, Cohen and Everitt 1969), and Interval is made of it. Interval is nil
	// if Error is 0: the asymptotic error then says nothing about a small sample.
	Error    *float64
	Interval *Interval
}

// Of measures the agreement of two ratings. The table is square: table[i][j] is
// the number of items with category i in the first rating and j in the second.
func Of(table [][]int) Result {
	k := len(table)
	first, second := make([]float64, k), make([]float64, k)
	var r Result
	same := 0
	for i, row := range table {
		for j, n := range row {
			r.N += n
			first[i] += float64(n)
			second[j] += float64(n)
		}
		same += row[i]
	}
	if r.N == 0 {
		return r
	}
	n := float64(r.N)
	observed := float64(same) / n
	wilson := Wilson(same, r.N)
	r.Agreement, r.Wilson = &observed, &wilson
	chance, categories := 0.0, 0
	for i := range k {
		first[i] /= n
		second[i] /= n
		chance += first[i] * second[i]
		if first[i] > 0 {
			categories++
		}
	}
	if categories < 2 {
		return r
	}
	kappa := (observed - chance) / (1 - chance)
	r.Kappa = &kappa
	// The three terms of formula 13 of Fleiss, Cohen and Everitt.
	var diagonal, others float64
	for i, row := range table {
		for j, count := range row {
			share := float64(count) / n
			if i == j {
				diagonal += share * square(1-(first[i]+second[i])*(1-kappa))
			} else {
				others += share * square(second[i]+first[j])
			}
		}
	}
	variance := diagonal + square(1-kappa)*others - square(kappa-chance*(1-kappa))
	err := math.Sqrt(math.Max(0, variance)/n) / (1 - chance)
	if err < 1e-9 { // rounding
		err = 0
	}
	r.Error = &err
	if err > 0 {
		r.Interval = &Interval{math.Max(-1, kappa-z*err), math.Min(1, kappa+z*err)}
	}
	return r
}

// Wilson returns the Wilson score interval of a share (Wilson 1927). It stays
// within 0 and 1, and is honest for few items too. n is positive.
func Wilson(hits, n int) Interval {
	share, count := float64(hits)/float64(n), float64(n)
	middle := (share + z*z/(2*count)) / (1 + z*z/count)
	half := z / (1 + z*z/count) * math.Sqrt(share*(1-share)/count+z*z/(4*count*count))
	return Interval{math.Max(0, middle-half), math.Min(1, middle+half)}
}

func square(x float64) float64 { return x * x }
