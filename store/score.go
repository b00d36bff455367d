package store

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/boards"
	"treewarden/store/cases"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/scores"
)

// Boards and scores, by the names that users of a Store know.
type (
	Board       = boards.Board
	BoardFilter = boards.BoardFilter
	BoardRow    = boards.BoardRow
	// Score is a user's score in a window with its parts and its evidence, DaySignals
	// counts the signals of one day.
	Score      = scores.Score
	DaySignals = scores.DaySignals
	// ScoreFault is a counter that differs from the base tables.
	ScoreFault = counters.Fault
)

// EvidenceLimit is the maximum number of messages behind a signal.
const EvidenceLimit = scores.EvidenceLimit

// since returns the start of a window as an argument.
func (s *Store) since(window scoring.Window) pgtype.Timestamptz { return scores.Since(window, s.now()) }

// Board ranks users by their troll score within a window, or by another column.
// It reads the board in memory, which is as current as the database.
func (s *Store) Board(ctx context.Context, actor Actor, f BoardFilter) (Board, error) {
	if err := need(actor, policy.Read); err != nil {
		return Board{}, err
	}
	return s.boards.Page(ctx, f)
}

// WatchBoards returns a channel that receives a value after boards changed, at
// most one until it is read. The function stop ends this.
func (s *Store) WatchBoards(ctx context.Context) (changed <-chan struct{}, stop func(), err error) {
	return s.boards.Watch(ctx)
}

// WarmBoards reads the boards into memory, so that the first request need not
// wait.
func (s *Store) WarmBoards(ctx context.Context) error {
	_, err := s.boards.Current(ctx)
	return err
}

// Score returns a user's score, its parts and the messages behind each.
func (s *Store) Score(ctx context.Context, actor Actor, user uuid.UUID, window scoring.Window,
	formula scoring.Formula) (Score, error) {
	if err := need(actor, policy.Read); err != nil {
		return Score{}, err
	}
	of, err := userByID(ctx, s.pool, user)
	if err != nil {
		return Score{}, err
	}
	return scores.Of(ctx, s.pool, of, window, s.now(), formula)
}

// ForgetCounters removes the counters of hours and days that no window includes
// any more.
func (s *Store) ForgetCounters(ctx context.Context) error {
	return db.Translate(counters.Forget(ctx, s.pool, s.now()))
}

// RebuildScores recounts every signal from the base tables and stores the counters. It
// brings the cases of the queue up to the reports and red flags.
func (s *Store) RebuildScores(ctx context.Context) error {
	defer s.boards.MarkAll()
	return db.Translate(counters.Rebuild(ctx, s.pool, s.now(),
		func(tx pgx.Tx) error {
			if err := cases.SyncAll(ctx, tx); err != nil {
				return err
			}
			return boards.AnnounceAll(ctx, tx)
		}))
}

// VerifyScores recounts everything in one snapshot and returns up to 100 stored
// counters that differ.
func (s *Store) VerifyScores(ctx context.Context) ([]ScoreFault, error) {
	found, err := counters.Verify(ctx, s.pool, s.now())
	return found, db.Translate(err)
}
