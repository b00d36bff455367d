package scoring_test

import (
	"testing"
	"time"

	"treewarden/scoring"
)

func TestScoreIsTheSumOfItsParts(t *testing.T) {
	counts := scoring.Counts{scoring.RedFlags: 2, scoring.Upvotes: 3, scoring.SpamLabels: 4, scoring.Deleted: 1,
		scoring.PoliticalContent: 5}
	for _, c := range []struct {
		formula scoring.Formula
		want    float64
	}{{scoring.Treewarden, 6 - 3 + 4 + 3}, {scoring.OpenAssistant, 6 - 3 + 5}} {
		if got := c.formula.Score(counts); got != c.want {
			t.Errorf("%s: %v, want %v", c.formula.Name, got, c.want)
		}
		var sum float64
		for _, p := range c.formula.Parts(counts) {
			sum += p.Points
			if p.Points != p.Weight*float64(p.Count) {
				t.Errorf("%s: %+v", c.formula.Name, p)
			}
		}
		if sum != c.want {
			t.Errorf("%s: the parts make %v, want %v", c.formula.Name, sum, c.want)
		}
	}
}

func TestEveryFormulaWeighsEverySignal(t *testing.T) {
	for _, f := range scoring.Formulas {
		for _, s := range scoring.Signals {
			if _, ok := f.Weights[s.Signal]; !ok {
				t.Errorf("%s has no weight for %s", f.Name, s.Signal)
			}
		}
		if len(f.Weights) != len(scoring.Signals) {
			t.Errorf("%s weighs what is no signal", f.Name)
		}
	}
}

func TestFramesBegin(t *testing.T) {
	now := time.Date(2026, 11, 22, 13, 45, 12, 0, time.FixedZone("east", 5*3600))
	for window, want := range map[scoring.Window]string{
		scoring.Day: "2026-11-21T08:00:00Z", scoring.Week: "2026-11-15T00:00:00Z", scoring.Month: "2026-10-23T00:00:00Z",
	} {
		since, ok := window.Since(now)
		if got := since.Format(time.RFC3339); got != want || !ok {
			t.Errorf("%s begins at %s, want %s", window, got, want)
		}
	}
	if _, ok := scoring.Total.Since(now); ok {
		t.Error("the whole has a beginning")
	}
}

func TestNames(t *testing.T) {
	if f, err := scoring.WindowNamed(""); err != nil || f != scoring.Total {
		t.Errorf("the default frame is %q, %v", f, err)
	}
	if _, err := scoring.WindowNamed("year"); err == nil {
		t.Error("a frame year was found")
	}
}
