package scoring

import (
	"math"
	"testing"
)

// TestAUCInterval checks the example of Hanley and McNeil (1982): 51 abnormal and 58
// normal images with an area of 0.893 have a standard error of 0.032.
func TestAUCInterval(t *testing.T) {
	if got := aucError(0.893, 51, 58); math.Abs(got-0.0325) > 0.0005 {
		t.Errorf("the standard error is %v", got)
	}
	around, ok := AUCInterval(0.893, 51, 58)
	if !ok || math.Abs(around[0]-0.829) > 0.001 || math.Abs(around[1]-0.957) > 0.001 {
		t.Errorf("the interval is %v, %v", around, ok)
	}
	if around, ok := AUCInterval(0.99, 5, 5); !ok || around[1] != 1 || around[0] >= 0.99 {
		t.Errorf("the interval of few cases is %v, %v", around, ok)
	}
	if around, ok := AUCInterval(1, 5, 5); !ok || around != (Interval{1, 1}) {
		t.Errorf("the interval of a perfect order is %v, %v", around, ok)
	}
	for _, n := range [][2]int64{{0, 5}, {5, 0}, {0, 0}} {
		if _, ok := AUCInterval(0.5, n[0], n[1]); ok {
			t.Errorf("%d positive and %d negative cases have an interval", n[0], n[1])
		}
	}
}
