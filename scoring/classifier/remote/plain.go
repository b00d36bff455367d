package remote

import (
	"context"

	"treewarden/scoring/classifier"
)

// plain is a client of the plain protocol, which docs/classifiers.md describes.
type plain struct{ *caller }

func newPlain(c *caller, _ Options) classifier.Classifier { return plain{c} }

type plainRequest struct {
	Texts []string `json:"texts"`
}

type plainAnswer struct {
	Scores []map[string]*float64 `json:"scores"`
}

func (p plain) Classify(ctx context.Context, texts []string) ([]classifier.Scores, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	var answer plainAnswer
	if err := p.post(ctx, plainRequest{texts}, &answer); err != nil {
		return nil, err
	}
	return p.figures(answer.Scores, len(texts))
}
