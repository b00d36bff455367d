package remote

import (
	"math"

	"treewarden/scoring/classifier"
)

// rounding is how far a probability may lie outside of 0 to 1. A sigmoid in 32 bits
// can do so.
const rounding = 1e-5

// count checks that there is an answer for each text.
func (c *caller) count(answers, texts int) error {
	if answers != texts {
		return c.fail(classifier.Broken, 0, "the answer has scores of %d texts instead of %d", answers, texts)
	}
	return nil
}

// output is one figure of an answer, nil if the server writes null.
type output struct {
	name  string
	value *float64
}

// scores makes the scores of the text at an index.
func (c *caller) scores(index int, outputs []output) (classifier.Scores, error) {
	if len(outputs) == 0 {
		return nil, c.fail(classifier.Broken, 0, "the answer has no scores for text %d", index+1)
	}
	scores := make(classifier.Scores, len(outputs))
	for _, o := range outputs {
		name := c.names.of(o.name)
		if name == "" {
			return nil, c.fail(classifier.Broken, 0, "the answer has an output with the name %.60q, which cannot be stored; "+
				"name it in outputs", o.name)
		}
		if _, there := scores[name]; there {
			return nil, c.fail(classifier.Broken, 0, "the answer has two outputs with the name %q; give each its own in outputs",
				name)
		}
		value, err := c.value(o)
		if err != nil {
			return nil, &classifier.TextError{Index: index, Err: err}
		}
		if !c.anyNumber && (value < 0 || value > 1) {
			return nil, c.fail(classifier.Broken, 0, "the score %q is %v, which is no probability from 0 to 1; "+
				`if that is right, set "scale": "score"`, name, value)
		}
		scores[name] = value
	}
	return scores, nil
}

// value returns a finite number.
func (c *caller) value(o output) (float64, error) {
	// Programs in Rust and JavaScript write NaN as null.
	if o.value == nil || math.IsNaN(*o.value) || math.IsInf(*o.value, 0) {
		return 0, c.fail(classifier.Refused, 0, "the score %.60q is no finite number", o.name)
	}
	value := *o.value
	switch {
	case c.anyNumber:
	case value < 0 && value > -rounding:
		value = 0
	case value > 1 && value < 1+rounding:
		value = 1
	}
	return value, nil
}

// labelled is a class and its score as Hugging Face's servers write it.
type labelled struct {
	Label *string  `json:"label"`
	Score *float64 `json:"score"`
}

// labels makes the scores of texts from lists of classes.
func (c *caller) labels(answers [][]labelled, texts int) ([]classifier.Scores, error) {
	if err := c.count(len(answers), texts); err != nil {
		return nil, err
	}
	all := make([]classifier.Scores, texts)
	for i, classes := range answers {
		outputs := make([]output, len(classes))
		for j, class := range classes {
			if class.Label == nil {
				return nil, c.fail(classifier.Broken, 0, "the answer has a score without a label")
			}
			outputs[j] = output{*class.Label, class.Score}
		}
		var err error
		if all[i], err = c.scores(i, outputs); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// figures makes the scores of texts from objects of names and numbers.
func (c *caller) figures(answers []map[string]*float64, texts int) ([]classifier.Scores, error) {
	if err := c.count(len(answers), texts); err != nil {
		return nil, err
	}
	all := make([]classifier.Scores, texts)
	for i, figures := range answers {
		outputs := make([]output, 0, len(figures))
		for name, value := range figures {
			outputs = append(outputs, output{name, value})
		}
		var err error
		if all[i], err = c.scores(i, outputs); err != nil {
			return nil, err
		}
	}
	return all, nil
}
