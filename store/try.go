package store

import (
	"context"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/boards"
)

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
