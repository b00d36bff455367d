// Package scoring holds what speaks for or against a user (signals), how it
// is weighed (formulas) and what becomes of it (scores and their parts). It
// is arithmetic only: counting is the store's work.
package scoring

import "slices"

// Signal names one thing that speaks for or against the author of a message. It
// is also the name of a column of counters.
type Signal string

// The signals. Signals, the one table of them, says the rest.
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

// Info is all that is to be known of a signal, save how it is counted: that says
// the table of sources in store/counters.
type Info struct {
	Signal Signal
	Title  string
	Counts string // completes "counts …"
	// Weight is the weight in the first version of the formula treewarden, which
	// migrations put into the database; the formula in force is read from there.
	Weight float64
	// LegacyWeight is the weight in Open-Assistant's formula.
	LegacyWeight float64
	// Favourable signals speak for the user.
	Favourable bool
	// Leaky signals are themselves what formulas are judged by: a sanctioned user
	// had a message deleted or rejected, and a tree is aborted because its prompt
	// was. A formula that weighs them would be praised for knowing the answer.
	Leaky bool
}

// Signals is every signal, in the order in which parts of a score are shown and
// in which counters hold them.
var Signals = [...]Info{
	{
		Signal: RedFlags, Title: "Red flags", Weight: 3, LegacyWeight: 3,
		Counts: "red-flag reactions, and reports that are open or were upheld",
	}, {
		Signal: Upvotes, Title: "Upvotes", Weight: -1, LegacyWeight: -1, Favourable: true,
		Counts: "👍 reactions",
	}, {
		Signal: Downvotes, Title: "Downvotes", Weight: 1, LegacyWeight: 1,
		Counts: "👎 reactions",
	}, {
		Signal: SpamLabels, Title: "Spam labels", Weight: 1,
		Counts: "label votes “spam”",
	}, {
		Signal: SpamPrompts, Title: "Spam prompts", Weight: 1, LegacyWeight: 1, Leaky: true,
		Counts: "prompts whose tree was aborted for low grade",
	}, {
		Signal: Rejected, Title: "Rejected replies", Weight: 2, Leaky: true,
		Counts: "replies that reviewers rejected",
	}, {
		Signal: LangMismatch, Title: "Wrong language", Weight: 1, LegacyWeight: 1,
		Counts: "label votes “wrong language”",
	}, {
		Signal: NotAppropriate, Title: "Inappropriate", Weight: 1, LegacyWeight: 1,
		Counts: "label votes “inappropriate”",
	}, {
		Signal: PII, Title: "Personal data", Weight: 1, LegacyWeight: 1,
		Counts: "label votes “personal data”",
	}, {
		Signal: HateSpeech, Title: "Hate speech", Weight: 3, LegacyWeight: 1,
		Counts: "label votes “hate speech”",
	}, {
		Signal: SexualContent, Title: "Sexual content", Weight: 1, LegacyWeight: 1,
		Counts: "label votes “sexual content”",
	}, {
		Signal: PoliticalContent, Title: "Political content", LegacyWeight: 1,
		Counts: "label votes “political content”",
	}, {
		Signal: ToxicMessages, Title: "Toxic messages", Weight: 2,
		Counts: "messages that the classifier finds toxic",
	}, {
		Signal: Deleted, Title: "Deleted by staff", Weight: 3, Leaky: true,
		Counts: "messages that staff deleted, without those that fell with a subtree",
	},
}

// NumSignals is how many signals there are.
const NumSignals = len(Signals)

// signalPlaces are where the signals stand in Signals.
var signalPlaces = func() map[Signal]int {
	at := make(map[Signal]int, NumSignals)
	for i, info := range Signals {
		at[info.Signal] = i
	}
	return at
}()

// Place is where the signal stands in Signals; it panics for what is no signal.
func (s Signal) Place() int {
	at, ok := signalPlaces[s]
	if !ok {
		panic("scoring: there is no signal " + string(s))
	}
	return at
}

// Known says whether there is such a signal.
func (s Signal) Known() bool {
	_, ok := signalPlaces[s]
	return ok
}

// Title returns the signal's name for people.
func (s Signal) Title() string {
	if !s.Known() {
		return string(s)
	}
	return Signals[s.Place()].Title
}

// Favourable says whether the signal speaks for the user.
func (s Signal) Favourable() bool { return s.Known() && Signals[s.Place()].Favourable }

// LeakySignals are the signals that are themselves what a formula is judged by.
var LeakySignals = func() (leaky []Signal) {
	for _, info := range Signals {
		if info.Leaky {
			leaky = append(leaky, info.Signal)
		}
	}
	return slices.Clip(leaky)
}()

// Counts holds how often each signal was counted.
type Counts map[Signal]int64
