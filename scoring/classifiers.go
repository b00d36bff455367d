package scoring

import (
	"slices"
	"strings"
)

// EmbeddedClassifier is the name of the model that is part of the program.
const EmbeddedClassifier = "treewarden"

// ToxicityRule is the part of a formula that decides which toxicity of a message
// counts. Counters are counted by one rule.
type ToxicityRule struct {
	From       float64 // Formula.ToxicFrom
	Classifier string  // Formula.Classifier
}

// ToxicityRule returns the rule of a formula.
func (f Formula) ToxicityRule() ToxicityRule { return ToxicityRule{f.ToxicFrom, f.Classifier} }

// SplitClassifiers returns the names in Formula.Classifier, in alphabetical order and
// each once. It returns nil for the highest of all models.
func SplitClassifiers(classifier string) []string {
	var names []string
	for name := range strings.SplitSeq(classifier, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// JoinClassifiers returns names as they are kept in Formula.Classifier.
func JoinClassifiers(names []string) string { return strings.Join(names, ", ") }

// ClassifierTitle says for people whose toxicity counts by Formula.Classifier.
func ClassifierTitle(classifier string) string {
	switch names := SplitClassifiers(classifier); len(names) {
	case 0:
		return "highest of all models"
	case 1:
		return names[0]
	default:
		return "highest of " + JoinClassifiers(names)
	}
}

// Use says how the toxicity by a model counts.
type Use int

// The uses of a model.
const (
	Counted  Use = iota // its toxicity counts, if it is the highest
	Fallback            // it counts for messages that no model that counts has a toxicity of
	Ignored             // it does not count
	NumUses  = Ignored
)

// Uses returns a function that says how the toxicity by a model counts.
func (r ToxicityRule) Uses() func(model string) Use {
	names := SplitClassifiers(r.Classifier)
	return func(model string) Use {
		switch {
		case names != nil && slices.Contains(names, model):
			return Counted
		case names != nil:
			return Ignored
		case model == EmbeddedClassifier:
			return Fallback
		}
		return Counted
	}
}
