package admin

import (
	"html/template"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/language"

	"treewarden/markup"
	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/messages"
)

// messageView is a message as a conversation shows it.
type messageView struct {
	store.Message
	Body      template.HTML
	Raw       bool             // Body is the text as it was written
	Long      bool             // Body is cut until it is opened
	Cut       bool             // Body holds only the beginning of the text
	Warnings  []contentWarning // why Body is hidden until it is opened
	Current   bool             // the message that the page is about
	Focus     bool             // the page gives the focus to this message
	Author    string
	Badges    []badge
	Reactions []reactionCount
	Marks     []mark
	Toxicity  []contentWarning // of every classifier, whatever the score
	Menu      menuLink
	Acts      []menuItem // buttons below the message
	Siblings  *siblings
	Place     string // among its siblings, by rank
}

// The limits from which a text in a conversation is cut, in bytes and lines.
// The message that a page is about has a higher limit.
const (
	longText        = 1400
	longLines       = 24
	longTextCurrent = 8000
)

// messagePresenter makes views of messages for one person on one page.
type messagePresenter struct {
	person store.Person
	back   string // where acts return to
	raw    bool
	// may caches the person's permissions: a page asks for each message.
	may  map[policy.Permission]bool
	full bool // show the whole of big texts
}

// newPresenter returns a presenter for one person. Acts return to the path
// back.
func newPresenter(person store.Person, back string) messagePresenter {
	t := messagePresenter{person: person, back: back, may: map[policy.Permission]bool{}}
	for _, kind := range store.Kinds {
		t.may[kind.Permission] = person.May(kind.Permission)
	}
	return t
}

// shownText is messages.Shown.
const shownText = messages.Shown

// beginning cuts a text after shownText characters, and reports whether it did.
func beginning(text string) (string, bool) {
	if len(text) <= shownText {
		return text, false
	}
	n := 0
	for i := range text {
		if n == shownText {
			return text[:i] + "…", true
		}
		n++
	}
	return text, false
}

func (t messagePresenter) view(m store.Message) messageView {
	b := messageView{Message: m, Raw: t.raw, Author: authorName(m), Badges: badges(m),
		Reactions: reactionCounts(m.Emojis), Marks: marks(m), Menu: t.menuLink(m),
		Toxicity: slices.DeleteFunc(toxicities(m), contentWarning.isZero)}
	text := m.Text
	if !t.full {
		text, b.Cut = beginning(text)
	}
	if t.raw {
		b.Body = markup.Raw(text)
	} else {
		b.Body = markup.HTML(text)
	}
	b.Long = len(m.Text) > longText || strings.Count(m.Text, "\n") > longLines
	b.Warnings = hiddenFrom(t.person, m)
	return b
}

func (t messagePresenter) views(messages []store.Message) []messageView {
	all := make([]messageView, len(messages))
	for i, m := range messages {
		all[i] = t.view(m)
	}
	return all
}

// Tag returns the message's language for a lang attribute. It returns "" if the
// stored value is not a language.
func (b messageView) Tag() string { return langTag(b.Lang) }

func langTag(code *string) string {
	if code == nil {
		return ""
	}
	tag, err := language.Parse(*code)
	if err != nil {
		return ""
	}
	return tag.String()
}

// authorName returns the text that a page shows as a message's author.
func authorName(m store.Message) string {
	switch {
	case m.AuthorName != nil && canBeSeen(*m.AuthorName):
		return named(*m.AuthorName)
	case m.Synthetic && m.ModelName != nil && *m.ModelName != "":
		return *m.ModelName
	case m.UserID != nil:
		return named("", *m.UserID)
	}
	return "unknown author"
}

// nameless replaces a name that has no visible character, and no id.
const nameless = "(no name)"

// canBeSeen reports whether a name has a visible character.
func canBeSeen(name string) bool {
	return strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsGraphic(r) && !unicode.IsSpace(r) &&
			!markup.Invisible(r)
	})
}

// badge is a mark of a message's state.
type badge struct{ Text, Mood, Hint string }

// badges returns the states of a message that a moderator must see before
// reading it.
func badges(m store.Message) []badge {
	var all []badge
	if m.ParentID == nil {
		all = append(all, badge{"Root", "accent", "The prompt that the tree began with"})
	}
	if m.Deleted {
		all = append(all, badge{Text: "Deleted", Mood: "bad"})
	}
	switch {
	case m.ReviewResult == nil:
		all = append(all, badge{Text: "Under review"})
	case !*m.ReviewResult:
		all = append(all, badge{"Spam", "warn", "The review rejected it"})
	}
	if m.Edited {
		all = append(all, badge{Text: "Edited", Mood: "info"})
	}
	if m.Synthetic {
		all = append(all, badge{"Synthetic", "", "Written by a model: " + orEmpty(m.ModelName)})
	}
	switch {
	case m.OpenReports == 1:
		all = append(all, badge{"1 report", "bad", "Open reports"})
	case m.OpenReports > 1:
		all = append(all, badge{number(m.OpenReports) + " reports", "bad", "Open reports"})
	}
	return all
}

// A text is hidden at first if a classifier's toxicity reaches
// contentWarningFrom, or if the mean of a label with a warning does and at
// least contentWarningVotes people gave the label. This is independent of the
// toxicity from which a message counts in a score, which is a part of the
// formula.
const (
	contentWarningFrom  = 0.5
	contentWarningVotes = 3
)

// contentWarning is one score for which a text is hidden at first.
type contentWarning struct {
	Name  string
	Share float64
	By    string // the classifier, or the number of people
	Stale bool   // the classifier saw a former text
}

// Model returns the classifier's name on pages.
func (w contentWarning) Model() string {
	if w.By == "detoxify" {
		return "Detoxify"
	}
	return w.By
}

// isZero reports whether the score is 0 % on pages.
func (w contentWarning) isZero() bool { return w.Share < 0.005 }

// High reports whether the score alone hides a text.
func (w contentWarning) High() bool { return w.Share >= contentWarningFrom }

// contentWarnings returns the scores for which a message's text is hidden at
// first.
func contentWarnings(m store.Message) []contentWarning {
	var reasons []contentWarning
	for _, score := range toxicities(m) {
		if score.Share >= contentWarningFrom {
			reasons = append(reasons, score)
		}
	}
	for _, label := range scoring.Labels {
		if l := m.Labels[label.Name]; label.Warns && l.Value != nil && l.Count >= contentWarningVotes &&
			*l.Value >= contentWarningFrom {
			reasons = append(reasons, contentWarning{Name: label.Title, Share: *l.Value,
				By: number(l.Count) + " people"})
		}
	}
	return reasons
}

// toxicities returns the toxicity of a message by each classifier. A score that is no
// probability, such as that of a reward model, is none.
func toxicities(m store.Message) []contentWarning {
	var scores []contentWarning
	for _, model := range models(m) {
		if score := model.Outputs["toxicity"]; score != nil && *score >= 0 && *score <= 1 {
			scores = append(scores, contentWarning{"toxicity", *score, model.Name, slices.Contains(m.Stale, model.Name)})
		}
	}
	return scores
}

// reactionCount is the number of times that people gave a reaction to a
// message.
type reactionCount struct {
	Emoji, Symbol, Name string
	Count               int
}

// reactions lists the emojis that pages show, in their order. The emojis of an
// export that begin with _skip_ are bookkeeping of the data collection.
var reactions = []reactionCount{
	{"+1", "👍", "thumbs up", 0}, {"-1", "👎", "thumbs down", 0}, {"red_flag", "🚩", "red flag", 0},
	{"100", "💯", "hundred", 0}, {"rofl", "🤣", "laughing", 0}, {"clap", "👏", "applause", 0},
	{"diamond", "💎", "diamond", 0},
	{"heart_eyes", "😍", "heart eyes", 0}, {"disappointed", "😞", "disappointed", 0}, {"poop", "💩", "poop", 0},
	{"skull", "💀", "skull", 0},
}

// reactionCounts returns the reactions to a message.
func reactionCounts(emojis map[string]int) []reactionCount {
	var counts []reactionCount
	for _, r := range reactions {
		if r.Count = emojis[r.Emoji]; r.Count > 0 {
			counts = append(counts, r)
		}
	}
	return counts
}

// mark is a short form of a label that people gave to a message.
type mark struct {
	Title string
	Share float64
	Count int
	Bad   bool
}

// marks returns the labels against a message, and its quality.
func marks(m store.Message) []mark {
	var all []mark
	for _, label := range scoring.Labels {
		l, ok := m.Labels[label.Name]
		if !ok || l.Value == nil || l.Count == 0 {
			continue
		}
		switch {
		case !label.Good && *l.Value >= contentWarningFrom:
			all = append(all, mark{label.Title, *l.Value, l.Count, true})
		case label.Name == "quality":
			all = append(all, mark{label.Title, *l.Value, l.Count, false})
		}
	}
	return all
}

// model holds a classifier's outputs for a message.
type model struct {
	Name    string
	Outputs map[string]*float64
}

// models lists the classifiers with outputs for a message, Detoxify first.
func models(m store.Message) []model {
	var all []model
	if len(m.Detoxify) > 0 {
		all = append(all, model{"detoxify", m.Detoxify})
	}
	for _, name := range sortedKeys(m.Classifiers) {
		all = append(all, model{name, m.Classifiers[name]})
	}
	return all
}
