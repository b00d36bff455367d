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
	"github.com/jackc/pgx/v5"

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

// The names of the formula in the log: its type of target, and its aspect.
const (
	Target = "formula"
	Aspect = "formula"
)

// State is the state of a formula in the log.
type State struct {
	Version   int                        `json:"version"`
	Weights   map[scoring.Signal]float64 `json:"weights"`
	ToxicFrom float64                    `json:"toxic_from"`
}

func stateOf(f scoring.Formula) State { return State{f.Version, f.Weights, f.ToxicFrom} }

// Apply returns a formula with the weights and the threshold of the state.
func (s State) Apply(f scoring.Formula) scoring.Formula {
	f.Weights, f.ToxicFrom = s.Weights, s.ToxicFrom
	return f
}

// Change returns the formula before and after an action. found is false if the action
// changed no formula.
func Change(ctx context.Context, c db.Conn, action int64) (before, after State, found bool, err error) {
	err = c.QueryRow(ctx, `SELECT before, after FROM action_objects
		WHERE action_id = $1 AND object_type = $2 AND aspect = $3`, action, Target, Aspect).Scan(&before, &after)
	if errors.Is(err, pgx.ErrNoRows) {
		return before, after, false, nil
	}
	return before, after, err == nil, err
}

// Replace puts a version in the place of the formula in force, and logs the change
// for the version's action.
func Replace(ctx context.Context, c db.Conn, inForce scoring.Formula, v Version) error {
	weights, err := json.Marshal(v.Weights)
	if err != nil {
		return fmt.Errorf("write down the weights: %w", err)
	}
	if _, err := c.Exec(ctx, `INSERT INTO formula_versions (
			formula_id, version, name, weights, toxic_from, note, author_id, author, at, action_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		ID, v.Formula.Version, v.Name, weights, v.ToxicFrom, v.Note, v.AuthorID, v.Author, v.At, v.Action); err != nil {
		return err
	}
	_, err = c.Exec(ctx, `INSERT INTO action_objects (action_id, object_type, object_id, aspect, before, after)
		VALUES ($1, $2, $3, $4, $5, $6)`, v.Action, Target, ID, Aspect, stateOf(inForce), stateOf(v.Formula))
	return err
}
