package selection

import (
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/store/cases"
	"treewarden/store/db"
)

// outcomes are the outcomes of the cases that kinds of bulk acts settle.
var outcomes = map[string]string{
	Delete: cases.Delete, Reject: cases.Reject, Accept: cases.Dismiss, Ban: cases.Ban, Halt: cases.Halt,
}

// Cases returns the outcome of the open cases that a kind of bulk act settles, with a
// condition on cases c for them, whose arguments begin at $4: the cases that the single
// act settles for each target. Of a ban, they are in the locked trees, an array of ids;
// nil is all trees. The outcome is empty for a kind that settles none.
func (t Targets) Cases(
	kind string, found Chosen, locked pgtype.FlatArray[pgtype.UUID],
) (outcome, where string, args []any) {
	switch kind {
	case Ban:
		return outcomes[kind], "c.user_id = ANY ($4) AND ($5::uuid[] IS NULL OR c.tree_id = ANY ($5))",
			[]any{db.IDArray(t.Users), locked}
	case Halt:
		return outcomes[kind], "c.tree_id = ANY ($4)", []any{db.IDArray(t.TreesOnce)}
	}
	return outcomes[kind], "(c.tree_id, c.message_id) IN (SELECT * FROM unnest($4::uuid[], $5::uuid[]))",
		[]any{db.IDArray(found.Trees), db.IDArray(found.Messages)}
}

// IDs returns the ids of what a kind of bulk act changes.
func (t Targets) IDs(kind string, found Chosen) []uuid.UUID {
	switch kind {
	case Ban:
		return t.Users
	case Halt:
		return t.TreesOnce
	}
	return found.Messages
}
