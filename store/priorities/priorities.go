// Package priorities reads and writes the versions of the weights that order the
// queue.
package priorities

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

// Version is one version of the weights.
type Version struct {
	scoring.Priority
	Author   string     `json:"author"`
	AuthorID *uuid.UUID `json:"author_id"` // null for the program itself and its command line
	At       time.Time  `json:"at"`
	Action   *int64     `json:"action"` // null for the version of a migration
}

// ID is the id of the weights in the log.
var ID = uuid.MustParse("5c0f7a10-0000-4000-8000-000000000003")

// The names of the weights in the log: their type of target, and their aspect.
const (
	Target = "priority"
	Aspect = "priority"
)

// InForce returns the weights in force.
func InForce(ctx context.Context, c db.Conn) (scoring.Priority, error) {
	versions, err := Latest(ctx, c, 1)
	if err != nil {
		return scoring.Priority{}, err
	}
	return versions[0].Priority, nil
}

// Latest reads at most limit versions of the weights, the newest first. There is at
// least one: a migration inserts it, and none is ever removed.
func Latest(ctx context.Context, c db.Conn, limit int) ([]Version, error) {
	type row struct {
		Note, Author string
		Version      int
		Weights      map[scoring.PriorityPart]float64
		AuthorID     *uuid.UUID
		At           time.Time
		ActionID     *int64
	}
	rows, err := db.Collect[row](ctx, c, `SELECT
			note, author, version, weights, author_id, at, `+tables.NumberSQL("action_id")+` AS action_id
		FROM priority_versions ORDER BY version DESC LIMIT $1`, limit)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("the database holds no weights of the queue: its migrations were tampered with")
	}
	versions := make([]Version, len(rows))
	for i, r := range rows {
		weights := scoring.Priority{Version: r.Version, Weights: r.Weights, Note: r.Note}
		versions[i] = Version{weights, r.Author, r.AuthorID, r.At, r.ActionID}
	}
	return versions, nil
}

// lockKey is the key of the advisory lock on the weights in force.
const lockKey = 7_053

// Lock prevents other changes of the weights until the transaction ends, and returns
// those in force.
func Lock(ctx context.Context, c db.Conn) (scoring.Priority, error) {
	if _, err := c.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", lockKey); err != nil {
		return scoring.Priority{}, err
	}
	return InForce(ctx, c)
}

// state is the state of the weights in the log.
type state struct {
	Version int                              `json:"version"`
	Weights map[scoring.PriorityPart]float64 `json:"weights"`
}

// Change returns the weights before and after an action. found is false if the action
// changed none.
func Change(ctx context.Context, c db.Conn, action int64) (before, after scoring.Priority, found bool, err error) {
	var was, is state
	err = c.QueryRow(ctx, `SELECT before, after FROM action_objects
		WHERE action_id = $1 AND object_type = $2 AND aspect = $3`, action, Target, Aspect).Scan(&was, &is)
	if errors.Is(err, pgx.ErrNoRows) {
		return before, after, false, nil
	}
	return scoring.Priority{Weights: was.Weights}, scoring.Priority{Weights: is.Weights}, err == nil, err
}

// Replace puts a version in the place of the weights in force, and logs the change for
// the version's action.
func Replace(ctx context.Context, c db.Conn, inForce scoring.Priority, v Version) error {
	weights, err := json.Marshal(v.Weights)
	if err != nil {
		return fmt.Errorf("write down the weights: %w", err)
	}
	if _, err := c.Exec(ctx, `INSERT INTO priority_versions (version, weights, note, author_id, author, at, action_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		v.Version, weights, v.Note, v.AuthorID, v.Author, v.At, v.Action); err != nil {
		return err
	}
	_, err = c.Exec(ctx, `INSERT INTO action_objects (action_id, object_type, object_id, aspect, before, after)
		VALUES ($1, $2, $3, $4, $5, $6)`, v.Action, Target, ID, Aspect,
		state{inForce.Version, inForce.Weights}, state{v.Version, v.Weights})
	return err
}
