package scoring

// An Answer is a kind of answer to a question about a message.
type Answer int

// The kinds of answers. A yes or no has a value of 0 or 1, and YesFrom or more is
// a yes. A scale has a value from 0 to 1.
const (
	NotAsked Answer = iota
	YesNo
	Scale
)

// YesFrom is the value from which an answer is a yes.
const YesFrom = 0.5

// Label is one question about messages, with its own column in the database.
type Label struct {
	Name   string // the name in the OASST export and of the columns
	Title  string // short, in a sentence: "wrong language"
	Answer Answer
	// Good reports whether a higher value is better, or at least not worse.
	Good bool
	// Signal is the signal that counts the yes votes; empty if there is none.
	Signal Signal
	// Warns reports whether a high mean hides the text behind a content warning.
	Warns bool

	// Place is the position in the form; 0 if the form does not have it.
	Place int
	// Question is the question in the form; Hint explains it.
	Question, Hint string
	// Flag shows a yes or no as a checkbox; the others are separate questions.
	Flag bool
	// Required reports whether the form needs an answer.
	Required bool
	// OnlyReplies limits the question to messages of the assistant.
	OnlyReplies bool
	// Low and High are the meanings of the ends of a scale.
	Low, High string
}

// Labels holds the labels with a column, in the order of the columns. Other
// labels are stored in another column and never counted.
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

// ToxicityLabel is the name of the label and of the classifier output for the
// mean toxicity on boards.
const ToxicityLabel = "toxicity"

// NumLabels is the number of labels with a column.
const NumLabels = len(Labels)

// LabelNames are the names of Labels, in their order.
var LabelNames = func() []string {
	names := make([]string, NumLabels)
	for i, l := range Labels {
		names[i] = l.Name
	}
	return names
}()

// labelPlaces maps the labels to their indexes in Labels.
var labelPlaces = func() map[string]int {
	at := make(map[string]int, NumLabels)
	for i, l := range Labels {
		at[l.Name] = i
	}
	return at
}()

// LabelNamed returns the label with a name, if it has a column.
func LabelNamed(name string) (Label, bool) {
	at, ok := labelPlaces[name]
	if !ok {
		return Label{}, false
	}
	return Labels[at], true
}

// IsLabel reports whether a label has a column.
func IsLabel(name string) bool {
	_, ok := labelPlaces[name]
	return ok
}

// LabelPlace returns the index of a label in Labels; it panics if there is none.
func LabelPlace(name string) int {
	at, ok := labelPlaces[name]
	if !ok {
		panic("scoring: there is no label " + name)
	}
	return at
}
