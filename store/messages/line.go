package messages

import (
	"strings"

	"treewarden/corpus"
	"treewarden/corpus/search"
	"treewarden/scoring"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// fieldOf returns a filter whose only field says the same as a filter in a line. It
// returns Malformed for a value that the field cannot have.
func fieldOf(f search.Filter) (Filter, error) {
	one := Filter{Deleted: "include"}
	if f.Op != ":" {
		return one, one.compare(f.Name, f.Op+f.Value)
	}
	wrong := func(why string) error { return db.Malformed(why) }
	switch f.Name {
	case "lang":
		one.Lang = f.Value
	case "role":
		one.Role = f.Value
	case "deleted":
		one.Deleted = f.Value
	case "review":
		one.Review = f.Value
	case "has":
		one.Has = f.Value
	case "label":
		one.Label = f.Value
	case "toxicity":
		one.Toxicity = f.Value
	case "classifier":
		one.Classifier = f.Value
	case "tree_state":
		one.TreeState = f.Value
		return one, db.OneOf("tree_state", f.Value, tables.TreeStates...)
	case "user", "list":
		id, ok := corpus.ParseUUID(f.Value)
		if !ok {
			return one, wrong(f.Name + " is an id, such as 0f3a7b1c-5d2e-4f60-8a9b-0c1d2e3f4a5b: a name is not searched here.")
		}
		if one.User = &id; f.Name == "list" {
			one.User, one.List = nil, &id
		}
	case "since", "until":
		value := f.Value
		if len(value) == len("2006-01-02T15:04") {
			value += ":00"
		}
		at, _, ok := corpus.ParseTime(value)
		if !ok {
			return one, wrong(f.Name + " is a date such as 2024-05-31, or a time such as 2024-05-31T14:00:00Z.")
		}
		if one.Since = &at; f.Name == "until" {
			one.Since, one.Until = nil, &at
		}
	}
	return one, nil
}

// compare sets the field of a comparison by a label's name, toxicity or the name of a
// classifier's output.
func (f *Filter) compare(name, comparison string) error {
	switch {
	case name == "toxicity":
		f.Toxicity = comparison
	case scoring.IsLabel(name):
		f.Label = name + comparison
	case strings.Contains(name, "."):
		f.Classifier = name + comparison
	default:
		return db.Malformed("There is no label " + name + ". Labels are " + strings.Join(scoring.LabelNames, ", ") +
			"; a classifier's output is written as detoxify.insult" + comparison +
			". To search for this text, put quotes around it.")
	}
	return nil
}
