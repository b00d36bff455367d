package scoring

// Formula weighs signals. A score is the sum of weight × count.
type Formula struct {
	Name    string             `json:"name"`
	Version int                `json:"version"`
	Weights map[Signal]float64 `json:"weights"`
	// ToxicFrom is the classifier's toxicity, 0 to 1, from which a message
	// counts as toxic.
	ToxicFrom float64 `json:"toxic_from"`
	// Classifier names the models whose toxicity counts, the highest of them, as in
	// "detoxify, perspective". The empty one means the highest of all models; the
	// embedded model then counts only for messages that no other model has a toxicity
	// of.
	Classifier string `json:"classifier"`
	// Legacy selects Open-Assistant's rules: deleted messages and messages
	// without a reaction record are left out (except prompts of aborted trees),
	// and signals count regardless of the rater.
	Legacy bool   `json:"as_reference"`
	Note   string `json:"note"`
}

// Treewarden is the first version of the default formula. Later versions are in
// the database; the last one is in force.
var Treewarden = Formula{
	Name: "treewarden", Version: 1, ToxicFrom: 0.5,
	Note: "Counts the signals of deleted messages; leaves out what banned users and authors themselves gave, " +
		"and dismissed reports.",
	Weights: weights(func(info Info) float64 { return info.Weight }),
}

// OpenAssistant is Open-Assistant's formula, for comparison.
var OpenAssistant = Formula{
	Name: "open-assistant", Version: 1, ToxicFrom: 0.5, Legacy: true,
	Note:    "Open-Assistant's formula: deleted messages and messages without a reaction record are left out.",
	Weights: weights(func(info Info) float64 { return info.LegacyWeight }),
}

// weights returns a weight of every signal from the table Signals.
func weights(of func(Info) float64) map[Signal]float64 {
	all := make(map[Signal]float64, NumSignals)
	for _, info := range Signals {
		all[info.Signal] = of(info)
	}
	return all
}

// Formulas holds the built-in formulas. The store keeps later versions of the
// first; the other one does not change.
var Formulas = []Formula{Treewarden, OpenAssistant}

// Part is one signal's share of a score.
type Part struct {
	Signal Signal  `json:"signal"`
	Count  int64   `json:"count"`
	Weight float64 `json:"weight"`
	Points float64 `json:"points"`
}

// Parts returns the parts of a score: every signal with its count, weight and
// points, in the order of Signals.
func (f Formula) Parts(counts Counts) []Part {
	parts := make([]Part, NumSignals)
	for i, info := range Signals {
		parts[i] = part(info.Signal, counts[info.Signal], f.Weights[info.Signal])
	}
	return parts
}

func part(signal Signal, n int64, weight float64) Part {
	if n == 0 {
		return Part{Signal: signal, Weight: weight} // 0 points, not -0
	}
	return Part{signal, n, weight, weight * float64(n)}
}

// Score returns Σ weight × count.
func (f Formula) Score(counts Counts) float64 {
	var sum float64
	for _, p := range f.Parts(counts) {
		sum += p.Points
	}
	return sum
}

// Rate returns the score relative to the number of messages: score ÷ (messages +
// 10). A prolific good user with many downvotes is not a troll; the 10 prevents
// that a user with one bad message leads the board.
func Rate(score float64, messages int64) float64 { return score / float64(messages+10) }
