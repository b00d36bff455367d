package remote

import (
	"context"

	"treewarden/scoring/classifier"
)

// hf is a client of Hugging Face's inference providers and endpoints, by the task
// text-classification: https://huggingface.co/docs/inference-providers/tasks/text-classification
type hf struct{ *caller }

func newHF(c *caller, _ Options) classifier.Classifier { return hf{c} }

// allClasses is more classes than a model has. Some servers answer with the most
// likely class only if no number is given.
const allClasses = 1000

type hfRequest struct {
	// Inputs is a string, or a list of them.
	Inputs     any          `json:"inputs"`
	Parameters hfParameters `json:"parameters"`
}

type hfParameters struct {
	TopK     int    `json:"top_k"`
	Function string `json:"function_to_apply,omitempty"`
}

func (h hf) Classify(ctx context.Context, texts []string) ([]classifier.Scores, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	request := hfRequest{Inputs: texts, Parameters: hfParameters{TopK: allClasses}}
	if len(texts) == 1 {
		request.Inputs = texts[0] // some servers take one text only
	}
	if h.anyNumber {
		request.Parameters.Function = "none"
	}
	var answer classLists
	if err := h.post(ctx, request, &answer); err != nil {
		return nil, err
	}
	if answer.flat != nil && len(texts) > 1 {
		return nil, h.fail(classifier.Broken, 0, "the answer has one class a text instead of all; set batch to 1")
	}
	return h.labels(answer.of(len(texts)), len(texts))
}
