package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"

	"treewarden/scoring/classifier"
	"treewarden/scoring/likeness"
)

// wordLists is the name of the set of words.
const wordLists = "xx-ldnoobw"

// What a word of a list counts in training, and an ordinary word. There are about
// 30 times as many ordinary ones.
const (
	listedWeight   = 3
	ordinaryWeight = 0.1
)

// readLists returns a set of the words and phrases of the word lists of all languages,
// with the label 1, and of the words of the ordinary sentences that training may see,
// with the label 0. It has no word that is a whole text of the held-out fifth, or of
// the part kept for the calibration. The sets are split already: the new set has no
// influence on their parts.
func readLists(folder string, sets []*set) (*set, error) {
	s := &set{name: wordLists, output: classifier.Toxicity, use: listed, licence: "CC BY 4.0"}
	files, err := os.ReadDir(filepath.Join(folder, "toxicity", "ldnoobw"))
	if err != nil {
		return nil, err
	}
	apart := map[uint64]bool{}
	for _, other := range sets {
		for i := range other.rows {
			if r := &other.rows[i]; r.part != fitted {
				apart[r.hash] = true
			}
		}
	}
	add := func(text, lang string, label float64) {
		if hash := hashOf(likeness.ShinglesOf(text)); !apart[hash] {
			s.rows = append(s.rows, row{text: text, label: label, kind: lang, hash: hash, part: fitted})
		}
	}
	for _, file := range files { // sorted by name
		list, err := readWords(folder, file.Name())
		if err != nil {
			return nil, err
		}
		for _, word := range list {
			add(word, file.Name(), 1)
		}
	}
	for _, other := range sets {
		if !strings.HasSuffix(other.name, "-tatoeba") {
			continue
		}
		known := map[string]bool{}
		for i := range other.rows {
			if other.rows[i].part == heldOut {
				continue
			}
			for _, word := range strings.Fields(strings.ToLower(other.rows[i].text)) {
				if word = strings.Trim(word, ".,!?;:\"'()¿¡«»。、"); word != "" && !known[word] {
					known[word] = true
					add(word, other.lang(), 0)
				}
			}
		}
	}
	return s, nil
}

// weightOf returns what a row of a set counts in training.
func (s *set) weightOf(r *row) float64 {
	switch {
	case s.use != listed:
		return 1
	case r.label == 1:
		return listedWeight
	}
	return ordinaryWeight
}

// evenOut weights the labelled texts of the languages with less than usualTexts of them, so
// that they count more: by the power s.evenness of usualTexts divided by their number. Those
// of English do not count less, although there are more: HateCheck was worse with that.
func evenOut(examples []partExample, sets []*set, s settings) {
	texts := map[string]float64{}
	for i := range examples {
		if e := &examples[i]; sets[e.group].use == natural {
			texts[e.lang] += e.weight
		}
	}
	for i := range examples {
		if e := &examples[i]; sets[e.group].use == natural {
			e.weight *= max(1, math.Pow(usualTexts/texts[e.lang], s.evenness))
		}
	}
}

// usualTexts is about the number of texts in training of a language with several sets.
const usualTexts = 10_000
