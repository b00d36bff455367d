package config

import (
	"fmt"
	"strings"

	"treewarden/scoring/classifier"
	"treewarden/scoring/classifier/guard"
	"treewarden/scoring/classifier/remote"
)

// Configured is a classifier with its configuration, ready to use.
type Configured struct {
	Classifier
	*guard.Guard
	measured measurer // nil if it is not known for which languages it was measured
}

// measurer knows for which languages an output was measured.
type measurer interface {
	Measured(output, lang string) bool
}

// Measured reports whether the toxicity was measured for a language, if that is known. It
// is for the embedded classifier.
func (c Configured) Measured(lang string) (measured, known bool) {
	if c.measured == nil || c.Toxicity == "" {
		return false, false
	}
	base, _, _ := strings.Cut(strings.ToLower(lang), "-")
	return c.measured.Measured(c.Toxicity, lang) || c.measured.Measured(c.Toxicity, base), true
}

// Build makes the classifiers of a configuration, each behind its limits. The
// embedded one is given by the caller; it may be nil if the configuration has none.
func Build(config Config, embedded classifier.Classifier) ([]Configured, error) {
	all := make([]Configured, 0, len(config.Classifiers))
	for _, c := range config.Classifiers {
		inner := embedded
		if c.Kind != Embedded {
			var err error
			if inner, err = remote.New(c.Kind, c.options()); err != nil {
				return nil, fmt.Errorf("classifier %q: %w", c.Name, err)
			}
		}
		if inner == nil {
			return nil, fmt.Errorf("classifier %q: this program has no embedded classifier", c.Name)
		}
		measured, _ := inner.(measurer)
		all = append(all, Configured{c, guard.New(inner, c.Limits), measured})
	}
	return all, nil
}
