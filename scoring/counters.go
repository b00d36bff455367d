package scoring

// Counters holds the counts of one user within one span of time: each signal by
// the rules of the formula treewarden, each by Open-Assistant's, and the
// Measures, in the order of Columns.
type Counters [2*NumSignals + NumMeasures]int64

// Measures are the columns of Counters that are no signals: the messages written,
// and the sums and numbers for the mean toxicity by classifier and by labels.
// Sums are in units of 10⁻¹², so that they are exact.
var Measures = [...]string{"messages", "toxicity_sum", "toxicity_count", "label_toxicity_sum", "label_toxicity_count"}

// NumMeasures is the number of measures.
const NumMeasures = len(Measures)

// The indexes of the measures in Counters, in the order of Measures.
const (
	MessagesColumn = 2*NumSignals + iota
	ToxicitySumColumn
	ToxicityCountColumn
	LabelToxicitySumColumn
	LabelToxicityCountColumn
)

// LegacyPrefix is the prefix of columns with Open-Assistant's counts.
const LegacyPrefix = "legacy_"

// Columns holds the names of the columns of Counters, in order.
var Columns = func() []string {
	var names []string
	for _, prefix := range []string{"", LegacyPrefix} {
		for _, info := range Signals {
			names = append(names, prefix+string(info.Signal))
		}
	}
	return append(names, Measures[:]...)
}()

// Add adds other counters, times a sign.
func (t *Counters) Add(other *Counters, sign int64) {
	for i, n := range other {
		t[i] += sign * n
	}
}

// signals returns the counts of signals by the rules of a formula, in the order
// of Signals.
func (t *Counters) signals(f *Formula) []int64 {
	if f.Legacy {
		return t[NumSignals : 2*NumSignals]
	}
	return t[:NumSignals]
}

// Counts returns the counts of signals by the rules of a formula.
func (t *Counters) Counts(f Formula) Counts {
	counts := make(Counts, NumSignals)
	for i, n := range t.signals(&f) {
		counts[Signals[i].Signal] = n
	}
	return counts
}

// Count returns the count of one signal by the rules of a formula.
func (t *Counters) Count(f *Formula, s Signal) int64 { return t.signals(f)[s.Place()] }

// Messages returns the number of messages that the user wrote.
func (t *Counters) Messages() int64 { return t[MessagesColumn] }

// Toxicity returns the mean toxicity, 0 to 1, by classifier or, without outputs,
// by labels. source is "classifier", "labels" or, without either, "".
func (t *Counters) Toxicity() (mean float64, source string) {
	switch {
	case t[ToxicityCountColumn] > 0:
		return meanOf(t[ToxicitySumColumn], t[ToxicityCountColumn]), "classifier"
	case t[LabelToxicityCountColumn] > 0:
		return meanOf(t[LabelToxicitySumColumn], t[LabelToxicityCountColumn]), "labels"
	}
	return 0, ""
}

// meanOf returns the mean of n values from their sum in units of 10⁻¹².
func meanOf(sum, n int64) float64 { return float64(sum) / float64(n) / 1e12 }

// OnBoard reports whether a board of a formula lists the user: the user wrote a
// message or received a signal.
func (t *Counters) OnBoard(f *Formula) bool {
	if t[MessagesColumn] > 0 {
		return true
	}
	for _, n := range t.signals(f) {
		if n > 0 {
			return true
		}
	}
	return false
}

// Scorer is a formula prepared to score many Counters.
type Scorer struct {
	formula *Formula
	weights []float64
}

// Scorer prepares a formula to score many Counters.
func (f *Formula) Scorer() Scorer {
	weights := make([]float64, NumSignals)
	for i, info := range Signals {
		weights[i] = f.Weights[info.Signal]
	}
	return Scorer{f, weights}
}

// Parts is like Formula.Parts and appends to parts.
func (s Scorer) Parts(parts []Part, t *Counters) []Part {
	for i, n := range t.signals(s.formula) {
		parts = append(parts, part(Signals[i].Signal, n, s.weights[i]))
	}
	return parts
}

// Score returns Σ weight × count.
func (s Scorer) Score(t *Counters) float64 {
	var sum float64
	for i, n := range t.signals(s.formula) {
		if n != 0 {
			sum += s.weights[i] * float64(n)
		}
	}
	return sum
}
