package store

import (
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/importer"
	"treewarden/store/ingest"
	"treewarden/store/raters"
	"treewarden/store/tables"
)

// UserDetail is a user with the data of their page.
type UserDetail struct {
	User
	Languages []string                          `json:"languages"`
	Stats     map[scoring.Window]Stats          `json:"stats"`
	Scores    map[scoring.Window]float64        `json:"scores"`
	Parts     map[scoring.Window][]scoring.Part `json:"parts"`
	Days      []DaySignals                      `json:"days"`
	History   []NoteVersion                     `json:"notes_history"`
}

// BoardFilter selects a trollboard. Sort is score (default), rate, red_flags,
// downvotes, spam, toxicity or messages, always in descending order.
type BoardFilter struct {
	Window  scoring.Window
	Formula scoring.Formula
	Status  string // active, banned or all
	Lang    string
	Within  []string // only users who write most in these languages; nil for all
	Q       string
	Sort    string
	Parts   bool // whether the rows have the parts of their scores
	Page
}

// BoardRow is the row of one user on the trollboard.
type BoardRow struct {
	Rank           int64          `json:"rank"`
	UserID         uuid.UUID      `json:"user_id"`
	DisplayName    string         `json:"display_name"`
	AuthMethod     string         `json:"auth_method"`
	Role           string         `json:"role"`
	Status         string         `json:"status"`
	Score          float64        `json:"score"`
	Rate           float64        `json:"rate"`
	RedFlags       int64          `json:"red_flags"`
	Upvotes        int64          `json:"upvotes"`
	Downvotes      int64          `json:"downvotes"`
	Spam           int64          `json:"spam"` // spam label votes + spam prompts
	Toxicity       *float64       `json:"toxicity"`
	ToxicitySource *string        `json:"toxicity_source"` // "classifier", "labels" or null
	Messages       int64          `json:"messages"`
	Languages      []string       `json:"languages"`
	LastActivity   *time.Time     `json:"last_activity"`
	Parts          []scoring.Part `json:"parts,omitempty" description:"of the score; only with parts=true"`
}

// Board is one page of a trollboard.
type Board struct {
	List[BoardRow]
	Window  scoring.Window `json:"frame"`
	Formula string         `json:"formula"`
	AsOf    time.Time      `json:"as_of"`
}

// Act is a request for an action. The kind determines which fields are needed.
type Act struct {
	Kind    string
	Target  uuid.UUID
	Reason  string
	Preview bool
	// Version is the version that the actor read; nil is not checked.
	Version *int
	// IdempotencyKey identifies a request, so that a repeated one acts once.
	IdempotencyKey string
	// Params are the parameters of the kind, such as BanParams; nil is none.
	Params any

	// Progress, if set, is called with the number of messages that are done.
	Progress func(done int64) `json:"-"`
}

// undoParams are the parameters of an undo.
type undoParams struct{ Action int64 }

// Outcome is the result of an action or its preview.
type Outcome struct {
	Preview   bool     `json:"preview,omitempty"`
	Unchanged bool     `json:"unchanged,omitempty" description:"there was nothing to change: action.id is 0"`
	Action    Action   `json:"action"`
	Affected  Affected `json:"affected"`
}

// The types and values of the packages below that handlers and commands use.
type (
	// Page asks for one page of a list.
	Page = db.Page
	// List is one page of a keyset-paged list.
	List[T any] = db.List[T]
	// Malformed is a request that cannot be decoded, BadParameter one with a wrong
	// parameter in its query.
	Malformed    = db.Malformed
	BadParameter = db.BadParameter
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
)
