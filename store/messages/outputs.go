package messages

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"treewarden/corpus/search"
	"treewarden/store/db"
)

// CheckNames returns Malformed if the filter names an output that no classifier has.
func (f Filter) CheckNames(ctx context.Context, c db.Conn) error {
	line, err := search.Parse(f.Q)
	if err != nil {
		return err
	}
	for _, l := range line.Filters {
		one, err := fieldOf(l)
		if err == nil {
			err = one.CheckNames(ctx, c)
		}
		if err != nil {
			return atFilter(l, err)
		}
	}
	if f.Classifier == "" {
		return nil
	}
	wanted, err := ParseClassifier(f.Classifier)
	if err != nil {
		return err
	}
	return CheckOutput(ctx, c, wanted)
}

// CheckOutput returns Malformed if no classifier has the output of a comparison. It
// names the most similar outputs. While no output of any classifier is known, every
// name is right.
func CheckOutput(ctx context.Context, c db.Conn, wanted Comparison) error {
	type output struct{ Model, Name string }
	known, err := db.Collect[output](ctx, c, `SELECT name AS model, unnest(outputs) AS name FROM classifier_models`)
	if err != nil || len(known) == 0 || slices.Contains(known, output{wanted.Model, wanted.Name}) {
		return err
	}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = k.Model + "." + k.Name
	}
	name := wanted.Model + "." + wanted.Name
	return db.BadParameter{Name: "classifier", Malformed: db.Malformed("No classifier has the output " + name +
		". Similar: " + strings.Join(Nearest(name, names), ", ") + ".")}
}

// Nearest returns the three names that are most similar to a name, the most similar
// one first.
func Nearest(name string, names []string) []string {
	names = slices.Clone(names)
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(edits(name, a), edits(name, b)), strings.Compare(a, b))
	})
	return names[:min(len(names), 3)]
}

// edits returns the number of bytes to insert, delete or replace to make one text of
// another (the Levenshtein distance).
func edits(from, to string) int {
	row := make([]int, len(to)+1)
	for i := range row {
		row[i] = i
	}
	for i := range len(from) {
		before := row[0]
		row[0] = i + 1
		for j := range len(to) {
			cost := before
			if from[i] != to[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, before+1)
		}
	}
	return row[len(to)]
}
