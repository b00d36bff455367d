package rule

import (
	_ "embed"
	"strings"
	"sync"
)

// boilerplateTable holds a phrase a line: its language, its kind and the phrase,
// with a tab between them. The kinds: self, the text calls itself a language
// model; refusal; cutoff, the date up to which a model knows; close, a closing
// formula.
//
//go:embed boilerplate.tsv
var boilerplateTable string

// boilerplatePhrases makes the table ready, once for all rules. A phrase is
// searched in texts of every language: "as an AI language model" stands in
// translations too.
var boilerplatePhrases = sync.OnceValue(func() *phrases {
	b := newPhraseBuilder(Boilerplate)
	for line := range strings.Lines(boilerplateTable) {
		if column := strings.SplitN(strings.TrimSpace(line), "\t", 3); len(column) == 3 && column[0] != "lang" {
			b.add(column[2], column[1]+": "+column[2])
		}
	}
	return b.build()
})
