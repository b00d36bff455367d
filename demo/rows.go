package demo

import (
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
)

// Kind tells what sort of contributor a user is. It is the truth behind the
// corpus, for measuring how well a score finds trolls; the console never sees it.
type Kind string

// The kinds of contributors.
const (
	Honest        Kind = "honest"
	Flooder       Kind = "flooder"        // many short messages in bursts
	Vandal        Kind = "vandal"         // abuse in the threads of others
	Spammer       Kind = "spammer"        // one advertisement in many versions, from several accounts
	SlurWriter    Kind = "slur_writer"    // insults groups of people
	WrongLanguage Kind = "wrong_language" // writes in trees of languages that it does not write
	DownVoter     Kind = "down_voter"     // votes down and labels as spam what others wrote
)

// Trolls lists the kinds that are not honest.
var Trolls = []Kind{Flooder, Vandal, Spammer, SlurWriter, WrongLanguage, DownVoter}

// Corpus is a whole collection as flat rows: who wrote, voted, reacted and
// reported what and when. A row comes after the rows that it refers to.
// Dates are in UTC, to the microsecond.
type Corpus struct {
	Users     []User
	Trees     []Tree
	Messages  []Message
	Votes     []Vote
	Reactions []Reaction
	Reports   []Report
	Outputs   []Output
}

// User is a contributor.
type User struct {
	ID           uuid.UUID
	DisplayName  string
	AuthMethod   string // local, discord, google or system
	Username     string
	Email        string // empty where the sign-in method brought none
	Created      time.Time
	LastActivity time.Time // zero for a user who never did anything
	Kind         Kind
	Lang         string // the language that the user mostly writes
}

// Tree is one prompt with its replies.
type Tree struct {
	ID          uuid.UUID // also the prompt's id
	State       string
	Active      bool
	GoalSize    int
	MaxDepth    int
	MaxChildren int
	Origin      string // empty unless the tree came from another collection
	Lang        string
	Created     time.Time
	Author      uuid.UUID // Nil where nobody is known
}

// Message is one node of a tree.
type Message struct {
	Tree         uuid.UUID
	ID           uuid.UUID
	Parent       uuid.UUID // Nil for a prompt at the root
	Author       uuid.UUID // Nil where nobody is known
	Created      time.Time
	Role         string // prompter or assistant
	Lang         string // the language that the author said to write
	Text         string // at most 2,000 characters
	Depth        int
	ReviewCount  int
	ReviewResult *bool
	Rank         *int
	Synthetic    bool
	ModelName    string
	Deleted      bool
	DeletedRoot  uuid.UUID // the topmost message that fell with this one; Nil unless deleted
}

// The places of the labels in Vote.Values, which are those of scoring.Labels.
var (
	spam           = scoring.LabelPlace("spam")
	failsTask      = scoring.LabelPlace("fails_task")
	langMismatch   = scoring.LabelPlace("lang_mismatch")
	pii            = scoring.LabelPlace("pii")
	notAppropriate = scoring.LabelPlace("not_appropriate")
	hateSpeech     = scoring.LabelPlace("hate_speech")
	sexualContent  = scoring.LabelPlace("sexual_content")
	quality        = scoring.LabelPlace("quality")
	toxicity       = scoring.LabelPlace("toxicity")
	humor          = scoring.LabelPlace("humor")
	helpfulness    = scoring.LabelPlace("helpfulness")
	creativity     = scoring.LabelPlace("creativity")
	violence       = scoring.LabelPlace("violence")
)

// NotGiven stands in Vote.Values for a label that the voter was not asked for.
const NotGiven = -1

// Vote is one person's labels of one message, each 0 to 1 or NotGiven.
type Vote struct {
	Tree, Message, User uuid.UUID
	At                  time.Time
	Values              [scoring.NumLabels]float64
}

// Reaction is one person's emoji on a message: "+1", "-1", "red_flag" and
// others; at most one of "+1" and "-1" by the same person.
type Reaction struct {
	Tree, Message, User uuid.UUID
	Emoji               string
	At                  time.Time
}

// Report is one person's report of a message, with the reason in words.
type Report struct {
	Tree, Message, User uuid.UUID
	Reason              string
	At                  time.Time
	Status              string // open, upheld, dismissed or withdrawn
}

// Classifier is the name of the model whose outputs the corpus holds, and
// ClassifierOutputs what it puts out, in the order of Output.Scores.
const Classifier = "detoxify"

// ClassifierOutputs names the outputs of Classifier.
var ClassifierOutputs = [...]string{
	"toxicity", "severe_toxicity", "obscene", "identity_attack", "insult", "threat", "sexual_explicit",
}

// Output is what the classifier says of a message, each 0 to 1.
type Output struct {
	Tree, Message uuid.UUID
	Scores        [len(ClassifierOutputs)]float64
	At            time.Time
}
