package store

import (
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/importer"
	"treewarden/store/ingest"
	"treewarden/store/raters"
	"treewarden/store/tables"
)

// The types and values of the packages below that handlers and commands use.
type (
	// Page asks for one page of a list.
	Page = db.Page
	// List is one page of a keyset-paged list.
	List[T any] = db.List[T]
	// Malformed is a request that cannot be decoded.
	Malformed = db.Malformed
	// Invalid maps the invalid fields to reasons.
	Invalid = db.Invalid
	// Rater measures how far a user's feedback agrees with that of others.
	Rater = raters.Rater
	// RaterLabel compares a rater's answers to one question with those of others.
	RaterLabel = raters.Label
	// RaterScale compares a rater's values for one label with those of others.
	RaterScale = raters.ScaleDifference
	// RaterFlags counts a rater's flags by their outcome.
	RaterFlags = raters.Flags
	// ScoreFault is a counter that differs from the base tables.
	ScoreFault = counters.Fault
	// Ingested is the result of one ingest.
	Ingested = ingest.Result
	// ImportOptions are the options of an import.
	ImportOptions = importer.Options
	// ImportSummary counts the rows that an import changed.
	ImportSummary = importer.Summary
)

// The statuses of a user.
const (
	Active = tables.Active
	Banned = tables.Banned
	Erased = tables.Erased
)

var (
	// ErrNotFound means that the requested object does not exist.
	ErrNotFound = db.ErrNotFound
	// ErrUnavailable means that the database cannot be reached now.
	ErrUnavailable = db.ErrUnavailable
	// Emojis are the reactions that people may give.
	Emojis = tables.Emojis
	// TreeStates are the states of a tree, in the order of a tree's life.
	TreeStates = tables.TreeStates
)
