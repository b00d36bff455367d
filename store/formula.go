package store

import (
	"context"
	"fmt"
	"strings"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/boards"
	"treewarden/store/formulas"
)

// FormulaVersion is one version of the formula.
type FormulaVersion = formulas.Version

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

// Scoring returns the formula in force and the earlier versions.
func (s *Store) Scoring(ctx context.Context, actor Actor) (Scoring, error) {
	if err := need(actor, policy.ScoringRead); err != nil {
		return Scoring{}, err
	}
	versions, err := formulas.Latest(ctx, s.pool, shownVersions)
	if err != nil {
		return Scoring{}, err
	}
	return Scoring{versions[0], versions[1:], []scoring.Formula{formulas.Legacy(versions[0].Formula)}}, nil
}

// Formulas returns the available formulas, the one in force first.
func (s *Store) Formulas(ctx context.Context) ([]scoring.Formula, error) {
	inForce, err := s.boards.FormulaInForce(ctx)
	return []scoring.Formula{inForce, formulas.Legacy(inForce)}, err
}

// FormulaNamed returns the formula with a name; the empty name is the one in
// force. An unknown name is Malformed.
func (s *Store) FormulaNamed(ctx context.Context, name string) (scoring.Formula, error) {
	switch name {
	case "", scoring.Treewarden.Name:
		return s.boards.FormulaInForce(ctx)
	case scoring.OpenAssistant.Name:
		inForce, err := s.boards.FormulaInForce(ctx)
		return formulas.Legacy(inForce), err
	}
	return scoring.Formula{}, BadParameter{Name: "formula", Malformed: Malformed(fmt.Sprintf(
		"there is no formula %q: it is %q or %q", name, scoring.Treewarden.Name, scoring.OpenAssistant.Name))}
}

// setFormula is the kind of action that puts a new version of the formula in force.
var setFormula = Kind{
	Name: "set_formula", Target: formulas.Target,
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
		wrong["note"] = "Give a note of 3 to 500 characters that says why."
	}
	if len(wrong) > 0 {
		return Outcome{}, Invalid(wrong)
	}
	act := Act{
		Kind: setFormula.Name, Target: formulas.ID, Reason: strings.TrimSpace(note), Version: version,
		IdempotencyKey: idempotencyKey, Params: change,
	}
	return s.perform(ctx, actor, act, setFormula, func(d *actionTx) error { return setFormulaTo(d, change) })
}

// formulaAspect is the aspect of a formula that actions change.
type formulaAspect struct{}

func (formulaAspect) event() string { return "" }

func setFormulaTo(d *actionTx, change scoring.Change) error {
	if err := formulas.Lock(d.Ctx, d.Conn); err != nil {
		return err
	}
	now, err := formulas.InForce(d.Ctx, d.Conn)
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
	return d.putFormula(now, next)
}

// putFormula puts the next version of the formula in force and logs the change.
func (d *actionTx) putFormula(now, next scoring.Formula) error {
	next.Version, next.Note = now.Version+1, d.act.Reason
	version := formulas.Version{Formula: next, Author: d.actor.Name, AuthorID: d.actor.id(), At: d.at, Action: &d.id}
	if err := formulas.Replace(d.Ctx, d.Conn, now, version); err != nil || d.act.Preview {
		return err
	}
	d.update.Changed.Formula = true
	if next.ToxicFrom == now.ToxicFrom {
		return nil
	}
	return d.update.ChangeThreshold(d.Ctx, d.Conn, next.ToxicFrom)
}

// undo restores the formula that an action replaced, as a new version. It
// compares the formulas and not the version numbers, so that a later change that
// was undone is no conflict.
func (formulaAspect) undo(d *actionTx, id int64) error {
	before, after, found, err := formulas.Change(d.Ctx, d.Conn, id)
	if err != nil || !found {
		return err
	}
	now, err := formulas.InForce(d.Ctx, d.Conn)
	if err != nil {
		return err
	}
	if !now.Same(after.Apply(now)) {
		return d.laterThan(id, formulas.Target, formulas.ID, formulas.Aspect)
	}
	return d.putFormula(now, before.Apply(now))
}

// Trial compares two formulas, TrialRow is a user whose place differs between them.
type (
	Trial    = boards.Trial
	TrialRow = boards.TrialRow
)

// TryFormula compares the formula in force with a change of it. It changes
// nothing.
func (s *Store) TryFormula(
	ctx context.Context, actor Actor, change scoring.Change, truth scoring.Truth, window scoring.Window,
) (Trial, error) {
	if err := need(actor, policy.ScoringRead); err != nil {
		return Trial{}, err
	}
	inForce, err := formulas.InForce(ctx, s.pool)
	if err != nil {
		return Trial{}, err
	}
	tried, wrong := change.Apply(inForce)
	if len(wrong) > 0 {
		return Trial{}, Invalid(wrong)
	}
	return s.CompareFormulas(ctx, actor, inForce, tried, truth, window)
}

// CompareFormulas is like TryFormula for any two formulas. The first must use the
// threshold for toxic messages in force.
func (s *Store) CompareFormulas(ctx context.Context, actor Actor, old, tried scoring.Formula,
	truth scoring.Truth, window scoring.Window) (Trial, error) {
	if err := need(actor, policy.ScoringRead); err != nil {
		return Trial{}, err
	}
	return s.boards.Try(ctx, old, tried, truth, window, s.since(window), s.now().UTC())
}
