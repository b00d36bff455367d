package corpus

import (
	"time"
	"unicode/utf8"
)

// The longest values of fields, in characters. This is the one table of them: import,
// ingest, the API and forms all follow it. They are above real data, and low enough
// that each value fits into one request of any of these, and into an index where
// there is one.
const (
	MaxText         = 20_000 // of a message
	MaxModelName    = 1024   // of a model that wrote a message
	MaxOrigin       = 1024   // of a tree
	MaxName         = 256    // of a language, a state, an emoji, a label, a classifier or one of its outputs
	MaxDisplayName  = 256    // of a name that staff type; what front ends send is evidence, and is kept
	MaxUsername     = 512    // of a name to sign in with
	MaxAuthMethod   = 64     // of a way to sign in
	MaxNotes        = 10_000 // of staff on a user
	MaxReportReason = 2000   // of a report from a front end
	MaxEventID      = 200    // of an ingested event
)

// The limits of numbers in a message.
const (
	MaxNames  = 1000      // emojis, labels, models or outputs
	MaxPeople = 1_000_000 // users with one reaction or label
)

// MaxAhead is how far a date may lie in the future, because clocks differ.
const MaxAhead = 24 * time.Hour

// TooLongFor reports whether a text has more characters than a limit.
func TooLongFor(text string, limit int) bool {
	return len(text) > limit && utf8.RuneCountInString(text) > limit
}
