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
	"treewarden/store/boards"
	"treewarden/store/db"
)

// FormulaVersion is one version of the formula.
type FormulaVersion struct {
	scoring.Formula
	Author   string     `json:"author"`
	AuthorID *uuid.UUID `json:"author_id"` // null for the program itself and its command line
	At       time.Time  `json:"at"`
	Action   *int64     `json:"action"` // null for the version of a migration
}

// Scoring holds the formula in force, the versions before it, the newest first,
// and the fixed formulas.
type Scoring struct {
	FormulaVersion
	Earlier []FormulaVersion  `json:"earlier"`
	Fixed   []scoring.Formula `json:"fixed"`
}

// shownVersions is the maximum number of versions that Scoring returns; the audit
// log has all.
const shownVersions = 100

// treewardenID is the id of the formula in the log, as in migration 7.
var treewardenID = uuid.MustParse("5c0f7a10-0000-4000-8000-000000000001")

// Scoring returns the formula in force and the earlier versions.
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

// Formulas returns the available formulas, the one in force first.
func (s *Store) Formulas(ctx context.Context) ([]scoring.Formula, error) {
	inForce, err := s.boards.FormulaInForce(ctx)
	return []scoring.Formula{inForce, legacyFormula(inForce)}, err
}

// legacyFormula returns Open-Assistant's formula with the threshold for toxic
// messages of the formula in force. It gives toxic messages no weight, but they
// are counted by one threshold: with another one, a board and its explanation
// would show different counts.
func legacyFormula(inForce scoring.Formula) scoring.Formula {
	reference := scoring.OpenAssistant
	reference.ToxicFrom = inForce.ToxicFrom
	return reference
}

// FormulaNamed returns the formula with a name; the empty name is the one in
// force. An unknown name is Malformed.
func (s *Store) FormulaNamed(ctx context.Context, name string) (scoring.Formula, error) {
	switch name {
	case "", scoring.Treewarden.Name:
		return s.boards.FormulaInForce(ctx)
	case scoring.OpenAssistant.Name:
		inForce, err := s.boards.FormulaInForce(ctx)
		return legacyFormula(inForce), err
	}
	return scoring.Formula{}, Malformed(fmt.Sprintf("there is no formula %q: it is %q or %q",
		name, scoring.Treewarden.Name, scoring.OpenAssistant.Name))
}

func formulaInForce(ctx context.Context, c db.Conn) (scoring.Formula, error) {
	versions, err := formulaVersions(ctx, c, 1)
	if err != nil {
		return scoring.Formula{}, err
	}
	return versions[0].Formula, nil
}

// formulaVersions reads versions of the formula, the newest first. There is at
// least one: a migration inserts it, and none is ever removed.
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
	rows, err := db.Collect[row](ctx, c, `SELECT
			name, note, author, version, weights, toxic_from, author_id, at, action_id
		FROM formula_versions WHERE formula_id = $1 ORDER BY version DESC LIMIT $2`, treewardenID, limit)
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

// setFormula is the kind of action that puts a new version of the formula in force.
var setFormula = Kind{
	Name: "set_formula", Target: "formula",
	Title: "Change formula", Button: "Save as new version", Past: "Changed the formula",
	Permission: policy.ScoringSave, Undoable: true, NeedsReason: true,
	aspects: []aspect{formulaAspect{}},
}

// SaveFormula puts a changed formula in force as a new version with a note. It
// returns a Conflict if version is not the version in force; nil is not checked.
// If the change has no effect, the outcome's action has no id.
func (s *Store) SaveFormula(
	ctx context.Context, actor Actor, change scoring.Change, note string, version *int, idempotencyKey string,
) (Outcome, error) {
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
	act := Act{
		Kind: setFormula.Name, Target: treewardenID, Reason: strings.TrimSpace(note), Version: version,
		IdempotencyKey: idempotencyKey, Params: change,
	}
	return s.perform(ctx, actor, act, setFormula, func(d *actionTx) error { return setFormulaTo(d, change) })
}

// formulaAspect is the aspect of a formula that actions change.
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

// putFormula inserts the next version of the formula and logs the change.
func (d *actionTx) putFormula(now, next scoring.Formula, note string) error {
	next.Version = now.Version + 1
	weights, err := json.Marshal(next.Weights)
	if err != nil {
		return fmt.Errorf("write down the weights: %w", err)
	}
	if _, err := d.exec(`INSERT INTO formula_versions (
			formula_id, version, name, weights, toxic_from, note, author_id, author, at, action_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		treewardenID, next.Version, next.Name, weights, next.ToxicFrom, note,
		d.actor.id(), d.actor.Name, d.at, d.id); err != nil {
		return err
	}
	if _, err := d.exec(`INSERT INTO action_objects (action_id, object_type, object_id, aspect, before, after)
		VALUES ($1, $2, $3, $4, $5, $6)`,
		d.id, setFormula.Target, treewardenID, formulaAspectName,
		formulaState{now.Version, now.Weights, now.ToxicFrom},
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

// formulaState is the state of a formula in the log.
type formulaState struct {
	Version   int                        `json:"version"`
	Weights   map[scoring.Signal]float64 `json:"weights"`
	ToxicFrom float64                    `json:"toxic_from"`
}

// undo restores the formula that an action replaced, as a new version. It
// compares the formulas and not the version numbers, so that a later change that
// was undone is no conflict.
func (formulaAspect) undo(d *actionTx, id int64) error {
	var before, after formulaState
	err := d.QueryRow(d.Ctx, `SELECT before, after FROM action_objects
		WHERE action_id = $1 AND object_type = $2 AND aspect = $3`, id, setFormula.Target, formulaAspectName).
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

// formulaLock is the key of the advisory lock on the formula in force.
const formulaLock = 7_051

// lockFormula prevents other changes of the formula until the transaction ends.
// It precedes the locks of the counters' rows.
func lockFormula(ctx context.Context, c db.Conn) error {
	_, err := c.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", formulaLock)
	return err
}

// Trial compares two formulas, TrialRow is a user whose place differs between them.
type (
	Trial    = boards.Trial
	TrialRow = boards.TrialRow
)

// TryFormula compares the formula in force with a change of it. It changes
// nothing.
func (s *Store) TryFormula(
	ctx context.Context, actor Actor, change scoring.Change, window scoring.Window,
) (Trial, error) {
	if err := need(actor, policy.ScoringRead); err != nil {
		return Trial{}, err
	}
	inForce, err := formulaInForce(ctx, s.pool)
	if err != nil {
		return Trial{}, err
	}
	tried, wrong := change.Apply(inForce)
	if len(wrong) > 0 {
		return Trial{}, Invalid(wrong)
	}
	return s.CompareFormulas(ctx, actor, inForce, tried, window)
}

// CompareFormulas is like TryFormula for any two formulas. The first must use the
// threshold for toxic messages in force.
func (s *Store) CompareFormulas(ctx context.Context, actor Actor, old, tried scoring.Formula,
	window scoring.Window) (Trial, error) {
	if err := need(actor, policy.ScoringRead); err != nil {
		return Trial{}, err
	}
	return s.boards.Try(ctx, old, tried, window, s.since(window), s.now().UTC())
}
