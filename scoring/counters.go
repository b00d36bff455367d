package scoring

// Counters holds what was counted of one user within one span of time: each
// signal as the formula treewarden counts it, each as Open-Assistant did, and the
// Measures, in the order of Columns.
type Counters [2*NumSignals + NumMeasures]int64

// Measures are the columns of Counters that are no signals: messages written,
// and what makes the mean toxicity of a classifier and of people's labels.
// Sums of toxicity are in units of 10⁻¹², so that adding and taking away never
// drifts.
var Measures = [...]string{"messages", "toxicity_sum", "toxicity_count", "label_toxicity_sum", "label_toxicity_count"}

// NumMeasures is how many measures there are.
const NumMeasures = len(Measures)

// Where Counters hold the measures, in the order of Measures.
const (
	MessagesColumn = 2*NumSignals + iota
	ToxicitySumColumn
	ToxicityCountColumn
	LabelToxicitySumColumn
	LabelToxicityCountColumn
)

// LegacyPrefix begins the names of columns that count as Open-Assistant did.
const LegacyPrefix = "legacy_"

// Columns names what Counters hold, in its order.
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

// signals are the counts of signals as a formula counts them, in the order of
// Signals.
func (t *Counters) signals(f *Formula) []int64 {
	if f.Legacy {
		return t[NumSignals : 2*NumSignals]
	}
	return t[:NumSignals]
}

// Counts picks the signals as a formula counts them.
func (t *Counters) Counts(f Formula) Counts {
	counts := make(Counts, NumSignals)
	for i, n := range t.signals(&f) {
		counts[Signals[i].Signal] = n
	}
	return counts
}

// Count is one signal as a formula counts it.
func (t *Counters) Count(f *Formula, s Signal) int64 { return t.signals(f)[s.Place()] }

// Messages is how many messages the user wrote.
func (t *Counters) Messages() int64 { return t[MessagesColumn] }

// Toxicity is the mean of the classifier's toxicity, 0 to 1, or where no
// classifier saw the messages that of people's labels; source says which:
// classifier, labels, or nothing where neither exists.
func (t *Counters) Toxicity() (mean float64, source string) {
	switch {
	case t[ToxicityCountColumn] > 0:
		return meanOf(t[ToxicitySumColumn], t[ToxicityCountColumn]), "classifier"
	case t[LabelToxicityCountColumn] > 0:
		return meanOf(t[LabelToxicitySumColumn], t[LabelToxicityCountColumn]), "labels"
	}
	return 0, ""
}

// meanOf is the mean of n figures that are counted in units of 10⁻¹².
func meanOf(sum, n int64) float64 { return float64(sum) / float64(n) / 1e12 }

// OnBoard says whether a board of a formula lists the user: they wrote
// something, or something was said of what they wrote.
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

// Scorer is a formula made ready to score many tallies.
type Scorer struct {
	formula *Formula
	weights []float64
}

// Scorer makes a formula ready to score many tallies.
func (f *Formula) Scorer() Scorer {
	weights := make([]float64, NumSignals)
	for i, info := range Signals {
		weights[i] = f.Weights[info.Signal]
	}
	return Scorer{f, weights}
}

// Parts appends what Formula.Parts says of counters.
func (s Scorer) Parts(parts []Part, t *Counters) []Part {
	for i, n := range t.signals(s.formula) {
		parts = append(parts, part(Signals[i].Signal, n, s.weights[i]))
	}
	return parts
}

// Score is Σ weight × count.
func (s Scorer) Score(t *Counters) float64 {
	var sum float64
	for i, n := range t.signals(s.formula) {
		if n != 0 {
			sum += s.weights[i] * float64(n)
		}
	}
	return sum
}
