// Package versions keeps the formula of the troll score and the weights that order the
// queue. Both are kept in versions: the newest one is in force, and none is ever changed
// or removed.
package versions

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

// Made tells who made a version.
type Made struct {
	Author   string     `json:"author"`
	AuthorID *uuid.UUID `json:"author_id"` // null for the program itself and its command line
	At       time.Time  `json:"at"`
	Action   *int64     `json:"action"` // null for the version of a migration
}

// Version is one version of a T.
type Version[T any] struct {
	Of     T
	Number int
	Made
}

// Kept is a T that is kept in versions. The columns of its table have the names of the
// JSON of a T.
type Kept[T any] struct {
	ID   uuid.UUID // in the log, as in the migration
	Name string    // in the log: its type of target, and its aspect

	table  string
	logged []string // the names in the JSON that make up its state in the log
	lock   int64    // the key of an advisory lock
}

// Formula is the formula of the troll score.
var Formula = Kept[scoring.Formula]{
	ID: uuid.MustParse("5c0f7a10-0000-4000-8000-000000000001"), Name: "formula",
	table: "formula_versions", logged: []string{"version", "weights", "toxic_from", "classifier"}, lock: 7_051,
}

// Priority holds the weights that order the queue.
var Priority = Kept[scoring.Priority]{
	ID: uuid.MustParse("5c0f7a10-0000-4000-8000-000000000003"), Name: "priority",
	table: "priority_versions", logged: []string{"version", "weights"}, lock: 7_053,
}

// Legacy returns Open-Assistant's formula with the rule of toxicity of the formula in
// force. It gives toxic messages no weight, but they are counted by one rule: with
// another one, a board and its explanation would show different counts.
func Legacy(inForce scoring.Formula) scoring.Formula {
	legacy := scoring.OpenAssistant
	legacy.ToxicFrom, legacy.Classifier = inForce.ToxicFrom, inForce.Classifier
	return legacy
}

// Apply returns Apply of a change of the formula that also knows which models exist.
func Apply(ctx context.Context, c db.Conn, change scoring.Change) (
	func(scoring.Formula) (scoring.Formula, map[string]string), error) {
	models, err := tables.ModelNames(ctx, c)
	return func(f scoring.Formula) (scoring.Formula, map[string]string) {
		next, wrong := change.Apply(f)
		if why := change.Unknown(models); why != "" && wrong["classifier"] == "" {
			wrong["classifier"] = why
		}
		return next, wrong
	}, err
}

// Try returns the formula in force, and what a change makes of it.
func Try(ctx context.Context, c db.Conn, change scoring.Change) (inForce, tried scoring.Formula, err error) {
	if inForce, err = Formula.InForce(ctx, c); err != nil {
		return inForce, tried, err
	}
	apply, err := Apply(ctx, c, change)
	if err != nil {
		return inForce, tried, err
	}
	tried, wrong := apply(inForce)
	if len(wrong) > 0 {
		return inForce, tried, db.Invalid(wrong)
	}
	return inForce, tried, nil
}

// InForce returns the one in force.
func (k Kept[T]) InForce(ctx context.Context, c db.Conn) (inForce T, err error) {
	versions, err := k.Latest(ctx, c, 1)
	if err == nil {
		inForce = versions[0].Of
	}
	return inForce, err
}

// Latest reads at most limit versions, the newest first. There is at least one: a
// migration inserts it.
func (k Kept[T]) Latest(ctx context.Context, c db.Conn, limit int) ([]Version[T], error) {
	versions, err := db.Collect[Version[T]](ctx, c, `SELECT to_jsonb(v) AS of, version AS number, author, author_id, at,
			`+tables.NumberSQL("action_id")+` AS action
		FROM `+k.table+` v ORDER BY version DESC LIMIT $1`, limit)
	if err == nil && len(versions) == 0 {
		err = errors.New("the table " + k.table + " is empty: the migrations were tampered with")
	}
	return versions, err
}

// Lock prevents other changes until the transaction ends, and returns the one in force.
// It precedes the locks of the counters' rows.
func (k Kept[T]) Lock(ctx context.Context, c db.Conn) (inForce Version[T], err error) {
	if _, err := c.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", k.lock); err != nil {
		return inForce, err
	}
	versions, err := k.Latest(ctx, c, 1)
	if err == nil {
		inForce = versions[0]
	}
	return inForce, err
}

// Change returns what was in force before and after an action, as far as the log says.
// found is false if the action changed nothing of it.
func (k Kept[T]) Change(ctx context.Context, c db.Conn, action int64) (before, after T, found bool, err error) {
	err = c.QueryRow(ctx, `SELECT before, after FROM action_objects
		WHERE action_id = $1 AND object_type = $2 AND aspect = $2`, action, k.Name).Scan(&before, &after)
	if errors.Is(err, pgx.ErrNoRows) {
		return before, after, false, nil
	}
	return before, after, err == nil, err
}

// Replace puts a version in the place of the one in force, and logs the change for the
// version's action.
func (k Kept[T]) Replace(ctx context.Context, c db.Conn, inForce T, v Version[T]) error {
	was, err := fields(inForce)
	if err != nil {
		return err
	}
	is, err := fields(v.Of)
	if err != nil {
		return err
	}
	row := map[string]any{
		"formula_id": k.ID, "author": v.Author, "author_id": v.AuthorID, "at": v.At, "action_id": v.Action,
	}
	before, after := map[string]any{}, map[string]any{}
	for name, value := range is {
		row[name] = value
	}
	for _, name := range k.logged {
		before[name], after[name] = was[name], is[name]
	}
	if _, err := c.Exec(ctx, "INSERT INTO "+k.table+" SELECT * FROM jsonb_populate_record(NULL::"+k.table+", $1)",
		row); err != nil {
		return err
	}
	_, err = c.Exec(ctx, `INSERT INTO action_objects (action_id, object_type, object_id, aspect, before, after)
		VALUES ($1, $2, $3, $2, $4, $5)`, v.Action, k.Name, k.ID, before, after)
	return err
}

// fields returns the fields of the JSON of a value.
func fields(value any) (fields map[string]json.RawMessage, err error) {
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err != nil {
		err = fmt.Errorf("write down version: %w", err)
	}
	return fields, err
}
