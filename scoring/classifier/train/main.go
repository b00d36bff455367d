// Command train makes the embedded classifier from public data, measures it on
// texts that training never saw, and writes its file and its card:
//
//	go run ./scoring/classifier/train --data FOLDER
//
// The same data make the same bytes. It takes a few minutes.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"treewarden/scoring/classifier"
	"treewarden/scoring/classifier/linear"
	"treewarden/scoring/rule"
)

// modelVersion is a part of the model's name. It grows when the model changes.
const modelVersion = "3"

func main() {
	folder := flag.String("data", os.Getenv("TREEWARDEN_CORPORA"),
		"the `folder` with toxicity and oasst (default $TREEWARDEN_CORPORA)")
	model := flag.String("model", "scoring/classifier/linear/default.model", "the model's `file`")
	card := flag.String("card", "docs/model-card.md", "the card's `file`")
	measureOnly := flag.Bool("measure", false, "write no model: measure the one that is there")
	flag.Parse()
	if err := run(*folder, *model, *card, *measureOnly); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

func run(folder, modelFile, cardFile string, measureOnly bool) error {
	if folder == "" {
		return fmt.Errorf("name the folder of the data with --data")
	}
	start := time.Now()
	progress := func(what string) { fmt.Fprintf(os.Stderr, "%4.0f s  %s\n", time.Since(start).Seconds(), what) }
	progress("reading")
	sets, err := readSets(folder, boilerplateFile)
	if err != nil {
		return err
	}
	if !measureOnly {
		progress("training")
		if err := os.WriteFile(modelFile, train(sets, chosen), 0o644); err != nil {
			return err
		}
	}
	progress("measuring")
	file, err := os.ReadFile(modelFile)
	if err != nil {
		return err
	}
	m, err := linear.Decode(file)
	if err != nil {
		return fmt.Errorf("%s: %w", modelFile, err)
	}
	figures := measure(m, sets)
	words, err := readWords(folder, "en")
	if err != nil {
		return err
	}
	list, err := rule.Compile(rule.Rule{Words: words})
	if err != nil {
		return err
	}
	if err := os.WriteFile(cardFile, writeCard(m, len(file), figures, sets, list), 0o644); err != nil {
		return err
	}
	progress(fmt.Sprintf("done: macro AUC %.3f", figures.macro()))
	return nil
}

// boilerplateFile has the phrases of texts that were pasted from a language model,
// which count as spam. The command runs in the repository's top folder.
const boilerplateFile = "scoring/rule/boilerplate.tsv"

// readSets reads all sets, and splits them.
func readSets(folder, boilerplate string) ([]*set, error) {
	sets := allSets(boilerplate)
	for _, s := range sets {
		if err := s.read(folder); err != nil {
			return nil, err
		}
	}
	split(sets)
	lists, err := readLists(folder, sets)
	if err != nil {
		return nil, err
	}
	return append(sets, lists), nil
}

// train returns the file of a model.
func train(sets []*set, s settings) []byte {
	var out []linear.Output
	for _, name := range outputs {
		examples := examplesOf(sets, name)
		if name == classifier.Toxicity { // spam has two languages
			evenOut(examples, sets, s)
		}
		weights := learn(only(examples, fitted), len(sets), s)
		slope, offset := calibrate(balance(margins(weights, examples)))
		o := linear.Output{Name: name, Languages: measuredLanguages(sets, name), Slope: slope, Offset: offset}
		o.Weights = learn(only(examples, fitted, choice), len(sets), s)
		if name == classifier.Spam {
			o.Weights = foldWeights(o.Weights, spamWeights)
		}
		out = append(out, o)
	}
	return linear.Encode(modelVersion, out)
}

// spamWeights is the number of weights of the output spam: it has less data, and
// the file shall be small.
const spamWeights = 1 << 20

// foldWeights adds up the weights of features whose lower bits are equal.
func foldWeights(weights []float32, n int) []float32 {
	folded := make([]float32, n)
	for i, w := range weights {
		folded[i%n] += w
	}
	return folded
}

// partExample is an example with the part of its row.
type partExample struct {
	example
	part part
	lang string
}

// examplesOf returns the examples of an output that training may see. Texts of
// clean sets are no spam. A label between 0 and 1 is two examples.
func examplesOf(sets []*set, output string) []partExample {
	var examples []partExample
	extractor := linear.NewExtractor()
	for i, s := range sets {
		if !s.trains(output) {
			continue
		}
		for k := range s.rows {
			r := &s.rows[k]
			if r.part == heldOut {
				continue
			}
			label, weight := r.label, s.weightOf(r)
			if s.output != output {
				label = 0
			}
			features := slices.Clone(extractor.Features(r.text))
			for _, e := range []example{
				{features: features, group: i, positive: true, weight: label * weight},
				{features: features, group: i, weight: (1 - label) * weight},
			} {
				if e.weight > 0.01 {
					examples = append(examples, partExample{e, r.part, s.langOf(r)})
				}
			}
		}
	}
	return examples
}

// trains reports whether an output learns from a set.
func (s *set) trains(output string) bool {
	switch s.use {
	case natural:
		return s.output == output
	case clean:
		return s.output == output || s.output == classifier.Toxicity
	case listed:
		return s.output == output
	}
	return false
}

// trained reports whether any output learns from a set.
func (s *set) trained() bool { return s.use == natural || s.use == clean || s.use == listed }

// only returns the examples of some parts.
func only(all []partExample, parts ...part) []example {
	var some []example
	for i := range all {
		if slices.Contains(parts, all[i].part) {
			some = append(some, all[i].example)
		}
	}
	return some
}

// margins returns the margins of the examples kept apart, by language.
func margins(weights []float32, examples []partExample) map[string][]scored {
	byLang := map[string][]scored{}
	for i := range examples {
		e := &examples[i]
		if e.part != choice {
			continue
		}
		sum := 0.0
		for _, f := range e.features {
			sum += float64(weights[f])
		}
		margin := sum * linear.Scale(len(e.features))
		byLang[e.lang] = append(byLang[e.lang], scored{margin, e.positive, e.weight})
	}
	return byLang
}

// languagesOf returns the languages of the sets that people labelled for an
// output.
func languagesOf(sets []*set, output string) []string {
	known := map[string]bool{}
	for _, s := range sets {
		if s.use == natural && s.output == output {
			known[s.lang()] = true
		}
	}
	return sortedKeys(known)
}
