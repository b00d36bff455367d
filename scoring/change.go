package scoring

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// MaxWeight is the maximum absolute value of a weight.
const MaxWeight = 100

// MaxClassifier is the maximum number of bytes of Formula.Classifier.
const MaxClassifier = 1000

// Change describes a change of a formula: new weights by signal name, the toxicity
// from which a message counts as toxic, and the models whose toxicity counts. Other
// values stay.
type Change struct {
	Weights   map[string]float64 `json:"weights"`
	ToxicFrom *float64           `json:"toxic_from"`
	// Classifier may be nil to leave the models as they are.
	Classifier *string `json:"classifier"`
}

// Apply returns the changed formula. wrong maps invalid fields to reasons:
// "toxic_from", "classifier", "weights", or a weight as in "weights.red_flags". It does
// not know which models exist; see Unknown.
func (c Change) Apply(f Formula) (changed Formula, wrong map[string]string) {
	wrong = map[string]string{}
	f.Weights = maps.Clone(f.Weights)
	for name, weight := range c.Weights {
		switch {
		case !Signal(name).Known():
			wrong["weights."+name] = "There is no signal of this name."
		case math.IsNaN(weight) || math.Abs(weight) > MaxWeight:
			wrong["weights."+name] = fmt.Sprintf("A weight is a number from −%d to %[1]d.", MaxWeight)
		default:
			f.Weights[Signal(name)] = weight + 0 // -0 becomes 0
		}
	}
	if c.ToxicFrom != nil {
		f.ToxicFrom = *c.ToxicFrom + 0
		if math.IsNaN(f.ToxicFrom) || f.ToxicFrom < 0 || f.ToxicFrom > 1 {
			wrong["toxic_from"] = "Toxicity is a number from 0 to 1."
		}
	}
	if c.Classifier != nil {
		f.Classifier = JoinClassifiers(SplitClassifiers(*c.Classifier))
		if len(f.Classifier) > MaxClassifier {
			wrong["classifier"] = fmt.Sprintf("Names of models are at most %d bytes in all.", MaxClassifier)
		}
	}
	if len(wrong) == 0 && !slices.ContainsFunc(slices.Collect(maps.Values(f.Weights)),
		func(w float64) bool { return w != 0 }) {
		wrong["weights"] = "At least one signal must weigh something."
	}
	return f, wrong
}

// Unknown returns why Classifier is wrong if a name in it is not among those of the
// models that exist. The embedded model always exists.
func (c Change) Unknown(models []string) string {
	if c.Classifier == nil {
		return ""
	}
	for _, name := range SplitClassifiers(*c.Classifier) {
		if name != EmbeddedClassifier && !slices.Contains(models, name) {
			return fmt.Sprintf("There is no model %q. Leave the field empty for the highest of all models.", name)
		}
	}
	return ""
}

// Same reports whether two formulas give every user the same score.
func (f Formula) Same(other Formula) bool {
	return f.ToxicityRule() == other.ToxicityRule() && f.Legacy == other.Legacy && maps.Equal(f.Weights, other.Weights)
}

// Difference is one difference between two formulas: a signal's weight, or with
// an empty Signal the toxicity from which a message counts as toxic. Which models
// count is not among them.
type Difference struct {
	Signal        Signal
	Before, After float64
}

// Differences returns the differences from an earlier formula, in the order of
// Signals.
func (f Formula) Differences(before Formula) []Difference {
	var all []Difference
	for _, info := range Signals {
		if was, is := before.Weights[info.Signal], f.Weights[info.Signal]; was != is {
			all = append(all, Difference{info.Signal, was, is})
		}
	}
	if f.ToxicFrom != before.ToxicFrom {
		all = append(all, Difference{"", before.ToxicFrom, f.ToxicFrom})
	}
	return all
}
