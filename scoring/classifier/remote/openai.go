package remote

import (
	"context"
	"maps"

	"treewarden/scoring/classifier"
)

// openAI is a client of servers with OpenAI's moderations:
// https://platform.openai.com/docs/api-reference/moderations/create
type openAI struct {
	*caller
	model string
}

func newOpenAI(c *caller, o Options) classifier.Classifier { return openAI{c, o.Model} }

type openAIRequest struct {
	Input []string `json:"input"`
	Model string   `json:"model,omitempty"`
}

type openAIAnswer struct {
	Results []struct {
		Scores map[string]*float64 `json:"category_scores"`
	} `json:"results"`
}

func (o openAI) Classify(ctx context.Context, texts []string) ([]classifier.Scores, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	var answer openAIAnswer
	if err := o.post(ctx, openAIRequest{texts, o.model}, &answer); err != nil {
		return nil, err
	}
	results := make([]map[string]*float64, len(answer.Results))
	for i, r := range answer.Results {
		// A category that a model does not know is null.
		maps.DeleteFunc(r.Scores, func(_ string, score *float64) bool { return score == nil })
		results[i] = r.Scores
	}
	return o.figures(results, len(texts))
}
