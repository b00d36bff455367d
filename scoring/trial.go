package scoring

import (
	"bytes"
	"cmp"
	"slices"
)

// Top is the number of places of a board that a trial compares.
const Top = 100

// Candidate is a user with the scores of two formulas.
type Candidate struct {
	ID             [16]byte   // of equal scores the higher one comes first, as on a board
	Score          [2]float64 // by the old formula and the new one
	WithoutLeakage [2]float64 // the same without the leaky signals
	Sanctioned     bool       // a sanctioned user
	OnBoards       bool       // listed on the boards that are compared
}

// Move is a candidate's change of place between two boards; places begin at 1.
type Move struct {
	Candidate     int // an index
	Before, After int
}

// Trial compares two formulas on the same users.
type Trial struct {
	Users, Sanctioned int
	Old, New          Quality
	// AUCDifference is the AUC of the new formula minus that of the old one, with
	// its interval over the common resamples; nil without an AUC.
	AUCDifference         *float64
	AUCDifferenceInterval *Interval
	// Entered and Left are the candidates that enter and leave the first Top
	// places, Moved those that change their place in it. They are ordered by new
	// place, Left by old place.
	Entered, Left, Moved []Move
}

// NewTrial compares the two scores of candidates.
func NewTrial(all []Candidate) Trial {
	t := Trial{Users: len(all)}
	sanctioned, scores := make([]bool, len(all)), [2][]float64{make([]float64, len(all)), make([]float64, len(all))}
	for i, c := range all {
		if sanctioned[i] = c.Sanctioned; c.Sanctioned {
			t.Sanctioned++
		}
		scores[0][i], scores[1][i] = c.WithoutLeakage[0], c.WithoutLeakage[1]
	}
	qualities, samples := measureAll(sanctioned, scores[0], scores[1])
	t.Old, t.New = qualities[0], qualities[1]
	if t.Old.AUC != nil {
		difference := *t.New.AUC - *t.Old.AUC
		t.AUCDifference = &difference
		differences := column(samples[1], 0)
		for n, old := range column(samples[0], 0) {
			differences[n] -= old
		}
		if around, ok := interval(differences); ok {
			t.AUCDifferenceInterval = &around
		}
	}
	t.move(all)
	return t
}

// move sets Entered, Left and Moved.
func (t *Trial) move(all []Candidate) {
	before, after := places(all, 0), places(all, 1)
	for i := range all {
		m := Move{i, before[i], after[i]}
		was, is := m.Before > 0 && m.Before <= Top, m.After > 0 && m.After <= Top
		switch {
		case is && !was:
			t.Entered = append(t.Entered, m)
		case was && !is:
			t.Left = append(t.Left, m)
		case was && m.Before != m.After:
			t.Moved = append(t.Moved, m)
		}
	}
	byNew := func(a, b Move) int { return cmp.Compare(a.After, b.After) }
	slices.SortFunc(t.Entered, byNew)
	slices.SortFunc(t.Moved, byNew)
	slices.SortFunc(t.Left, func(a, b Move) int { return cmp.Compare(a.Before, b.Before) })
}

// places returns the candidates' places on the board of one of their scores; 0
// means not on the board.
func places(all []Candidate, by int) []int {
	order := make([]int, 0, len(all))
	for i, c := range all {
		if c.OnBoards {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(all[b].Score[by], all[a].Score[by]), bytes.Compare(all[b].ID[:], all[a].ID[:]))
	})
	place := make([]int, len(all))
	for i, candidate := range order {
		place[candidate] = i + 1
	}
	return place
}
