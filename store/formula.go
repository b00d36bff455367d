package store

import (
	"context"
	"fmt"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/boards"
	"treewarden/store/cases"
	"treewarden/store/tables"
	"treewarden/store/versions"
)

// FormulaVersion is one version of the formula.
type FormulaVersion struct {
	scoring.Formula
	versions.Made
}

// Scoring holds the formula in force, the versions before it, the newest first,
// and the fixed formulas.
type Scoring struct {
	FormulaVersion
	Earlier []FormulaVersion  `json:"earlier"`
	Fixed   []scoring.Formula `json:"fixed"`
	Models  []string          `json:"models" description:"the names of the models that a formula may choose"`
}

// shownVersions is the maximum number of versions that Scoring returns; the audit
// log has all.
const shownVersions = 100

// Scoring returns the formula in force and the earlier versions.
func (s *Store) Scoring(ctx context.Context, actor Actor) (Scoring, error) {
	if err := need(actor, policy.ScoringRead); err != nil {
		return Scoring{}, err
	}
	latest, err := versions.Formula.Latest(ctx, s.pool, shownVersions)
	if err != nil {
		return Scoring{}, err
	}
	all := make([]FormulaVersion, len(latest))
	for i, v := range latest {
		all[i] = FormulaVersion{v.Of, v.Made}
	}
	models, err := tables.ModelNames(ctx, s.pool)
	return Scoring{all[0], all[1:], []scoring.Formula{versions.Legacy(all[0].Formula)}, models}, err
}

// Formulas returns the available formulas, the one in force first.
func (s *Store) Formulas(ctx context.Context) ([]scoring.Formula, error) {
	inForce, err := s.boards.FormulaInForce(ctx)
	return []scoring.Formula{inForce, versions.Legacy(inForce)}, err
}

// FormulaNamed returns the formula with a name; the empty name is the one in
// force. An unknown name is Malformed.
func (s *Store) FormulaNamed(ctx context.Context, name string) (scoring.Formula, error) {
	switch name {
	case "", scoring.Treewarden.Name:
		return s.boards.FormulaInForce(ctx)
	case scoring.OpenAssistant.Name:
		inForce, err := s.boards.FormulaInForce(ctx)
		return versions.Legacy(inForce), err
	}
	return scoring.Formula{}, BadParameter{Name: "formula", Malformed: Malformed(fmt.Sprintf(
		"there is no formula %q: it is %q or %q", name, scoring.Treewarden.Name, scoring.OpenAssistant.Name))}
}

// setFormula is the kind of action that puts a new version of the formula in force.
var setFormula = Kind{
	Name: "set_formula", Target: versions.Formula.Name,
	Title: "Change formula", Button: "Save as new version", Past: "Changed the formula",
	Permission: policy.ScoringSave, Undoable: true, NeedsReason: true,
	aspects: []aspect{versioned[scoring.Formula]{versions.Formula, (*actionTx).putFormula}},
}

// SaveFormula puts a changed formula in force as a new version with a note. It
// returns a Conflict if version is not the version in force; nil is not checked.
// If the change has no effect, the outcome's action has no id.
func (s *Store) SaveFormula(
	ctx context.Context, actor Actor, change scoring.Change, note string, version *int, idempotencyKey string,
) (Outcome, error) {
	apply, err := versions.Apply(ctx, s.pool, change)
	if err != nil {
		return Outcome{}, err
	}
	return saveVersion(ctx, s, actor, setFormula, scoring.Treewarden, apply,
		Act{Reason: note, Version: version, IdempotencyKey: idempotencyKey, Params: change})
}

// putFormula puts the next version of the formula in force and logs the change.
func (d *actionTx) putFormula(now, next scoring.Formula) error {
	d.label = now.Name
	next.Name, next.Version, next.Note = now.Name, now.Version+1, d.act.Reason
	version := versions.Version[scoring.Formula]{Of: next, Made: d.made()}
	if err := versions.Formula.Replace(d.Ctx, d.Conn, now, version); err != nil || d.act.Preview {
		return err
	}
	d.update.Changed.Formula = true
	return cases.ChangeRule(d.Ctx, d.Conn, d.update, now.ToxicityRule(), next.ToxicityRule())
}

// Trial compares two formulas, TrialRow is a user whose place differs between them.
type (
	Trial    = boards.Trial
	TrialRow = boards.TrialRow
)

// TryFormula compares the formula in force with a change of it, and changes nothing.
func (s *Store) TryFormula(
	ctx context.Context, actor Actor, change scoring.Change, truth scoring.Truth, window scoring.Window,
) (Trial, error) {
	if err := need(actor, policy.ScoringRead); err != nil {
		return Trial{}, err
	}
	inForce, tried, err := versions.Try(ctx, s.pool, change)
	if err != nil {
		return Trial{}, err
	}
	return s.CompareFormulas(ctx, actor, inForce, tried, truth, window)
}

// CompareFormulas is like TryFormula for any two formulas. The first must have the
// rule of toxicity in force.
func (s *Store) CompareFormulas(ctx context.Context, actor Actor, old, tried scoring.Formula,
	truth scoring.Truth, window scoring.Window) (Trial, error) {
	if err := need(actor, policy.ScoringRead); err != nil {
		return Trial{}, err
	}
	return s.boards.Try(ctx, old, tried, truth, window, s.since(window), s.now().UTC())
}
