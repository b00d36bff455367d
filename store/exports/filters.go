package exports

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/store/db"
	"treewarden/store/messages"
	"treewarden/store/tables"
)

// The formats of a file.
const (
	Trees    = "trees"    // a tree a line, with its messages nested
	Messages = "messages" // a message a line
	CSV      = "csv"      // a message a row, for spreadsheets
	Parquet  = "parquet"  // a message a row, with the columns of the data sets on Hugging Face
)

// Formats are all of them.
var Formats = []string{Trees, Messages, CSV, Parquet}

// What becomes of the replies below a message that is left out.
const (
	Drop  = "drop"  // they are left out with it
	Blank = "blank" // they stay, and so does the message, without its text
)

// AllStates stands for trees in any state.
const AllStates = "all"

// Filters choose what a file holds. The fields have the names and defaults of the flags
// of Open-Assistant's exporter. By default, a file holds the trees in the state
// ready_for_export without a synthetic message, and in them the accepted messages that
// are not deleted.
type Filters struct {
	Format           string     `json:"format"` // one of Formats
	State            string     `json:"state"`  // of trees, or AllStates
	IncludeDeleted   bool       `json:"include_deleted"`
	DeletedOnly      bool       `json:"deleted_only"`
	IncludeSpam      bool       `json:"include_spam"`
	SpamOnly         bool       `json:"spam_only"`
	IncludeSynthetic bool       `json:"include_synthetic"`
	SyntheticOnly    bool       `json:"synthetic_only"`
	User             *uuid.UUID `json:"user"`
	Lang             string     `json:"lang"` // of prompts; "" for all
	PromptsOnly      bool       `json:"prompts_only"`
	ExportLabels     bool       `json:"export_labels"`
	ExportEvents     bool       `json:"export_events"`
	Limit            int        `json:"limit"` // of trees; 0 is none
	// Anonymized reports whether ids were replaced by Seed, which is never written.
	Anonymized bool   `json:"anonymized"`
	Seed       string `json:"-"`

	WithoutList       []string   `json:"without_list"` // names or ids
	WithoutBanned     bool       `json:"without_banned"`
	WithoutClassifier []string   `json:"without_classifier"` // such as detoxify.toxicity>0.8
	Since             *time.Time `json:"since"`
	Until             *time.Time `json:"until"`
	DeletedNodes      string     `json:"deleted_nodes"` // Drop or Blank
}

// Single reports whether messages are chosen one by one, as Open-Assistant does with
// these filters. A file then has no whole trees.
func (f Filters) Single() bool {
	return f.User != nil || f.SpamOnly || f.DeletedOnly || f.SyntheticOnly
}

// wrong is the error of a filter by its name.
func wrong(name, why string) error {
	return db.BadParameter{Name: name, Malformed: db.Malformed(why)}
}

// Checked returns the filters with their defaults, or a db.BadParameter.
func (f Filters) Checked() (Filters, error) {
	for _, pair := range []struct {
		both        bool
		name, other string
	}{
		{f.IncludeDeleted && f.DeletedOnly, "deleted_only", "include_deleted"},
		{f.IncludeSpam && f.SpamOnly, "spam_only", "include_spam"},
		{f.IncludeSynthetic && f.SyntheticOnly, "synthetic_only", "include_synthetic"},
		{f.User != nil && f.State != "" && f.State != AllStates, "state " + f.State, "user"},
		{f.Single() && f.Format == Trees, "format trees", "user, spam_only, deleted_only or synthetic_only, which choose " +
			"single messages"},
		{f.Single() && f.DeletedNodes == Blank, "deleted_nodes blank", "user, spam_only, deleted_only or " +
			"synthetic_only, which choose single messages"},
	} {
		if pair.both {
			return f, wrong(pair.name, pair.name+" does not go with "+pair.other+".")
		}
	}
	f.setDefaults()
	if err := db.OneOf("format", f.Format, Formats...); err != nil {
		return f, err
	}
	if err := db.OneOf("state", f.State, append([]string{AllStates}, tables.TreeStates...)...); err != nil {
		return f, err
	}
	if err := db.OneOf("deleted_nodes", f.DeletedNodes, Drop, Blank); err != nil {
		return f, err
	}
	if f.Limit < 0 {
		return f, wrong("limit", "limit is a number of trees; 0 is all.")
	}
	if f.Since != nil && f.Until != nil && !f.Since.Before(*f.Until) {
		return f, wrong("until", "until is later than since.")
	}
	for _, text := range f.WithoutClassifier {
		if _, err := messages.ParseClassifier(text); err != nil {
			return f, wrong("without_classifier", "without_classifier is a comparison such as detoxify.toxicity>0.8.")
		}
	}
	return f, nil
}

func (f *Filters) setDefaults() {
	if f.Format == "" {
		f.Format = Trees
		if f.Single() {
			f.Format = Messages
		}
	}
	if f.State == "" {
		f.State = corpus.DefaultState
		if f.User != nil {
			f.State = AllStates
		}
	}
	if f.DeletedNodes == "" {
		f.DeletedNodes = Drop
	}
	f.Anonymized = f.Anonymized || f.Seed != ""
	f.WithoutList, f.WithoutClassifier = slices.Clone(f.WithoutList), slices.Clone(f.WithoutClassifier)
}

// The reasons for which trees and messages are left out.
const (
	otherState   = "state"      // of the tree
	otherLang    = "lang"       // of the tree
	hasSynthetic = "synthetic"  // a tree with a synthetic message
	overLimit    = "limit"      // of trees
	noMessage    = "no_message" // a tree without one
	noneKept     = "none_kept"  // a tree of which no message, or not the prompt, is kept
	onList       = "list"       // a message on one of the lists
	isDeleted    = "deleted"
	notDeleted   = "not_deleted"
	notAccepted  = "not_accepted" // not reviewed yet, or rejected
	notRejected  = "not_rejected"
	notSynthetic = "not_synthetic"
	otherUser    = "user"
	byBanned     = "banned"
	byClassifier = "classifier"
	tooEarly     = "since"
	tooLate      = "until"
	isReply      = "reply"
	withoutTree  = "no_parent" // its parent is not there
	below        = "below_"    // before the reason of a message further up
)

// treeReason returns why a whole tree is left out, or "".
func (f *Filters) treeReason(t *tree) string {
	switch {
	case f.State != AllStates && t.state != f.State:
		return otherState
	case f.Lang != "" && (t.lang == nil || *t.lang != f.Lang):
		return otherLang
	case t.synthetic && !f.IncludeSynthetic && !f.SyntheticOnly:
		return hasSynthetic
	}
	return ""
}

// reason returns why a message is left out for itself, or "".
func (f *Filters) reason(n *node) string {
	switch {
	case n.listed:
		return onList
	case n.Deleted && !f.IncludeDeleted && !f.DeletedOnly:
		return isDeleted
	case !n.Deleted && f.DeletedOnly:
		return notDeleted
	case f.SpamOnly && (n.ReviewResult == nil || *n.ReviewResult):
		return notRejected
	case !f.SpamOnly && !f.IncludeSpam && (n.ReviewResult == nil || !*n.ReviewResult):
		return notAccepted
	case f.SyntheticOnly && !n.Synthetic:
		return notSynthetic
	case f.User != nil && (n.UserID == nil || *n.UserID != *f.User):
		return otherUser
	case n.banned:
		return byBanned
	case n.classified:
		return byClassifier
	case f.Since != nil && (n.CreatedDate == nil || n.CreatedDate.Before(*f.Since)):
		return tooEarly
	case f.Until != nil && n.CreatedDate != nil && !n.CreatedDate.Before(*f.Until):
		return tooLate
	case f.PromptsOnly && n.ParentID != nil:
		return isReply
	}
	return ""
}
