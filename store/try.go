package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
)

// Trial compares a formula with the one in force, on the users of the boards of a
// window. Sanctioned users are banned users and users who ever had a message
// deleted by staff or rejected. The scores behind Old and New leave out the
// signals in LeftOut. Entered, Left and Moved refer to the first Top places of
// the board of active users, by full scores.
type Trial struct {
	Window     scoring.Window   `json:"frame"`
	AsOf       time.Time        `json:"as_of"`
	Tried      scoring.Formula  `json:"tried"`
	InForce    scoring.Formula  `json:"in_force"`
	Users      int              `json:"users"`
	Sanctioned int              `json:"known_trolls"`
	LeftOut    []scoring.Signal `json:"left_out"`
	Resamples  int              `json:"resamples"`
	Old        scoring.Quality  `json:"old"`
	New        scoring.Quality  `json:"new"`
	Difference *float64         `json:"auc_difference"`
	// Between holds the difference in 95 % of resamples.
	Between *scoring.Interval `json:"auc_difference_interval"`
	Top     int               `json:"top"`
	Entered []TrialRow        `json:"entered"`
	Left    []TrialRow        `json:"left"`
	Moved   []TrialRow        `json:"moved"`
}

// TrialRow is a user whose place on the board differs between two formulas.
type TrialRow struct {
	UserID      uuid.UUID `json:"user_id"`
	DisplayName string    `json:"display_name"`
	Sanctioned  bool      `json:"known_troll"`
	RankBefore  int       `json:"rank_before"`
	RankAfter   int       `json:"rank_after"`
	ScoreBefore float64   `json:"score_before"`
	ScoreAfter  float64   `json:"score_after"`
}

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
	t := Trial{
		Window: window, AsOf: s.now().UTC(), Tried: tried, InForce: old,
		LeftOut: scoring.LeakySignals, Resamples: scoring.Resamples, Top: scoring.Top,
	}
	if err := need(actor, policy.ScoringRead); err != nil {
		return t, err
	}
	candidates, err := s.boards.Candidates(ctx, old, tried, window, s.since(window))
	if err != nil {
		return t, err
	}
	found := scoring.NewTrial(candidates)
	t.Users, t.Sanctioned, t.Old, t.New = found.Users, found.Sanctioned, found.Old, found.New
	t.Difference, t.Between = found.AUCDifference, found.AUCDifferenceInterval
	names, err := s.boards.NamesOf(ctx, candidates, found.Entered, found.Left, found.Moved)
	if err != nil {
		return t, err
	}
	rows := func(moves []scoring.Move) []TrialRow {
		all := make([]TrialRow, len(moves))
		for i, m := range moves {
			c := candidates[m.Candidate]
			all[i] = TrialRow{c.ID, names[c.ID], c.Sanctioned, m.Before, m.After, c.Score[0], c.Score[1]}
		}
		return all
	}
	t.Entered, t.Left, t.Moved = rows(found.Entered), rows(found.Left), rows(found.Moved)
	return t, nil
}
