package admin

import (
	"maps"
	"slices"
	"strings"

	"treewarden/store"
)

// goodLabels are the labels of which more is better, or at least not worse.
var goodLabels = []string{"quality", "helpfulness", "creativity", "humor"}

// labelTitles are the labels whose names do not read well by themselves.
var labelTitles = map[string]string{
	"fails_task": "fails the task", "lang_mismatch": "wrong language", "not_appropriate": "inappropriate", "pii": "personal data",
	"moral_judgement": "judges morals", "political_content": "political content",
}

// labelTitle is a label's name for people.
func labelTitle(name string) string {
	if title, ok := labelTitles[name]; ok {
		return title
	}
	return strings.ReplaceAll(name, "_", " ")
}

// labelChoice is one question with fixed answers.
type labelChoice struct {
	Name, Title, Hint string
	Low, High         string // what the ends of a scale mean
	Answers           []Choice
	Required          bool
}

// labelForm are the questions that the data collection asks about a message.
type labelForm struct {
	YesNo  []labelChoice
	Flags  []labelChoice
	Scales []labelChoice
}

// scales are the questions that are answered in five steps. onlyReplies are
// asked of an assistant's message only.
var (
	scales = []labelChoice{
		{Name: "quality", Title: "Quality", Low: "low quality", High: "high quality"},
		{Name: "helpfulness", Title: "Helpfulness", Low: "unhelpful", High: "helpful"},
		{Name: "creativity", Title: "Creativity", Low: "ordinary", High: "creative"},
		{Name: "humor", Title: "Humour", Low: "serious", High: "humorous"},
		{Name: "toxicity", Title: "Rudeness", Low: "polite", High: "rude"},
		{Name: "violence", Title: "Violence", Low: "harmless", High: "violent"},
	}
	flags = []labelChoice{
		{Name: "lang_mismatch", Title: "Wrong language"},
		{Name: "not_appropriate", Title: "Inappropriate"},
		{Name: "pii", Title: "Contains personal data"},
		{Name: "hate_speech", Title: "Hate speech"},
		{Name: "sexual_content", Title: "Sexual content"},
	}
	onlyReplies = []string{"fails_task", "helpfulness"}
)

// LabelForm is the form of labels: as typed, else as this person answered
// before, else empty. A flag that is not set says no; a scale may be left out.
func (p actPage) LabelForm() labelForm {
	var given map[string]float64
	if params, ok := p.Params.(*store.LabelParams); ok {
		given = params.Labels
	}
	if given == nil && p.Message != nil {
		for _, v := range p.Message.Votes {
			if v.UserID == p.Person.UserID {
				given = v.Labels
			}
		}
	}
	asked := func(l labelChoice) bool {
		return p.Message == nil || p.Message.Role == "assistant" || !slices.Contains(onlyReplies, l.Name)
	}
	var form labelForm
	for _, l := range []labelChoice{
		{Name: "spam", Title: "Is it spam?", Hint: "Of low quality on purpose, or beside the point", Required: true},
		{Name: "fails_task", Title: "Does it fail the task?", Hint: "Does not do what was asked"},
	} {
		if asked(l) {
			l.Answers = answers(given, l.Name, []Choice{{Value: "1", Text: "Yes"}, {Value: "0", Text: "No"}})
			form.YesNo = append(form.YesNo, l)
		}
	}
	for _, l := range flags {
		l.Answers = []Choice{{"1", l.Title, given[l.Name] > 0}}
		form.Flags = append(form.Flags, l)
	}
	for _, l := range scales {
		if asked(l) {
			l.Answers = answers(given, l.Name, []Choice{{Value: "0", Text: "1 of 5"}, {Value: "0.25", Text: "2 of 5"}, {Value: "0.5", Text: "3 of 5"},
				{Value: "0.75", Text: "4 of 5"}, {Value: "1", Text: "5 of 5"}})
			form.Scales = append(form.Scales, l)
		}
	}
	return form
}

// answers marks the choice that was given.
func answers(given map[string]float64, name string, choices []Choice) []Choice {
	value, ok := given[name]
	for i := range choices {
		choices[i].Chosen = ok && choices[i].Value == figure(&value)
	}
	return choices
}

// scoreRow is one classifier output or one label of a message.
type scoreRow struct {
	Name  string
	Value *float64
	Count int  // of labels: how many people
	Bad   bool // a high value speaks against the message
}

// Against says that the value speaks against the message.
func (r scoreRow) Against() bool { return r.Bad && r.Value != nil && *r.Value >= toxicScore }

// scoreTable is what one model, or people, say of a message.
type scoreTable struct {
	Title  string
	Rows   []scoreRow
	People bool // the rows have counts
}

// scoreTables are a message's classifier outputs by model.
func scoreTables(m store.Message) []scoreTable {
	var tables []scoreTable
	for _, model := range models(m) {
		table := scoreTable{Title: model.Name}
		for _, name := range sortedKeys(model.Outputs) {
			table.Rows = append(table.Rows, scoreRow{Name: strings.ReplaceAll(name, "_", " "), Value: model.Outputs[name], Bad: true})
		}
		tables = append(tables, table)
	}
	return tables
}

// labelTable is a message's mean labels: first those with columns of their
// own, in their order, then the others.
func labelTable(m store.Message) scoreTable {
	table := scoreTable{Title: "Labels by people", People: true}
	names := slices.Clone(store.LabelNames)
	for _, name := range sortedKeys(m.Labels) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if l, ok := m.Labels[name]; ok {
			table.Rows = append(table.Rows, scoreRow{labelTitle(name), l.Value, l.Count, !slices.Contains(goodLabels, name)})
		}
	}
	return table
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
