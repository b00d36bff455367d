package boards

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/scoring"
	"treewarden/scoring/board"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// Trial compares a formula with the one in force, on the users of the boards of a
// window. Truth says who counts as sanctioned. The scores behind Old and New leave out the
// signals in LeftOut. Entered, Left and Moved refer to the first Top places of
// the board of active users, by full scores.
type Trial struct {
	Window     scoring.Window   `json:"frame"`
	Truth      scoring.Truth    `json:"truth"`
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

// Try compares two formulas on the users of a window that starts at since. The
// first must have the rule of toxicity in force.
func (l *Boards) Try(
	ctx context.Context, old, tried scoring.Formula, truth scoring.Truth, window scoring.Window,
	since pgtype.Timestamptz, now time.Time,
) (Trial, error) {
	t := Trial{
		Window: window, Truth: truth, AsOf: now, Tried: tried, InForce: old,
		LeftOut: scoring.LeakySignals, Resamples: scoring.Resamples, Top: scoring.Top,
	}
	candidates, err := l.candidates(ctx, old, tried, truth, window, since)
	if err != nil {
		return t, err
	}
	found := scoring.NewTrial(candidates)
	t.Users, t.Sanctioned, t.Old, t.New = found.Users, found.Sanctioned, found.Old, found.New
	t.Difference, t.Between = found.AUCDifference, found.AUCDifferenceInterval
	names, err := l.namesOf(ctx, candidates, found.Entered, found.Left, found.Moved)
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

// candidates scores all users on the boards of a window by two formulas. The
// window starts at since; the first formula has the rule of toxicity in force.
func (l *Boards) candidates(
	ctx context.Context, old, tried scoring.Formula, truth scoring.Truth, window scoring.Window,
	since pgtype.Timestamptz,
) ([]scoring.Candidate, error) {
	users, err := l.Current(ctx)
	if err != nil {
		return nil, err
	}
	var rejected map[uuid.UUID]float64 // authors of rejected prompts
	if truth.Includes(scoring.TruthRejected) {
		if rejected, err = l.countedBy(ctx, `SELECT user_id, 1::float8 FROM messages
			WHERE review_result = false AND parent_id IS NULL AND user_id IS NOT NULL`); err != nil {
			return nil, err
		}
	}
	var toxic map[uuid.UUID]float64 // set if the tried formula has another rule of toxicity
	if rule := tried.ToxicityRule(); rule != old.ToxicityRule() && tried.Weights[scoring.ToxicMessages] != 0 {
		sql, args, err := counters.ToxicByAuthor(ctx, l.pool, rule, since, window != scoring.Total)
		if err != nil {
			return nil, db.Translate(err)
		}
		if toxic, err = l.countedBy(ctx, sql, args...); err != nil {
			return nil, err
		}
	}
	judgedOld, judgedTried := old.WithoutLeakage(), tried.WithoutLeakage()
	scorers := [4]scoring.Scorer{old.Scorer(), tried.Scorer(), judgedOld.Scorer(), judgedTried.Scorer()}
	all := make([]scoring.Candidate, 0, users.Len())
	users.Each(func(u *board.User) bool {
		t := u.Counters(window)
		if !t.OnBoard(&scoring.Treewarden) && !t.OnBoard(&old) && !t.OnBoard(&tried) {
			return true
		}
		c := scoring.Candidate{ID: u.ID, OnBoards: u.Status == tables.Active}
		ever := u.Counters(scoring.Total)
		c.Sanctioned = u.Status == tables.Banned ||
			truth.Includes(scoring.TruthDeleted) && ever.Count(&scoring.Treewarden, scoring.Deleted) > 0 ||
			truth.Includes(scoring.TruthRejected) &&
				(rejected[u.ID] > 0 || ever.Count(&scoring.Treewarden, scoring.Rejected) > 0)
		c.Score, c.WithoutLeakage = [2]float64{scorers[0].Score(t), scorers[1].Score(t)},
			[2]float64{scorers[2].Score(t), scorers[3].Score(t)}
		if toxic != nil {
			more := tried.Weights[scoring.ToxicMessages] * (toxic[u.ID] - float64(t.Count(&tried, scoring.ToxicMessages)))
			c.Score[1], c.WithoutLeakage[1] = c.Score[1]+more, c.WithoutLeakage[1]+more
		}
		all = append(all, c)
		return true
	})
	// The order of users in memory depends on the order of changes; resamples
	// must not.
	slices.SortFunc(all, func(a, b scoring.Candidate) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return all, nil
}

// countedBy runs a query for users and one number each.
func (l *Boards) countedBy(ctx context.Context, sql string, args ...any) (map[uuid.UUID]float64, error) {
	counts := map[uuid.UUID]float64{}
	err := db.EachRaw(ctx, l.pool, sql, func(raw [][]byte) { counts[uuid.UUID(raw[0])] = db.ReadFloat8(raw[1]) }, args...)
	return counts, db.Translate(err)
}

// namesOf reads the names of candidates.
func (l *Boards) namesOf(ctx context.Context, candidates []scoring.Candidate,
	moves ...[]scoring.Move) (map[[16]byte]string, error) {
	var ids []uuid.UUID
	for _, list := range moves {
		for _, m := range list {
			ids = append(ids, candidates[m.Candidate].ID)
		}
	}
	rows, err := l.pool.Query(ctx, "SELECT user_id, display_name FROM users WHERE user_id = ANY ($1)", db.IDArray(ids))
	if err != nil {
		return nil, db.Translate(err)
	}
	names := make(map[[16]byte]string, len(ids))
	var id uuid.UUID
	var name string
	_, err = pgx.ForEachRow(rows, []any{&id, &name}, func() error {
		names[id] = name
		return nil
	})
	return names, db.Translate(err)
}
