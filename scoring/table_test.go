package scoring_test

import (
	"testing"

	"treewarden/scoring"
)

// TestSignalsAreWhole: every entry of the table of signals says all that pages
// need, and no signal stands there twice.
func TestSignalsAreWhole(t *testing.T) {
	seen := map[scoring.Signal]bool{}
	for i, info := range scoring.Signals {
		if info.Signal == "" || info.Title == "" || info.Counts == "" {
			t.Errorf("signal %d is not whole: %+v", i, info)
		}
		if seen[info.Signal] || info.Signal.Place() != i {
			t.Errorf("%s stands there twice", info.Signal)
		}
		seen[info.Signal] = true
	}
}

// TestLabelsAreWhole: every entry of the table of labels says all that pages and
// forms need, and each signal of a label is counted by one label only.
func TestLabelsAreWhole(t *testing.T) {
	names, signals, places := map[string]bool{}, map[scoring.Signal]bool{}, map[int]bool{}
	for i, l := range scoring.Labels {
		switch {
		case l.Name == "" || l.Title == "" || names[l.Name]:
			t.Errorf("label %d has no name or title, or stands there twice: %+v", i, l)
		case l.Signal != "" && (!l.Signal.Known() || signals[l.Signal]):
			t.Errorf("%s counts as %s, which is no signal, or another label's", l.Name, l.Signal)
		case l.Place > 0 && (l.Answer == scoring.NotAsked || l.Question == "" || places[l.Place]):
			t.Errorf("%s is asked for without a question, or at the place of another one", l.Name)
		case l.Place > 0 && l.Answer == scoring.Scale && (l.Low == "" || l.High == ""):
			t.Errorf("the ends of the scale %s mean nothing", l.Name)
		case l.Answer == scoring.YesNo && l.Good:
			t.Errorf("a yes to %s is said to be good", l.Name)
		}
		names[l.Name], signals[l.Signal], places[l.Place] = true, l.Signal != "", l.Place > 0
	}
}
