package remote

import (
	"bytes"
	"context"
	"encoding/json"

	"treewarden/scoring/classifier"
)

// tei is a client of text-embeddings-inference with a classification model, by
// /predict as https://huggingface.github.io/text-embeddings-inference/ describes it.
type tei struct{ *caller }

func newTEI(c *caller, _ Options) classifier.Classifier { return tei{c} }

type teiRequest struct {
	// Inputs has a list for each text. A list of two strings would be a pair of
	// sentences.
	Inputs [][1]string `json:"inputs"`
	// Truncate cuts texts that are longer than the model reads, which are refused
	// otherwise.
	Truncate  bool `json:"truncate"`
	RawScores bool `json:"raw_scores"`
}

func (t tei) Classify(ctx context.Context, texts []string) ([]classifier.Scores, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	request := teiRequest{Inputs: make([][1]string, len(texts)), Truncate: true, RawScores: t.anyNumber}
	for i, text := range texts {
		request.Inputs[i][0] = text
	}
	var answer classLists
	if err := t.post(ctx, request, &answer); err != nil {
		return nil, err
	}
	return t.labels(answer.of(len(texts)), len(texts))
}

// classLists are the classes of each text. For a single text, servers may leave the
// outer list out.
type classLists struct {
	lists [][]labelled
	flat  []labelled
}

func (l *classLists) UnmarshalJSON(text []byte) error {
	if inner := bytes.TrimLeft(bytes.TrimPrefix(bytes.TrimSpace(text), []byte("[")), " \t\r\n"); len(inner) > 0 &&
		inner[0] == '{' {
		return json.Unmarshal(text, &l.flat)
	}
	return json.Unmarshal(text, &l.lists)
}

func (l *classLists) of(texts int) [][]labelled {
	if l.flat != nil && texts == 1 {
		return [][]labelled{l.flat}
	}
	return l.lists
}
