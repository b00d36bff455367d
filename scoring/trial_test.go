package scoring_test

import (
	"math"
	"reflect"
	"testing"

	"treewarden/scoring"
)

// TestTrial moves users of 130 across the 100th place.
func TestTrial(t *testing.T) {
	all := make([]scoring.Candidate, 130)
	for i := range all {
		score := float64(1000 - i)
		all[i] = scoring.Candidate{ID: [16]byte{byte(i)}, Score: [2]float64{score, score},
			WithoutLeakage: [2]float64{-score, score}, OnBoards: true, Sanctioned: i < 13}
	}
	all[120].Score[1] = 2000 // to the first place: everybody below moves by one
	all[50].Score[1] = 0     // to the last but one: those after it move back
	all[60].OnBoards = false // stands on neither
	all[129].Score[1] = 0    // level with 50: the higher id stands first
	trial := scoring.NewTrial(all)
	if want := []scoring.Move{{Candidate: 120, Before: 120, After: 1}}; !reflect.DeepEqual(trial.Entered, want) {
		t.Errorf("entered %v, want %v", trial.Entered, want)
	}
	if want := []scoring.Move{{Candidate: 50, Before: 51, After: 129}}; !reflect.DeepEqual(trial.Left, want) {
		t.Errorf("left %v, want %v", trial.Left, want)
	}
	if len(trial.Moved) != 50 || trial.Moved[0] != (scoring.Move{Candidate: 0, Before: 1, After: 2}) ||
		trial.Moved[49] != (scoring.Move{Candidate: 49, Before: 50, After: 51}) {
		t.Errorf("moved %v", trial.Moved)
	}
	if trial.Users != 130 || trial.Sanctioned != 13 || *trial.Old.AUC != 0 || *trial.New.AUC != 1 ||
		*trial.AUCDifference != 1 || trial.New.Precision[20] != 0.65 || trial.Old.Precision[100] != 0 {
		t.Errorf("%+v", trial)
	}
	if same := scoring.NewTrial(nil); same.Old.AUC != nil || same.AUCDifference != nil || same.Entered != nil {
		t.Errorf("a trial on nobody: %+v", same)
	}
}

func TestJudgedLeavesTheOutcomeOut(t *testing.T) {
	judged := scoring.Treewarden.WithoutLeakage()
	counts := scoring.Counts{scoring.SpamPrompts: 5, scoring.Rejected: 5, scoring.Deleted: 5, scoring.RedFlags: 1}
	if got := judged.Score(counts); got != 3 {
		t.Errorf("the judged score is %v, want that of the red flag alone", got)
	}
	if scoring.Treewarden.Score(counts) != 3+5+10+15 {
		t.Error("judging changed the formula itself")
	}
}

func TestApply(t *testing.T) {
	half, two, none := 0.5, 2.0, math.NaN()
	for name, c := range map[string]struct {
		change scoring.Change
		wrong  []string
	}{
		"nothing": {scoring.Change{}, nil},
		"a weight": {scoring.Change{Weights: map[string]float64{"red_flags": -100, "upvotes": 100, "pii": 0.125},
			ToxicFrom: &half}, nil},
		"too heavy": {scoring.Change{Weights: map[string]float64{"red_flags": 100.5, "upvotes": -101}},
			[]string{"weights.red_flags", "weights.upvotes"}},
		"no number": {scoring.Change{Weights: map[string]float64{"red_flags": math.NaN(), "upvotes": math.Inf(1)},
			ToxicFrom: &none}, []string{"weights.red_flags", "weights.upvotes", "toxic_from"}},
		"unknown signal": {scoring.Change{Weights: map[string]float64{"red_flag": 1}, ToxicFrom: &two},
			[]string{"weights.red_flag", "toxic_from"}},
	} {
		changed, wrong := c.change.Apply(scoring.Treewarden)
		if len(wrong) != len(c.wrong) {
			t.Errorf("%s: %v, want %v", name, wrong, c.wrong)
		}
		for _, field := range c.wrong {
			if wrong[field] == "" {
				t.Errorf("%s: %s is not named: %v", name, field, wrong)
			}
		}
		if name == "nothing" && !changed.Same(scoring.Treewarden) {
			t.Error("no change changed something")
		}
		if name == "a weight" && (changed.Weights[scoring.PII] != 0.125 || changed.Weights[scoring.Downvotes] != 1 ||
			scoring.Treewarden.Weights[scoring.PII] != 1) {
			t.Errorf("weights %v", changed.Weights)
		}
	}
	zero := map[string]float64{}
	for _, info := range scoring.Signals {
		zero[string(info.Signal)] = math.Copysign(0, -1)
	}
	if _, wrong := (scoring.Change{Weights: zero}).Apply(scoring.Treewarden); wrong["weights"] == "" {
		t.Errorf("a formula that weighs nothing was taken: %v", wrong)
	}
	zero["pii"] = 1
	changed, wrong := scoring.Change{Weights: zero}.Apply(scoring.Treewarden)
	if len(wrong) > 0 || math.Signbit(changed.Weights[scoring.RedFlags]) {
		t.Errorf("%v %v", changed.Weights, wrong)
	}
	differences := changed.Differences(scoring.Treewarden)
	if len(differences) != 12 || differences[0] != (scoring.Difference{Signal: scoring.RedFlags, Before: 3}) {
		t.Errorf("%v", differences) // all but personal data and political content
	}
}
