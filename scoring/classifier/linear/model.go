// Package linear is the classifier that the program has by itself: logistic
// regression on hashed runs of letters and words. It is small and fast, knows the
// words of its training data, and understands nothing: docs/model-card.md has its
// figures and says where it fails.
package linear

import (
	"context"
	"math"
	"slices"
	"sync"

	"treewarden/scoring/classifier"
)

// Model is a trained model. It may be used by several goroutines.
type Model struct {
	version string
	outputs []output
	table   table     // of the weights of all outputs
	readers sync.Pool // of *scorer
}

// output is an output of a model.
type output struct {
	name string
	// languages are those for which the model card has a figure of the output, sorted.
	languages []string
	// unit is that of the weights.
	unit float64
	// slope and offset make a probability of the sum of the weights: calibration.
	slope, offset float64
}

// Outputs returns the names of the outputs, in the order in which Score gives
// them.
func (m *Model) Outputs() []string {
	names := make([]string, len(m.outputs))
	for i := range m.outputs {
		names[i] = m.outputs[i].name
	}
	return names
}

// Version returns the version of the model. Another one gives other scores.
func (m *Model) Version() string { return m.version }

// Measured reports whether the model card has a figure of an output for a language:
// an AUC of held-out texts. For another language the output is a guess, also where a
// few texts were in training.
func (m *Model) Measured(output, lang string) bool {
	for i := range m.outputs {
		if m.outputs[i].name == output {
			_, found := slices.BinarySearch(m.outputs[i].languages, lang)
			return found
		}
	}
	return false
}

// Classify returns the outputs of each text. It implements classifier.Classifier.
func (m *Model) Classify(ctx context.Context, texts []string) ([]classifier.Scores, error) {
	all := make([]classifier.Scores, len(texts))
	out := make([]float64, len(m.outputs))
	for i, text := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m.Score(text, out)
		all[i] = make(classifier.Scores, len(out))
		for k := range out {
			all[i][m.outputs[k].name] = out[k]
		}
	}
	return all, nil
}

// Score sets out to the outputs of a text, each from 0 to 1. Only the first 64 KiB
// of a text count.
func (m *Model) Score(text string, out []float64) {
	s := m.scorer()
	defer m.readers.Put(s)
	s.score(text)
	for i := range m.outputs {
		o := &m.outputs[i]
		margin := float64(s.sums.of[i]) * o.unit * Scale(int(s.sums.features))
		out[i] = 1 / (1 + math.Exp(-(margin*o.slope + o.offset)))
	}
}

// Scale returns what each of the features of a text counts, so that long texts
// have no greater sums: all of them together are a vector of length 1.
func Scale(features int) float64 { return 1 / math.Sqrt(float64(max(features, 1))) }

func (m *Model) scorer() *scorer {
	if s, ok := m.readers.Get().(*scorer); ok {
		return s
	}
	return newScorer(m)
}

// maxOutputs is the most outputs that a model has.
const maxOutputs = 2

// sums are those of the weights of some features.
type sums struct {
	of       [maxOutputs]int32
	features int32
}

func (s *sums) add(other *sums) {
	for i := range s.of {
		s.of[i] += other.of[i]
	}
	s.features += other.features
}

// scorer adds up the weights of a text's features. It keeps the sums of words:
// most words of a text are frequent ones.
type scorer struct {
	model  *Model
	reader *reader
	sums   sums
	words  []wordSums
	others []uint32 // the features of a text that are not those of a word
	inWord []uint32 // the features of a word
}

// wordSums are the sums of the word with a hash. Two words with the same hash of
// 64 bits are taken for one.
type wordSums struct {
	hash uint64
	sums sums
}

// cachedBits is the number of bits of a hash that find the place of a word's sums:
// 65,536 words, 1.5 MiB.
const cachedBits = 16

func newScorer(m *Model) *scorer {
	return &scorer{
		model: m, reader: newReader(), words: make([]wordSums, 1<<cachedBits),
		others: make([]uint32, 0, usualItems), inWord: make([]uint32, 0, 1+(maxWord+2)*longestRun),
	}
}

// score sets sums to those of a text. It reads the whole text before it adds
// weights, so that the processor can load many of them at the same time.
func (s *scorer) score(text string) {
	s.sums, s.others = sums{}, s.others[:0]
	s.reader.read(text)
	for i := range s.reader.items {
		if it := &s.reader.items[i]; it.isWord() {
			s.sums.add(s.ofWord(it))
		} else {
			s.others = append(s.others, bucket(it.hash))
		}
	}
	s.model.table.add(s.others, &s.sums)
}

func (s *scorer) ofWord(it *item) *sums {
	// The last two words with the same place are kept there.
	place := s.words[it.hash>>(64-cachedBits)&^1:][:2]
	if place[0].hash == it.hash {
		return &place[0].sums
	}
	place[0], place[1] = place[1], place[0]
	if place[0].hash != it.hash {
		place[0] = wordSums{hash: it.hash}
		s.inWord = appendWord(s.inWord[:0], it.hash, s.reader.mark(s.reader.letters[it.from:it.to]))
		s.model.table.add(s.inWord, &place[0].sums)
	}
	return &place[0].sums
}
