package kappa

import (
	"math"
	"testing"
)

func near(t *testing.T, name string, got *float64, want, within float64) {
	t.Helper()
	if got == nil || math.Abs(*got-want) > within {
		if got != nil {
			t.Errorf("%s is %v, want %v", name, *got, want)
		} else {
			t.Errorf("%s is nil, want %v", name, want)
		}
	}
}

// TestCohen is the example of Cohen, A coefficient of agreement for nominal
// scales (1960), table 1 with N = 200: observed 0.70, by chance 0.41, kappa .492.
func TestCohen(t *testing.T) {
	r := Of([][]int{{88, 14, 18}, {10, 40, 10}, {2, 6, 12}})
	near(t, "agreement", r.Agreement, 0.70, 1e-12)
	near(t, "kappa", r.Kappa, 0.29/0.59, 1e-12)
	near(t, "kappa", r.Kappa, 0.492, 0.0005)
	if r.N != 200 {
		t.Errorf("n is %d", r.N)
	}
}

// TestFleiss is the example of Fleiss, Statistical methods for rates and
// proportions, table 18.1: 100 patients, observed 0.89, by chance 0.66.
//
// By hand, with kappa = 0.23/0.34 = 0.676471 and 1-kappa = 0.323529:
//
//	diagonal  .75(1-1.6*.323529)^2 + .04(1-.15*.323529)^2 + .10(1-.25*.323529)^2
//	          = .174498 + .036212 + .084478 = .295188
//	others    .01(.80+.10)^2 + .04(.80+.10)^2 + .05(.05+.80)^2 + .01(.05+.10)^2 = .076850
//	          times .323529^2 = .104671: .008044
//	chance    (.676471-.66*.323529)^2 = .214315
//	error     sqrt((.295188+.008044-.214315)/100)/.34 = .087703
func TestFleiss(t *testing.T) {
	r := Of([][]int{{75, 1, 4}, {5, 4, 1}, {0, 0, 10}})
	near(t, "kappa", r.Kappa, 0.676471, 1e-6)
	near(t, "error", r.Error, 0.087703, 2e-6)
	near(t, "low", &r.Interval.Low, 0.676471-1.959964*0.087703, 1e-5)
	near(t, "high", &r.Interval.High, 0.676471+1.959964*0.087703, 1e-5)
}

// TestTwoByTwo: 20 both, 5 and 10 one only, 15 neither. Observed 35/50 = 0.7, by
// chance 0.5*0.6 + 0.5*0.4 = 0.5, kappa 0.2/0.5 = 0.4.
//
// Wilson for 35 of 50: z^2 = 3.841459; middle (0.7+0.03841459)/1.07682918 =
// 0.685731; half 1.959964/1.07682918*sqrt(0.0042+0.000384146) = 0.123236.
func TestTwoByTwo(t *testing.T) {
	r := Of([][]int{{20, 5}, {10, 15}})
	near(t, "agreement", r.Agreement, 0.7, 1e-12)
	near(t, "kappa", r.Kappa, 0.4, 1e-12)
	near(t, "low", &r.Wilson.Low, 0.562495, 2e-5)
	near(t, "high", &r.Wilson.High, 0.808967, 2e-5)
}

// TestUndefined: kappa is nil where the first rating has one category, whatever
// the second one is.
func TestUndefined(t *testing.T) {
	for _, table := range [][][]int{{{0, 0}, {0, 0}}, {{5, 0}, {0, 0}}, {{3, 2}, {0, 0}}, {{0, 0}, {0, 7}}, {}} {
		if r := Of(table); r.Kappa != nil || r.Error != nil || r.Interval != nil {
			t.Errorf("%v: kappa is %v", table, *r.Kappa)
		}
	}
	near(t, "agreement", Of([][]int{{3, 2}, {0, 0}}).Agreement, 0.6, 1e-12)
}

// TestEnds: full agreement and none, and a second rating of one category.
func TestEnds(t *testing.T) {
	full, none, blind := Of([][]int{{4, 0}, {0, 4}}), Of([][]int{{0, 4}, {4, 0}}), Of([][]int{{4, 0}, {4, 0}})
	near(t, "full", full.Kappa, 1, 1e-12)
	near(t, "none", none.Kappa, -1, 1e-12)
	near(t, "one category", blind.Kappa, 0, 1e-12)
	for _, r := range []Result{full, none, blind} {
		if r.Interval != nil {
			t.Errorf("an interval without an error: %v", *r.Interval)
		}
	}
}
