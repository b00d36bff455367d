package scoring

// Answers compares, over the messages that a rater and others answered the
// same yes-or-no question about, what the rater said with what the majority of
// the others said. Messages on which the others are split evenly have no
// majority and are in none of the four.
type Answers struct {
	BothYes    int64 `json:"both_yes"`
	OnlyRater  int64 `json:"only_rater"`  // the rater said yes, most others no
	OnlyOthers int64 `json:"only_others"` // most others said yes, the rater no
	BothNo     int64 `json:"both_no"`
}

// N is how many messages were compared.
func (a Answers) N() int64 { return a.BothYes + a.OnlyRater + a.OnlyOthers + a.BothNo }

// Agreed is on how many of them the rater said what most others said.
func (a Answers) Agreed() int64 { return a.BothYes + a.BothNo }

// byChance is how many answers would agree if the rater said yes as often as
// they do, but blindly: ((yes of the rater × yes of the others) + (no × no)) ÷ N.
func (a Answers) byChance() float64 {
	n := a.N()
	if n == 0 {
		return 0
	}
	rater, others := a.BothYes+a.OnlyRater, a.BothYes+a.OnlyOthers
	return (float64(rater)*float64(others) + float64(n-rater)*float64(n-others)) / float64(n)
}

// Agreement is the share of answers in which a rater and the majority of the
// others agree, from 0 to 1, over all given questions; nil where there is
// nothing to compare.
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

// Kappa corrects agreement for what chance alone would give:
//
//	κ = (agreed − by chance) ÷ (N − by chance)
//
// For one question this is Cohen's kappa of the rater and the majority of the
// others. Over several, agreed, by chance and N are summed over the questions,
// so that chance is taken off within each: who says no to everything agrees
// often where a label is rare, and gets 0 for it. 1 is full agreement, 0 is
// that of chance, below 0 is worse. It is nil where there is nothing to
// compare, or where both sides always said the same one thing, so that chance
// explains everything.
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
