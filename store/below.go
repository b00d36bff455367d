package store

import (
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/importer"
	"treewarden/store/ingest"
	"treewarden/store/raters"
	"treewarden/store/tables"
)

// The types and values of the packages below that handlers and commands speak of.
type (
	// Page asks for one page of a list.
	Page = db.Page
	// List is one page of a keyset-paged list.
	List[T any] = db.List[T]
	// Malformed is a request that cannot be read at all.
	Malformed = db.Malformed
	// Invalid names the fields that are wrong, and why.
	Invalid = db.Invalid
	// Rater says how far what a user gave agrees with what others gave.
	Rater = raters.Rater
	// RaterLabel compares a rater's answers to one question with those of others.
	RaterLabel = raters.Label
	// RaterScale compares a rater's values for one label with those of others.
	RaterScale = raters.ScaleDifference
	// RaterFlags counts a rater's flags by what became of them.
	RaterFlags = raters.Flags
	// ScoreFault is a counter that is not what the base tables say.
	ScoreFault = counters.Fault
	// Ingested says what became of the lines of one ingest.
	Ingested = ingest.Result
	// ImportOptions says how to import.
	ImportOptions = importer.Options
	// ImportSummary counts what an import did.
	ImportSummary = importer.Summary
)

// The statuses of a user.
const (
	Active = tables.Active
	Banned = tables.Banned
	Erased = tables.Erased
)

var (
	// ErrNotFound says that the thing asked for does not exist.
	ErrNotFound = db.ErrNotFound
	// ErrUnavailable says that the database cannot be reached now.
	ErrUnavailable = db.ErrUnavailable
	// Emojis are the reactions that people may give.
	Emojis = tables.Emojis
	// TreeStates are the states of a tree, in the order of a tree's life.
	TreeStates = tables.TreeStates
)
