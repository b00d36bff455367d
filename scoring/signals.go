// Package scoring defines signals for and against users, formulas that weigh
// them, and scores with their parts. It only computes; package store counts the
// signals.
package scoring

import "slices"

// Signal is the name of one kind of evidence for or against the author of a
// message. It is also the name of a column of counters.
type Signal string

// The signals. The table Signals describes them.
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

// Info describes a signal. The table sources in store/counters defines how it is
// counted.
type Info struct {
	Signal Signal
	Title  string
	Counts string // completes "counts …"
	// Weight is the weight in the first version of the formula treewarden, which
	// a migration inserts. The formula in force is read from the database.
	Weight float64
	// LegacyWeight is the weight in Open-Assistant's formula.
	LegacyWeight float64
	// Favourable signals count for the user.
	Favourable bool
	// Leaky signals are part of the definition of a sanctioned user: a message
	// deleted or rejected, or a tree aborted because of that. A formula that
	// weighs them would be measured by its own input.
	Leaky bool
}

// Signals holds all signals, in the order of the parts of a score and of
// counters.
var Signals = [...]Info{
	{
		Signal: RedFlags, Title: "Red flags", Weight: 3, LegacyWeight: 3,
		Counts: "red-flag reactions, and reports that are open or were upheld; one person’s on one message as one",
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

// NumSignals is the number of signals.
const NumSignals = len(Signals)

// signalPlaces maps the signals to their indexes in Signals.
var signalPlaces = func() map[Signal]int {
	at := make(map[Signal]int, NumSignals)
	for i, info := range Signals {
		at[info.Signal] = i
	}
	return at
}()

// Place returns the index of the signal in Signals; it panics if there is none.
func (s Signal) Place() int {
	at, ok := signalPlaces[s]
	if !ok {
		panic("scoring: there is no signal " + string(s))
	}
	return at
}

// Known reports whether the signal exists.
func (s Signal) Known() bool {
	_, ok := signalPlaces[s]
	return ok
}

// Title returns the signal's name on pages.
func (s Signal) Title() string {
	if !s.Known() {
		return string(s)
	}
	return Signals[s.Place()].Title
}

// Favourable reports whether the signal counts for the user.
func (s Signal) Favourable() bool { return s.Known() && Signals[s.Place()].Favourable }

// LeakySignals holds the leaky signals.
var LeakySignals = func() (leaky []Signal) {
	for _, info := range Signals {
		if info.Leaky {
			leaky = append(leaky, info.Signal)
		}
	}
	return slices.Clip(leaky)
}()

// Counts holds the count of each signal.
type Counts map[Signal]int64
