// Package candidates finds messages for lists by rules, and keeps what a person
// decided of each.
package candidates

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"treewarden/scoring/rule"
	"treewarden/store/db"
	"treewarden/store/messages"
	"treewarden/store/similar"
)

// The parts of a rule that are not about the text alone, named as in its JSON.
const (
	Label          = "label"
	Classifier     = "classifier"
	NearDuplicates = "near_duplicates"
)

// Rule is a rule on messages. A message is a candidate if each part that is set
// holds.
type Rule struct {
	rule.Rule
	Label      string `json:"label,omitempty"`      // a mean label: "spam>0.5"
	Classifier string `json:"classifier,omitempty"` // a classifier's output: "detoxify.toxicity>0.8"
	// NearDuplicates is the likeness from which on a message counts as a duplicate of
	// one that was written before it, from MinLikeness to 1; 0 is not set.
	NearDuplicates float64 `json:"near_duplicates,omitempty"`
}

// MinLikeness is the lowest likeness that a rule may ask for. The index misses
// more and more pairs below 0.8, see likeness.Sketch.
const MinLikeness = 0.5

// Match is what a part of a rule found in a message.
type Match = rule.Match

// ready is a rule made ready to run.
type ready struct {
	Rule
	matcher    *rule.Matcher // nil if no part is about the text
	label      *messages.Comparison
	classifier *messages.Comparison
	// duplicates are the near-duplicates, each with the message that it is like; nil
	// if the rule does not ask for them.
	duplicates map[uuid.UUID]similar.Duplicate
}

// ready checks a rule. It returns Invalid with what is wrong of each field.
func (r Rule) ready() (*ready, error) {
	r.Label, r.Classifier = strings.TrimSpace(r.Label), strings.TrimSpace(r.Classifier)
	run, wrong := &ready{Rule: r}, db.Invalid{}
	var err error
	switch {
	case !r.Rule.Empty():
		run.matcher, err = rule.Compile(r.Rule)
	case r.Label == "" && r.Classifier == "" && r.NearDuplicates == 0:
		wrong["rule"] = "The rule has no condition. Set at least one, such as words or label."
	default:
		err = rule.CheckLang(r.Lang)
	}
	if err != nil {
		addFaults(wrong, err)
	}
	if n := r.NearDuplicates; n != 0 && !(n >= MinLikeness && n <= 1) {
		wrong[NearDuplicates] = fmt.Sprintf("Give a similarity from %v to 1, such as 0.9.", MinLikeness)
	}
	for _, text := range []struct{ field, value string }{
		{rule.Words, strings.Join(r.Words, " ")}, {rule.Regex, r.Regex}, {"lang", r.Lang},
		{Label, r.Label}, {Classifier, r.Classifier},
	} {
		if !db.IsText(text.value) {
			wrong[text.field] = db.NotText
		}
	}
	for _, part := range []struct {
		name, text string
		parse      func(string) (messages.Comparison, error)
		into       **messages.Comparison
	}{
		{Label, r.Label, messages.ParseLabel, &run.label},
		{Classifier, r.Classifier, messages.ParseClassifier, &run.classifier},
	} {
		if part.text == "" {
			continue
		}
		comparison, err := part.parse(part.text)
		if err != nil {
			wrong[part.name] = err.Error()
		}
		*part.into = &comparison
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return run, nil
}

// Check returns Invalid with what is wrong of each field of a rule.
func (r Rule) Check(ctx context.Context, c db.Conn) error {
	_, err := r.known(ctx, c)
	return err
}

// known is like ready. It also checks that a classifier has the output.
func (r Rule) known(ctx context.Context, c db.Conn) (*ready, error) {
	run, err := r.ready()
	if err != nil || run.classifier == nil {
		return run, err
	}
	err = messages.CheckOutput(ctx, c, *run.classifier)
	var wrong db.BadParameter
	if errors.As(err, &wrong) {
		return nil, db.Invalid{Classifier: wrong.Error()}
	}
	return run, err
}

// addFaults adds the faults that rule.Compile joined.
func addFaults(wrong db.Invalid, err error) {
	faults := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		faults = joined.Unwrap()
	}
	for _, fault := range faults {
		var field *rule.Error
		if errors.As(fault, &field) {
			wrong[field.Field] = strings.ToUpper(field.Why[:1]) + field.Why[1:] + "."
		}
	}
}
