// Package classifier gives named scores to texts: toxicity, spam and what else a
// model finds. A model is a program on a server or the one that is embedded; all
// stand behind Classifier.
package classifier

import "context"

// Toxicity is the output that may count as a message's toxicity.
const Toxicity = "toxicity"

// Spam is the output that says how likely a text is spam.
const Spam = "spam"

// Scores are the named outputs of one text. Most are probabilities, 0 to 1; a
// reward model's score can be any number.
type Scores map[string]float64

// Classifier gives scores to texts. One may be used by several goroutines.
type Classifier interface {
	// Classify returns the scores of each text, in the order of the texts. Either
	// all texts have scores or there is an error. It stops when ctx is done.
	Classify(ctx context.Context, texts []string) ([]Scores, error)
}
