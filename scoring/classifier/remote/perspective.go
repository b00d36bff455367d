package remote

import (
	"context"
	"errors"
	"strings"

	"treewarden/scoring/classifier"
)

// perspective is a client of Perspective's comments:analyze:
// https://developers.perspectiveapi.com/s/about-the-api-methods
type perspective struct {
	*caller
	attributes map[string]struct{}
	languages  []string
}

// attributes are those that Perspective has for most languages.
var attributes = []string{"TOXICITY", "SEVERE_TOXICITY", "IDENTITY_ATTACK", "INSULT", "PROFANITY", "THREAT"}

func newPerspective(c *caller, o Options) classifier.Classifier {
	p := perspective{caller: c, attributes: map[string]struct{}{}}
	for name := range o.Outputs {
		p.attributes[name] = struct{}{}
	}
	if len(p.attributes) == 0 {
		for _, name := range attributes {
			p.attributes[name] = struct{}{}
		}
	}
	if o.Language != "" {
		// Perspective knows languages without regions.
		primary, _, _ := strings.Cut(o.Language, "-")
		p.languages = []string{primary}
	}
	return p
}

type perspectiveRequest struct {
	Comment    perspectiveComment  `json:"comment"`
	Attributes map[string]struct{} `json:"requestedAttributes"`
	// Languages is empty where Perspective detects the language.
	Languages []string `json:"languages,omitempty"`
	// DoNotStore asks Google not to keep the text.
	DoNotStore bool `json:"doNotStore"`
}

type perspectiveComment struct {
	Text string `json:"text"`
}

type perspectiveAnswer struct {
	Attributes map[string]struct {
		Summary *struct {
			Value *float64 `json:"value"`
		} `json:"summaryScore"`
	} `json:"attributeScores"`
}

// Classify sends one request a text, because Perspective takes one.
func (p perspective) Classify(ctx context.Context, texts []string) ([]classifier.Scores, error) {
	var all []classifier.Scores
	for i, text := range texts {
		scores, err := p.analyze(ctx, i, text)
		var refused *classifier.Error
		if errors.As(err, &refused) && refused.Fault == classifier.Refused {
			return nil, &classifier.TextError{Index: i, Err: refused}
		}
		if err != nil {
			return nil, err
		}
		all = append(all, scores)
	}
	return all, nil
}

func (p perspective) analyze(ctx context.Context, index int, text string) (classifier.Scores, error) {
	var answer perspectiveAnswer
	err := p.post(ctx, perspectiveRequest{perspectiveComment{text}, p.attributes, p.languages, true}, &answer)
	if err != nil {
		var refused *classifier.Error
		if errors.As(err, &refused) && strings.Contains(refused.Message, "does not support request language") {
			refused.Message += "; limit languages to those that Perspective supports"
		}
		return nil, err
	}
	outputs := make([]output, 0, len(p.attributes))
	for name := range p.attributes {
		summary := answer.Attributes[name].Summary
		if summary == nil {
			return nil, p.fail(classifier.Broken, 0, "the answer has no score %q", name)
		}
		outputs = append(outputs, output{name, summary.Value})
	}
	return p.scores(index, outputs)
}
