package scoring

// An Answer is how a question about a message is answered.
type Answer int

// The kinds of answers. A yes or no is a value of 0 or 1, of which a half or more
// is a yes; a scale is a value from 0 to 1.
const (
	NotAsked Answer = iota
	YesNo
	Scale
)

// YesFrom is the value from which an answer says yes.
const YesFrom = 0.5

// Label is one question that people answer about messages, with a column of its
// own in the database.
type Label struct {
	Name   string // as the OASST export calls it, and the columns
	Title  string // short, in a sentence: "wrong language"
	Answer Answer
	// Good labels are those of which more is better, or at least not worse.
	Good bool
	// Signal counts the votes that say yes; empty where none does.
	Signal Signal
	// Warns says that a high mean hides the message's text at first.
	Warns bool

	// The form asks for it at this place; 0: it does not.
	Place int
	// Question is what the form asks; Hint explains it.
	Question, Hint string
	// Flag puts a yes or no among the boxes that are ticked; the others are asked
	// one by one.
	Flag bool
	// Required says that the form cannot be sent without an answer.
	Required bool
	// OnlyReplies is asked of an assistant's message only.
	OnlyReplies bool
	// Low and High are what the ends of a scale mean.
	Low, High string
}

// Labels is every label that has a column, in the order of the columns. Labels of
// other names are kept beside them and never counted.
var Labels = [...]Label{
	{
		Name: "spam", Title: "spam", Answer: YesNo, Signal: SpamLabels,
		Place: 1, Question: "Is it spam?", Hint: "Of low quality on purpose, or beside the point", Required: true,
	}, {
		Name: "fails_task", Title: "fails the task", Answer: YesNo,
		Place: 2, Question: "Does it fail the task?", Hint: "Does not do what was asked", OnlyReplies: true,
	}, {
		Name: "lang_mismatch", Title: "wrong language", Answer: YesNo, Signal: LangMismatch,
		Place: 3, Question: "Wrong language", Flag: true,
	}, {
		Name: "pii", Title: "personal data", Answer: YesNo, Signal: PII,
		Place: 5, Question: "Contains personal data", Flag: true,
	}, {
		Name: "not_appropriate", Title: "inappropriate", Answer: YesNo, Signal: NotAppropriate,
		Place: 4, Question: "Inappropriate", Flag: true,
	}, {
		Name: "hate_speech", Title: "hate speech", Answer: YesNo, Signal: HateSpeech, Warns: true,
		Place: 6, Question: "Hate speech", Flag: true,
	}, {
		Name: "sexual_content", Title: "sexual content", Answer: YesNo, Signal: SexualContent, Warns: true,
		Place: 7, Question: "Sexual content", Flag: true,
	}, {
		Name: "moral_judgement", Title: "judges morals",
	}, {
		Name: "political_content", Title: "political content", Answer: YesNo, Signal: PoliticalContent,
	}, {
		Name: "quality", Title: "quality", Answer: Scale, Good: true,
		Place: 8, Question: "Quality", Low: "low quality", High: "high quality",
	}, {
		Name: ToxicityLabel, Title: "toxicity", Answer: Scale, Warns: true,
		Place: 12, Question: "Rudeness", Low: "polite", High: "rude",
	}, {
		Name: "humor", Title: "humor", Answer: Scale, Good: true,
		Place: 11, Question: "Humour", Low: "serious", High: "humorous",
	}, {
		Name: "helpfulness", Title: "helpfulness", Answer: Scale, Good: true,
		Place: 9, Question: "Helpfulness", Low: "unhelpful", High: "helpful", OnlyReplies: true,
	}, {
		Name: "creativity", Title: "creativity", Answer: Scale, Good: true,
		Place: 10, Question: "Creativity", Low: "ordinary", High: "creative",
	}, {
		Name: "violence", Title: "violence", Answer: Scale, Warns: true,
		Place: 13, Question: "Violence", Low: "harmless", High: "violent",
	},
}

// ToxicityLabel is the name of the label, and of the classifier output, whose
// mean boards show as toxicity.
const ToxicityLabel = "toxicity"

// NumLabels is how many labels have a column.
const NumLabels = len(Labels)

// LabelNames are the names of Labels, in their order.
var LabelNames = func() []string {
	names := make([]string, NumLabels)
	for i, l := range Labels {
		names[i] = l.Name
	}
	return names
}()

// labelPlaces are where the labels stand in Labels.
var labelPlaces = func() map[string]int {
	at := make(map[string]int, NumLabels)
	for i, l := range Labels {
		at[l.Name] = i
	}
	return at
}()

// LabelNamed finds a label that has a column.
func LabelNamed(name string) (Label, bool) {
	at, ok := labelPlaces[name]
	if !ok {
		return Label{}, false
	}
	return Labels[at], true
}

// IsLabel says whether a label has a column.
func IsLabel(name string) bool {
	_, ok := labelPlaces[name]
	return ok
}

// LabelPlace is where a label stands in Labels; it panics for another name.
func LabelPlace(name string) int {
	at, ok := labelPlaces[name]
	if !ok {
		panic("scoring: there is no label " + name)
	}
	return at
}
