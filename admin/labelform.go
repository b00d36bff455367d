package admin

import (
	"maps"
	"math"
	"slices"
	"strings"

	"treewarden/scoring"
	"treewarden/store"
)

// labelTitle returns a label's name for people.
func labelTitle(name string) string {
	if label, ok := scoring.LabelNamed(name); ok {
		return label.Title
	}
	return strings.ReplaceAll(name, "_", " ")
}

// isGoodLabel reports whether a higher value of a label is better, or at least
// not worse.
func isGoodLabel(name string) bool {
	label, _ := scoring.LabelNamed(name)
	return label.Good
}

// labelChoice is one question with fixed answers.
type labelChoice struct {
	Name, Title, Hint string
	Low, High         string // the meaning of the ends of a scale
	Answers           []Choice
	Required          bool
}

// labelForm holds the questions that the data collection asks about a message.
type labelForm struct {
	YesNo  []labelChoice
	Flags  []labelChoice
	Scales []labelChoice
	// Kept are the person's earlier labels that the form does not ask for.
	Kept []Choice
}

// questions lists the labels that the form asks for, in its order.
var questions = func() []scoring.Label {
	asked := slices.DeleteFunc(slices.Clone(scoring.Labels[:]), func(l scoring.Label) bool { return l.Place == 0 })
	slices.SortFunc(asked, func(a, b scoring.Label) int { return a.Place - b.Place })
	return asked
}()

// The answers to a yes-or-no question, and to a question of five steps. Without an
// answer nothing is stored: it is no "no".
var (
	yesOrNo  = []Choice{{Value: "1", Text: "Yes"}, {Value: "0", Text: "No"}}
	noAnswer = Choice{Value: "", Text: "No answer"}
	steps    = []Choice{
		{Value: "0", Text: "1 of 5"}, {Value: "0.25", Text: "2 of 5"}, {Value: "0.5", Text: "3 of 5"},
		{Value: "0.75", Text: "4 of 5"}, {Value: "1", Text: "5 of 5"},
	}
)

// LabelForm returns the form of labels. It is filled in with what the person
// typed, or else with their earlier labels of the message. Only the answer to a
// required question may not be left out.
func (p actPage) LabelForm() labelForm {
	var labels map[string]float64
	if params, ok := p.Params.(*store.LabelParams); ok {
		labels = params.Labels
	}
	if labels == nil && p.Message != nil {
		for _, v := range p.Message.Votes {
			if v.UserID == p.Person.UserID {
				labels = v.Labels
			}
		}
	}
	var form labelForm
	kept := maps.Clone(labels)
	for _, l := range questions {
		if l.OnlyReplies && p.Message != nil && p.Message.Role != "assistant" {
			continue
		}
		delete(kept, l.Name)
		choice := labelChoice{Name: l.Name, Title: l.Question, Hint: l.Hint, Low: l.Low, High: l.High, Required: l.Required}
		switch {
		case l.Flag:
			choice.Answers = yesNoAnswers(labels, l)
			form.Flags = append(form.Flags, choice)
		case l.Answer == scoring.YesNo:
			choice.Answers = yesNoAnswers(labels, l)
			form.YesNo = append(form.YesNo, choice)
		default:
			choice.Answers = answers(labels, l.Name, steps)
			form.Scales = append(form.Scales, choice)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		value := kept[name]
		form.Kept = append(form.Kept, Choice{Value: figure(&value), Text: name})
	}
	return form
}

// yesNoAnswers returns the answers to a yes-or-no question. The one that is nearest
// to the person's label is marked.
func yesNoAnswers(labels map[string]float64, l scoring.Label) []Choice {
	choices := slices.Clone(yesOrNo)
	if !l.Required {
		choices = append(choices, noAnswer)
	}
	switch value, ok := labels[l.Name]; {
	case !ok && l.Required:
	case !ok:
		choices[2].Chosen = true
	case value >= scoring.YesFrom:
		choices[0].Chosen = true
	default:
		choices[1].Chosen = true
	}
	return choices
}

// answers marks the step that is nearest to the person's label.
func answers(labels map[string]float64, name string, choices []Choice) []Choice {
	choices = slices.Clone(choices)
	if value, ok := labels[name]; ok {
		last := float64(len(choices) - 1)
		choices[int(math.Round(min(max(value, 0), 1)*last))].Chosen = true
	}
	return choices
}

// scoreRow is one classifier output or one label of a message.
type scoreRow struct {
	Name  string
	Value *float64
	Count int  // of labels: the number of people
	Bad   bool // a high value counts against the message
}

// Against reports whether the value counts against the message.
func (r scoreRow) Against() bool { return r.Bad && r.Value != nil && *r.Value >= contentWarningFrom }

// scoreTable holds the scores of a message by one model or by people.
type scoreTable struct {
	Title  string
	Rows   []scoreRow
	People bool // the rows have counts
	Stale  bool // the scores are those of a former text
}

// scoreTables returns a message's classifier outputs by model.
func scoreTables(m store.Message) []scoreTable {
	var tables []scoreTable
	for _, model := range models(m) {
		table := scoreTable{Title: model.Name, Stale: slices.Contains(m.Stale, model.Name)}
		for _, name := range sortedKeys(model.Outputs) {
			table.Rows = append(table.Rows, scoreRow{Name: strings.ReplaceAll(name, "_", " "),
				Value: model.Outputs[name], Bad: true})
		}
		tables = append(tables, table)
	}
	return tables
}

// labelTable returns a message's mean labels: first the labels with a column of
// their own, in their order, then the others.
func labelTable(m store.Message) scoreTable {
	table := scoreTable{Title: "Labels by people", People: true}
	names := slices.Clone(scoring.LabelNames)
	for _, name := range sortedKeys(m.Labels) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if l, ok := m.Labels[name]; ok {
			table.Rows = append(table.Rows, scoreRow{labelTitle(name), l.Value, l.Count, !isGoodLabel(name)})
		}
	}
	return table
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
