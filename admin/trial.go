package admin

import (
	"fmt"
	"math"
	"strings"

	"treewarden/scoring"
	"treewarden/store"
)

// trialView is a trial as a page shows it.
type trialView struct {
	store.Trial
	Lines   []qualityLine
	Verdict string
	Better  bool // chance alone does not explain the difference
	Worse   bool
	LeftOut string
}

// qualityLine is one figure by both formulas, with its intervals.
type qualityLine struct {
	Title, Hint      string
	Old, OldInterval string
	New, NewInterval string
	Difference       string
}

func viewTrial(t store.Trial) *trialView {
	v := &trialView{Trial: t}
	auc := qualityLine{Title: "AUC", Hint: "how likely a sanctioned user scores higher than another user; 0.5 is chance"}
	auc.Old, auc.OldInterval = shown(t.Old.AUC, t.Old.AUCInterval, 3)
	auc.New, auc.NewInterval = shown(t.New.AUC, t.New.AUCInterval, 3)
	auc.Difference = difference(t.Old.AUC, t.New.AUC, 3)
	v.Lines = []qualityLine{auc}
	for _, depth := range scoring.Depths {
		line := qualityLine{Title: fmt.Sprintf("Precision at %d", depth),
			Hint: fmt.Sprintf("sanctioned users among the first %d", depth)}
		line.Old, line.OldInterval = precisionAt(t.Old, depth)
		line.New, line.NewInterval = precisionAt(t.New, depth)
		old, measured := t.Old.Precision[depth]
		tried, both := t.New.Precision[depth]
		if measured && both {
			line.Difference = difference(&old, &tried, 2)
		}
		v.Lines = append(v.Lines, line)
	}
	v.Verdict = v.verdict()
	titles := make([]string, len(t.LeftOut))
	for i, signal := range t.LeftOut {
		titles[i] = strings.ToLower(signal.Title())
	}
	v.LeftOut = strings.Join(titles, ", ")
	return v
}

// precisionAt returns the precision at a depth.
func precisionAt(q scoring.Quality, depth int) (value, interval string) {
	p, ok := q.Precision[depth]
	if !ok {
		return shown(nil, nil, 2)
	}
	around := q.PrecisionInterval[depth]
	return shown(&p, &around, 2)
}

// shown writes a figure and its interval, and a dash for a figure that does not
// exist.
func shown(n *float64, around *scoring.Interval, digits int) (value, interval string) {
	if n == nil {
		return "–", ""
	}
	value = fixed(*n, digits)
	if around != nil {
		interval = fixed(around[0], digits) + " to " + fixed(around[1], digits)
	}
	return value, interval
}

// difference writes the difference of two figures as they are shown: rounded
// figures must add up.
func difference(old, tried *float64, digits int) string {
	if old == nil || tried == nil {
		return "–"
	}
	scale := math.Pow10(digits)
	return signed((math.Round(*tried*scale)-math.Round(*old*scale))/scale, digits)
}

// verdict describes the meaning of the difference.
func (v *trialView) verdict() string {
	if v.Difference == nil || v.Between == nil {
		return "There are no sanctioned users here, or nobody else: nothing tells which formula finds them better."
	}
	figures := "AUC " + signed(*v.Difference, 3) + ", interval " + signed(v.Between[0], 3) + " to " +
		signed(v.Between[1], 3)
	switch {
	case v.Between[0] > 0:
		v.Better = true
		return "The tried formula finds sanctioned users better (" + figures + ")."
	case v.Between[1] < 0:
		v.Worse = true
		return "The tried formula finds sanctioned users less well (" + figures + ")."
	case *v.Difference == 0 && v.Between[0] == v.Between[1]:
		return "Both formulas find sanctioned users equally well."
	}
	return "The difference may be chance (" + figures + ")."
}
