package scoring

// Answers compares the answers of a rater with the majority of others, over the
// messages for which both answered a yes-or-no question. Messages without a
// majority are in none of the four.
type Answers struct {
	BothYes    int64 `json:"both_yes"`
	OnlyRater  int64 `json:"only_rater"`  // the rater answered yes, most others no
	OnlyOthers int64 `json:"only_others"` // most others answered yes, the rater no
	BothNo     int64 `json:"both_no"`
}

// N returns the number of compared messages.
func (a Answers) N() int64 { return a.BothYes + a.OnlyRater + a.OnlyOthers + a.BothNo }

// Agreed returns the number of messages with the same answer.
func (a Answers) Agreed() int64 { return a.BothYes + a.BothNo }

// byChance returns the expected number of equal answers of independent raters
// with the same rates of yes: ((yes of the rater × yes of the others) + (no ×
// no)) ÷ N.
func (a Answers) byChance() float64 {
	n := a.N()
	if n == 0 {
		return 0
	}
	rater, others := a.BothYes+a.OnlyRater, a.BothYes+a.OnlyOthers
	return (float64(rater)*float64(others) + float64(n-rater)*float64(n-others)) / float64(n)
}

// Agreement returns the share of equal answers, from 0 to 1, over all questions;
// nil without answers.
func Agreement(questions ...Answers) *float64 {
	var agreed, n int64
	for _, q := range questions {
		agreed, n = agreed+q.Agreed(), n+q.N()
	}
	if n == 0 {
		return nil
	}
	return new(float64(agreed) / float64(n))
}

// Kappa returns the agreement corrected for chance:
//
//	κ = (agreed − by chance) ÷ (N − by chance)
//
// For one question this is Cohen's kappa of the rater and the majority of the
// others. For several, agreed, by chance and N are summed over the questions, so
// that a rater who always answers no gets 0 even for rare labels. 1 is full
// agreement, 0 is that of chance, below 0 is worse. Kappa returns nil without
// answers, and if all answers of both sides are the same.
func Kappa(questions ...Answers) *float64 {
	var agreed, chance, n float64
	for _, q := range questions {
		agreed, chance, n = agreed+float64(q.Agreed()), chance+q.byChance(), n+float64(q.N())
	}
	if n-chance < 1e-9 {
		return nil
	}
	return new((agreed - chance) / (n - chance))
}
