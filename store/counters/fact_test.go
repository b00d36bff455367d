package counters

import (
	"testing"

	"treewarden/scoring"
)

// TestEverySignalIsCounted checks that each signal has a source in SQL and is
// counted by the Go rules, that each fact has a source, and that sources use only
// known columns.
func TestEverySignalIsCounted(t *testing.T) {
	inSQL := map[string]bool{}
	for fact, src := range sources {
		if src.at == "" || len(src.counts) == 0 {
			t.Errorf("fact %d has no source", fact)
		}
		for column := range src.counts {
			if _, ok := columnAt[column]; !ok {
				t.Errorf("fact %d counts %s, which is no column", fact, column)
			}
			inSQL[column] = true
		}
	}
	var d Deltas
	all := Standing{Recorded: true, ByOther: true}
	d.written()
	d.Toxicity(0.5)
	d.Reactions(1, 1, 1, all)
	labels := Labels{Sum: 1, Number: 1}
	for i := range countedLabels {
		labels.Yes[i] = 1
	}
	d.Labels(LabelMeans, &labels, all)
	d.Once(SpamPrompt, all)
	d.Once(ToxicMessage, all)
	for _, f := range messageFacts {
		d.Once(f.fact, all)
	}
	var inGo scoring.Counters
	d.addTo(&inGo, 1)
	for i, column := range scoring.Columns {
		if inGo[i] == 0 {
			t.Errorf("no rule in Go adds to %s", column)
		}
		if i < scoring.NumSignals && !inSQL[column] {
			t.Errorf("no source in SQL counts %s", column)
		}
	}
}

// TestRules checks which facts count, by rater and state of the message.
func TestRules(t *testing.T) {
	for _, test := range []struct {
		fact            Fact
		standing        Standing
		current, legacy bool
	}{
		{Report, Standing{Recorded: true, ByOther: true}, true, true},
		{Report, Standing{Recorded: true}, false, true}, // by a banned user or the author
		{Report, Standing{ByOther: true}, true, false},  // no reaction record
		{Report, Standing{Recorded: true, ByOther: true, Deleted: true}, true, false},
		{Report, Standing{Recorded: true, ByOther: true, Repeated: true}, false, true}, // the rater flagged it before
		{Reaction, Standing{ByOther: true, Repeated: true}, false, true},
		{Reaction, Standing{ByOther: true}, true, true}, // the reaction is itself a record
		{Reaction, Standing{Deleted: true}, false, false},
		{SpamPrompt, Standing{Deleted: true}, true, true},
		{LabelMeans, Standing{Recorded: true}, true, true}, // without known raters
		{Deletion, Standing{Deleted: true, Recorded: true}, true, false},
	} {
		if current, legacy := test.fact.counts(test.standing); current != test.current || legacy != test.legacy {
			t.Errorf("fact %d of %+v counts %v and as Open-Assistant %v", test.fact, test.standing, current, legacy)
		}
	}
}
