package config

import (
	"fmt"

	"treewarden/scoring/classifier"
	"treewarden/scoring/classifier/guard"
	"treewarden/scoring/classifier/remote"
)

// Configured is a classifier with its configuration, ready to use.
type Configured struct {
	Classifier
	*guard.Guard
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
		all = append(all, Configured{c, guard.New(inner, c.Limits)})
	}
	return all, nil
}
