package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/db"
)

// FormulaVersion is a formula as it was put in force once.
type FormulaVersion struct {
	scoring.Formula
	Author   string     `json:"author"`
	AuthorID *uuid.UUID `json:"author_id"` // null: the program itself or its command line
	At       time.Time  `json:"at"`
	Action   *int64     `json:"action"` // null: it shipped
}

// Scoring is the formula in force, the versions before it, the newest first,
// and the formulas that never change.
type Scoring struct {
	FormulaVersion
	Earlier []FormulaVersion  `json:"earlier"`
	Fixed   []scoring.Formula `json:"fixed"`
}

// shownVersions is how many versions of the formula Scoring tells of; the audit
// log has all.
const shownVersions = 100

// treewardenID is what the log calls the formula by, as migration 7 has it.
var treewardenID = uuid.MustParse("5c0f7a10-0000-4000-8000-000000000001")

// Scoring tells of the formula in force and the earlier ones.
func (s *Store) Scoring(ctx context.Context, actor Actor) (Scoring, error) {
	if err := need(actor, policy.ScoringRead); err != nil {
		return Scoring{}, err
	}
	versions, err := formulaVersions(ctx, s.pool, shownVersions)
	if err != nil {
		return Scoring{}, err
	}
	return Scoring{versions[0], versions[1:], []scoring.Formula{legacyFormula(versions[0].Formula)}}, nil
}

// Formulas lists the formulas that can be chosen, the one in force first.
func (s *Store) Formulas(ctx context.Context) ([]scoring.Formula, error) {
	inForce, err := s.boards.FormulaInForce(ctx)
	return []scoring.Formula{inForce, legacyFormula(inForce)}, err
}

// legacyFormula is Open-Assistant's formula as it is counted beside the one in force.
// It gives toxic messages no weight, and there is one threshold for them, by
// which they are counted: told by another one, the same board and explanation
// would tell of different counts.
func legacyFormula(inForce scoring.Formula) scoring.Formula {
	reference := scoring.OpenAssistant
	reference.ToxicFrom = inForce.ToxicFrom
	return reference
}

// FormulaNamed finds a formula; the empty name is the one in force. A name
// that none has is Malformed.
func (s *Store) FormulaNamed(ctx context.Context, name string) (scoring.Formula, error) {
	switch name {
	case "", scoring.Treewarden.Name:
		return s.boards.FormulaInForce(ctx)
	case scoring.OpenAssistant.Name:
		inForce, err := s.boards.FormulaInForce(ctx)
		return legacyFormula(inForce), err
	}
	return scoring.Formula{}, Malformed(fmt.Sprintf("there is no formula %q: it is %q or %q", name,
		scoring.Treewarden.Name, scoring.OpenAssistant.Name))
}

func formulaInForce(ctx context.Context, c db.Conn) (scoring.Formula, error) {
	versions, err := formulaVersions(ctx, c, 1)
	if err != nil {
		return scoring.Formula{}, err
	}
	return versions[0].Formula, nil
}

// formulaVersions reads versions of the formula, the newest first. There is
// one at least: migrations bring it, and none is ever removed.
func formulaVersions(ctx context.Context, c db.Conn, limit int) ([]FormulaVersion, error) {
	type row struct {
		Name, Note, Author string
		Version            int
		Weights            map[scoring.Signal]float64
		ToxicFrom          float64
		AuthorID           *uuid.UUID
		At                 time.Time
		ActionID           *int64
	}
	rows, err := db.Collect[row](ctx, c, `SELECT name, note, author, version, weights, toxic_from, author_id, at,
		action_id FROM formula_versions
		WHERE formula_id = $1 ORDER BY version DESC LIMIT $2`, treewardenID, limit)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("the database holds no formula: its migrations were tampered with")
	}
	versions := make([]FormulaVersion, len(rows))
	for i, r := range rows {
		formula := scoring.Formula{Name: r.Name, Version: r.Version, Weights: r.Weights, ToxicFrom: r.ToxicFrom, Note: r.Note}
		versions[i] = FormulaVersion{formula, r.Author, r.AuthorID, r.At, r.ActionID}
	}
	return versions, nil
}

// setFormula puts a new version of the formula in force (SaveFormula).
var setFormula = Kind{
	Name: "set_formula", Target: "formula",
	Title: "Change formula", Button: "Save as new version", Past: "Changed the formula",
	Permission: policy.ScoringSave, Undoable: true, NeedsReason: true,
	aspects: []aspect{formulaAspect{}},
}

// SaveFormula puts a changed formula in force, as a new version with a note. To
// go back is to save what an earlier version said. A version that is no longer
// in force is a Conflict; nil does not ask. Where the change changes nothing the
// outcome's action has no id.
func (s *Store) SaveFormula(ctx context.Context, actor Actor, change scoring.Change, note string, version *int,
	idempotencyKey string) (Outcome, error) {
	if err := need(actor, policy.ScoringSave); err != nil {
		return Outcome{}, err
	}
	_, wrong := change.Apply(scoring.Treewarden)
	if err := checkReason(note, true); err != nil {
		wrong["note"] = "Say in 3 to 500 characters why; it stands beside the version."
	}
	if len(wrong) > 0 {
		return Outcome{}, Invalid(wrong)
	}
	act := Act{Kind: setFormula.Name, Target: treewardenID, Reason: strings.TrimSpace(note), Version: version,
		IdempotencyKey: idempotencyKey, Params: change}
	return s.perform(ctx, actor, act, setFormula, func(d *actionTx) error { return setFormulaTo(d, change) })
}

// formulaAspect is the one side of a formula that actions change.
type formulaAspect struct{}

func (formulaAspect) event() string { return "" }

func setFormulaTo(d *actionTx, change scoring.Change) error {
	if err := lockFormula(d.Ctx, d.Conn); err != nil {
		return err
	}
	now, err := formulaInForce(d.Ctx, d.Conn)
	if err != nil {
		return err
	}
	d.label = now.Name
	if err := d.checkVersion(now.Version); err != nil {
		return err
	}
	next, wrong := change.Apply(now)
	if len(wrong) > 0 {
		return Invalid(wrong)
	}
	if next.Same(now) {
		return errUnchanged
	}
	return d.putFormula(now, next, d.act.Reason)
}

// putFormula writes the version after the one in force, and what it changes
// into the log.
func (d *actionTx) putFormula(now, next scoring.Formula, note string) error {
	next.Version = now.Version + 1
	weights, err := json.Marshal(next.Weights)
	if err != nil {
		return fmt.Errorf("write down the weights: %w", err)
	}
	if _, err := d.exec(`INSERT INTO formula_versions (formula_id, version, name, weights, toxic_from, note, author_id,
		author, at, action_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		treewardenID, next.Version, next.Name, weights, next.ToxicFrom, note, d.actor.id(), d.actor.Name, d.at,
		d.id); err != nil {
		return err
	}
	if _, err := d.exec(`INSERT INTO action_objects (action_id, object_type, object_id, aspect, before, after) VALUES ($1,
		$2, $3, $4, $5, $6)`,
		d.id, setFormula.Target, treewardenID, formulaAspectName, formulaState{now.Version, now.Weights, now.ToxicFrom},
		formulaState{next.Version, next.Weights, next.ToxicFrom}); err != nil {
		return err
	}
	if d.act.Preview {
		return nil
	}
	d.update.Changed.Formula = true
	if next.ToxicFrom == now.ToxicFrom {
		return nil
	}
	return d.update.ChangeThreshold(d.Ctx, d.Conn, next.ToxicFrom)
}

// formulaAspectName is the name of formulaAspect in the log.
const formulaAspectName = "formula"

// formulaState is what the log tells of a formula before and after.
type formulaState struct {
	Version   int                        `json:"version"`
	Weights   map[scoring.Signal]float64 `json:"weights"`
	ToxicFrom float64                    `json:"toxic_from"`
}

// undo puts back the formula that an action replaced, as a new version.
// The versions' numbers are not compared: an undone change later on leaves the
// formula as it was.
func (formulaAspect) undo(d *actionTx, id int64) error {
	var before, after formulaState
	err := d.QueryRow(d.Ctx, "SELECT before, after FROM action_objects WHERE action_id = $1 AND object_type = $2 AND "+
		"aspect = $3", id, setFormula.Target, formulaAspectName).
		Scan(&before, &after)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	now, err := formulaInForce(d.Ctx, d.Conn)
	if err != nil {
		return err
	}
	left, next := now, now
	left.Weights, left.ToxicFrom = after.Weights, after.ToxicFrom
	if !now.Same(left) {
		return d.laterThan(id, setFormula.Target, treewardenID, formulaAspectName)
	}
	next.Weights, next.ToxicFrom = before.Weights, before.ToxicFrom
	return d.putFormula(now, next, d.act.Reason)
}

// formulaLock is the number of the lock on the formula in force.
const formulaLock = 7_051

// lockFormula keeps others from changing the formula until the transaction
// ends. It comes before the counters' rows, and nobody holds those while they
// wait for it.
func lockFormula(ctx context.Context, c db.Conn) error {
	_, err := c.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", formulaLock)
	return err
}
