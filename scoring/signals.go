// package scoring holds what speaks for or against a user (signals), how it
// is weighed (formulas) and what becomes of it (scores and their parts). It
// is arithmetic only: counting is the store's work.
package scoring

// Signal names one thing that speaks for or against the author of a message.
type Signal string

// The signals, as spec'd for both shipped formulas.
const (
	RedFlags         Signal = "red_flags"
	Upvotes          Signal = "upvotes"
	Downvotes        Signal = "downvotes"
	SpamLabels       Signal = "spam_labels"
	SpamPrompts      Signal = "spam_prompts"
	Rejected         Signal = "rejected"
	LangMismatch     Signal = "lang_mismatch"
	NotAppropriate   Signal = "not_appropriate"
	PII              Signal = "pii"
	HateSpeech       Signal = "hate_speech"
	SexualContent    Signal = "sexual_content"
	PoliticalContent Signal = "political_content"
	ToxicMessages    Signal = "toxic_messages"
	Deleted          Signal = "deleted"
)

// Info describes a signal to people.
type Info struct {
	Signal Signal
	Title  string
	Counts string // completes "counts …"
}

// Signals lists every signal in the order in which parts of a score are shown.
var Signals = []Info{
	{RedFlags, "Red flags", "red-flag reactions, and reports that are open or were upheld"},
	{Upvotes, "Upvotes", "👍 reactions"},
	{Downvotes, "Downvotes", "👎 reactions"},
	{SpamLabels, "Spam labels", "label votes “spam”"},
	{SpamPrompts, "Spam prompts", "prompts whose tree was aborted for low grade"},
	{Rejected, "Rejected replies", "replies that reviewers rejected"},
	{LangMismatch, "Wrong language", "label votes “wrong language”"},
	{NotAppropriate, "Inappropriate", "label votes “inappropriate”"},
	{PII, "Personal data", "label votes “personal data”"},
	{HateSpeech, "Hate speech", "label votes “hate speech”"},
	{SexualContent, "Sexual content", "label votes “sexual content”"},
	{PoliticalContent, "Political content", "label votes “political content”"},
	{ToxicMessages, "Toxic messages", "messages that the classifier finds toxic"},
	{Deleted, "Deleted by staff", "messages that staff deleted, without those that fell with a subtree"},
}

// Title returns the signal's name for people.
func (s Signal) Title() string {
	for _, info := range Signals {
		if info.Signal == s {
			return info.Title
		}
	}
	return string(s)
}

// signalPlaces are where the signals stand in Signals.
var signalPlaces = func() map[Signal]int {
	at := make(map[Signal]int, len(Signals))
	for i, info := range Signals {
		at[info.Signal] = i
	}
	return at
}()

func (s Signal) place() int { return signalPlaces[s] }

// Counts holds how often each signal was counted.
type Counts map[Signal]int64
