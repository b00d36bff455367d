package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"treewarden/scoring/classifier"
)

// outputs are the outputs of the model, in their order.
var outputs = []string{classifier.Toxicity, classifier.Spam}

// use is what a set is good for.
type use uint8

const (
	natural   use = iota // labelled texts that people wrote: trained and measured
	clean                // texts that are clean, or taken for it: trained, too few toxic ones to measure
	suite                // templates: measured only
	shareLike            // share-alike licence: measured only
	listed               // single words and phrases: trained only
)

// set is a set of labelled texts.
type set struct {
	name    string // begins with the language
	output  string // that the labels are for
	use     use
	licence string
	load    func(folder string) ([]row, error)
	rows    []row
}

func (s *set) lang() string { return s.name[:2] }

// langOf returns the language of a row. The texts of OASST are in several.
func (s *set) langOf(r *row) string {
	if s.lang() == "xx" {
		return r.kind
	}
	return s.lang()
}

func (s *set) read(folder string) (err error) {
	if s.rows, err = s.load(folder); err != nil {
		return fmt.Errorf("set %s: %w", s.name, err)
	}
	if len(s.rows) == 0 {
		return fmt.Errorf("set %s: it has no rows", s.name)
	}
	return nil
}

// allSets are the sets that are read, with the licences that their publishers
// state.
func allSets(boilerplate string) []*set {
	var sets []*set
	add := func(output string, use use, licence, names string) {
		for _, name := range strings.Fields(names) {
			sets = append(sets, &set{name: name, output: output, use: use, licence: licence, load: fromTSV(name)})
		}
	}
	add(classifier.Toxicity, natural, "MIT", `ar-mlma en-mlma fr-mlma zh-swsr ko-curse pt-redditbr ru-distorted
		en-openaimod`)
	add(classifier.Toxicity, natural, "CC BY 4.0", `ar-offenseval2020 el-offenseval2020 tr-offenseval2020 da-dkhate
		de-germeval2018 de-gahd en-convabuse en-hatemojibuild`)
	add(classifier.Toxicity, natural, "Apache-2.0", `ar-mpold zh-cold ro-offense ro-newsoffense ro-fboffense ja-inspection
		en-wikicontext`)
	add(classifier.Toxicity, natural, "CC0", "en-paradetox")
	add(classifier.Spam, natural, "MIT", "en-indiasms ru-tgspam en-tgspam")
	add(classifier.Spam, natural, "free use with notice", "en-smsspam")
	add(classifier.Toxicity, clean, "CC BY 2.0 FR", tatoeba)
	add(classifier.Toxicity, shareLike, "CC BY-SA", `ko-beep ko-apeach pt-toldbr vi-thienit fi-suomi24 de-iwg
		en-stormfront`)
	add(classifier.Toxicity, suite, "CC BY 4.0", `ar-mhc nl-mhc fr-mhc de-mhc hi-mhc it-mhc zh-mhc pl-mhc pt-mhc es-mhc
		en-hatemojicheck`)
	csv := func(name string, use use, licence, file string, columns csvColumns) {
		sets = append(sets, &set{name: name, output: classifier.Toxicity, use: use, licence: licence,
			load: func(folder string) ([]row, error) { return readCSV(filepath.Join(folder, "toxicity", file), columns) }})
	}
	csv("en-davidson", natural, "MIT", "labeled_data.csv.gz", csvColumns{text: "tweet", label: "class", zero: "2"})
	csv("en-edos", natural, "CC0", "edos_labelled_aggregated.csv.gz",
		csvColumns{text: "text", label: "label_sexist", one: "sexist"})
	csv("en-surge", natural, "MIT", "surge-toxicity-en.csv", csvColumns{text: "text", label: "is_toxic", one: "Toxic"})
	csv(hateCheck, suite, "CC BY 4.0", "test_suite_cases.csv",
		csvColumns{text: "test_case", label: "label_gold", one: "hateful", kind: "functionality"})
	return append(sets,
		&set{name: "xx-oasst", output: classifier.Toxicity, use: clean, licence: "Apache-2.0", load: readOASST},
		&set{name: "xx-boilerplate", output: classifier.Spam, use: clean, licence: "this repository",
			load: func(string) ([]row, error) {
				return readBoilerplate(boilerplate)
			}},
	)
}

const hateCheck = "en-hatecheck"

const tatoeba = `es-tatoeba ru-tatoeba de-tatoeba zh-tatoeba fr-tatoeba pt-tatoeba it-tatoeba ja-tatoeba th-tatoeba
	vi-tatoeba ar-tatoeba ko-tatoeba pl-tatoeba tr-tatoeba fa-tatoeba uk-tatoeba hu-tatoeba nl-tatoeba sv-tatoeba
	da-tatoeba fi-tatoeba id-tatoeba he-tatoeba hi-tatoeba bn-tatoeba cs-tatoeba ro-tatoeba el-tatoeba ca-tatoeba
	eu-tatoeba gl-tatoeba eo-tatoeba en-tatoeba`

func fromTSV(name string) func(folder string) ([]row, error) {
	return func(folder string) ([]row, error) {
		return readTSV(filepath.Join(folder, "toxicity", "sets", name+".tsv.gz"))
	}
}

// readBoilerplate reads lines of a language, a kind and a phrase.
func readBoilerplate(path string) ([]row, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var rows []row
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(strings.TrimSpace(line), "\t"); len(cells) == 3 && cells[0] != "lang" {
			rows = append(rows, row{text: cells[2], label: 1, kind: cells[0]})
		}
	}
	return rows, nil
}
