package store

import (
	"github.com/google/uuid"

	"treewarden/store/db"
	"treewarden/store/importer"
	"treewarden/store/ingest"
	"treewarden/store/params"
)

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

	// Progress, if set, is called with the number of objects that are done.
	Progress func(done int64) `json:"-"`
}

// undoParams are the parameters of an undo.
type undoParams struct{ Action int64 }

// Outcome is the result of an action or its preview.
type Outcome struct {
	Preview   bool     `json:"preview,omitempty"`
	Repeated  bool     `json:"-"` // an earlier request with the same Idempotency-Key did it
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
	// Ingested is the result of one ingest.
	Ingested = ingest.Result
	// ImportOptions are the options of an import.
	ImportOptions = importer.Options
	// ImportSummary counts the rows that an import changed.
	ImportSummary = importer.Summary
	// BanParams are the parameters of ban, UnbanParams of unban and ResolveParams of resolve.
	BanParams     = params.Ban
	UnbanParams   = params.Unban
	ResolveParams = params.Resolve
	// UserPatch holds the changes to a user, LabelParams values by label.
	UserPatch   = params.UserPatch
	LabelParams = params.Labels
	// CloseParams are those of actions that may decide the cases they touch.
	CloseParams = params.Close
)
