package demo

import (
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
)

// Kind is the true kind of a contributor. It measures how well a score finds
// trolls; the console never shows it.
type Kind string

// The kinds of contributors.
const (
	Honest        Kind = "honest"
	Flooder       Kind = "flooder"        // sends many short messages in bursts
	Vandal        Kind = "vandal"         // abuses others in their threads
	Spammer       Kind = "spammer"        // sends one advertisement in many versions, from several accounts
	SlurWriter    Kind = "slur_writer"    // insults groups of people
	WrongLanguage Kind = "wrong_language" // writes in trees of languages other than its own
	DownVoter     Kind = "down_voter"     // votes down the messages of others and labels them as spam
)

// Trolls lists the kinds that are not honest.
var Trolls = []Kind{Flooder, Vandal, Spammer, SlurWriter, WrongLanguage, DownVoter}

// Corpus is a whole collection as flat rows: users, trees, messages, votes,
// reactions and reports. A row comes after the rows that it refers to. Dates
// are in UTC, to the microsecond.
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
	Email        string // empty if the sign-in method has none
	Created      time.Time
	LastActivity time.Time // zero for a user without activity
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
	Author      uuid.UUID // Nil if unknown
}

// Message is one node of a tree.
type Message struct {
	Tree         uuid.UUID
	ID           uuid.UUID
	Parent       uuid.UUID // Nil for a prompt at the root
	Author       uuid.UUID // Nil if unknown
	Created      time.Time
	Role         string // prompter or assistant
	Lang         string // the language that the author chose
	Text         string // at most 2,000 characters
	Depth        int
	ReviewCount  int
	ReviewResult *bool
	Rank         *int
	Synthetic    bool
	ModelName    string
	Deleted      bool
	DeletedRoot  uuid.UUID // the topmost message that was deleted with this one; Nil unless deleted
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

// NotAsked is the value in Vote.Values of a label that the voter was not asked
// for.
const NotAsked = -1

// Vote holds one person's labels of one message, each 0 to 1 or NotAsked.
type Vote struct {
	Tree, Message, User uuid.UUID
	At                  time.Time
	Values              [scoring.NumLabels]float64
}

// Reaction is one person's emoji on a message: "+1", "-1", "red_flag" and
// others. A person has at most one of "+1" and "-1" on a message.
type Reaction struct {
	Tree, Message, User uuid.UUID
	Emoji               string
	At                  time.Time
}

// Report is one person's report of a message, with its reason.
type Report struct {
	Tree, Message, User uuid.UUID
	Reason              string
	At                  time.Time
	Status              string // open, upheld, dismissed or withdrawn
}

// Classifier is the name of the model whose outputs the corpus holds.
const Classifier = "detoxify"

// ClassifierOutputs names the outputs of Classifier, in the order of
// Output.Scores.
var ClassifierOutputs = [...]string{
	"toxicity", "severe_toxicity", "obscene", "identity_attack", "insult", "threat", "sexual_explicit",
}

// Output holds the classifier's outputs for a message, each 0 to 1.
type Output struct {
	Tree, Message uuid.UUID
	Scores        [len(ClassifierOutputs)]float64
	At            time.Time
}
