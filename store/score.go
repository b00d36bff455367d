package store

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/boards"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/scores"
	"treewarden/store/users"
)

// Score is a user's score in a window with its parts and its evidence, DaySignals
// counts the signals of one day.
type (
	Score      = scores.Score
	DaySignals = scores.DaySignals
)

// EvidenceLimit is the maximum number of messages behind a signal.
const EvidenceLimit = scores.EvidenceLimit

// since returns the start of a window as an argument.
func (s *Store) since(window scoring.Window) pgtype.Timestamptz { return scores.Since(window, s.now()) }

// Score returns a user's score, its parts and the messages behind each.
func (s *Store) Score(ctx context.Context, actor Actor, user uuid.UUID, window scoring.Window,
	formula scoring.Formula) (Score, error) {
	score := Score{UserID: user, Window: window, Formula: formula.Name}
	if err := need(actor, policy.Read); err != nil {
		return score, err
	}
	of, err := userByID(ctx, s.pool, user)
	if err != nil {
		return score, err
	}
	score.Role, score.Status = of.Role, of.Status
	counts, err := scores.Counted(ctx, s.pool, user, s.since(window), formula)
	if err != nil {
		return score, err
	}
	stats, err := users.StatsOf(ctx, s.pool, user, s.since(window))
	if err != nil {
		return score, err
	}
	score.Score, score.Parts = formula.Score(counts), formula.Parts(counts)
	score.Rate = scoring.Rate(score.Score, stats.Messages)
	score.Evidence, score.Messages, err = scores.Evidence(ctx, s.pool, user, s.since(window), formula)
	return score, err
}

// ForgetCounters removes the counters of hours and days that no window includes
// any more.
func (s *Store) ForgetCounters(ctx context.Context) error {
	return db.Translate(counters.Forget(ctx, s.pool, s.now()))
}

// RebuildScores recounts every signal from the base tables and stores the counters.
func (s *Store) RebuildScores(ctx context.Context) error {
	defer s.boards.MarkAll()
	return db.Translate(counters.Rebuild(ctx, s.pool, s.now(),
		func(tx pgx.Tx) error { return boards.AnnounceAll(ctx, tx) }))
}

// VerifyScores recounts everything in one snapshot and returns up to 100 stored
// counters that differ.
func (s *Store) VerifyScores(ctx context.Context) ([]ScoreFault, error) {
	found, err := counters.Verify(ctx, s.pool, s.now())
	return found, db.Translate(err)
}
