// Package formulas reads and writes the versions of the formula of the troll
// score.
package formulas

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// Version is one version of the formula.
type Version struct {
	scoring.Formula
	Author   string     `json:"author"`
	AuthorID *uuid.UUID `json:"author_id"` // null for the program itself and its command line
	At       time.Time  `json:"at"`
	Action   *int64     `json:"action"` // null for the version of a migration
}

// ID is the id of the formula in the log, as in migration 7.
var ID = uuid.MustParse("5c0f7a10-0000-4000-8000-000000000001")

// Legacy returns Open-Assistant's formula with the threshold for toxic messages
// of the formula in force. It gives toxic messages no weight, but they are
// counted by one threshold: with another one, a board and its explanation would
// show different counts.
func Legacy(inForce scoring.Formula) scoring.Formula {
	legacy := scoring.OpenAssistant
	legacy.ToxicFrom = inForce.ToxicFrom
	return legacy
}

// InForce returns the formula in force.
func InForce(ctx context.Context, c db.Conn) (scoring.Formula, error) {
	versions, err := Latest(ctx, c, 1)
	if err != nil {
		return scoring.Formula{}, err
	}
	return versions[0].Formula, nil
}

// Latest reads at most limit versions of the formula, the newest first. There is
// at least one: a migration inserts it, and none is ever removed.
func Latest(ctx context.Context, c db.Conn, limit int) ([]Version, error) {
	type row struct {
		Name, Note, Author string
		Version            int
		Weights            map[scoring.Signal]float64
		ToxicFrom          float64
		AuthorID           *uuid.UUID
		At                 time.Time
		ActionID           *int64
	}
	rows, err := db.Collect[row](ctx, c, `SELECT
			name, note, author, version, weights, toxic_from, author_id, at, `+tables.NumberSQL("action_id")+` AS action_id
		FROM formula_versions WHERE formula_id = $1 ORDER BY version DESC LIMIT $2`, ID, limit)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("the database holds no formula: its migrations were tampered with")
	}
	versions := make([]Version, len(rows))
	for i, r := range rows {
		formula := scoring.Formula{Name: r.Name, Version: r.Version, Weights: r.Weights, ToxicFrom: r.ToxicFrom, Note: r.Note}
		versions[i] = Version{formula, r.Author, r.AuthorID, r.At, r.ActionID}
	}
	return versions, nil
}

// lockKey is the key of the advisory lock on the formula in force.
const lockKey = 7_051

// Lock prevents other changes of the formula until the transaction ends. It
// precedes the locks of the counters' rows.
func Lock(ctx context.Context, c db.Conn) error {
	_, err := c.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", lockKey)
	return err
}

// Insert writes a version.
func Insert(ctx context.Context, c db.Conn, v Version) error {
	weights, err := json.Marshal(v.Weights)
	if err != nil {
		return fmt.Errorf("write down the weights: %w", err)
	}
	_, err = c.Exec(ctx, `INSERT INTO formula_versions (
			formula_id, version, name, weights, toxic_from, note, author_id, author, at, action_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		ID, v.Formula.Version, v.Name, weights, v.ToxicFrom, v.Note, v.AuthorID, v.Author, v.At, v.Action)
	return err
}
