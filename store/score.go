package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/boards"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/users"
)

// since returns the start of a window as an argument.
func (s *Store) since(window scoring.Window) pgtype.Timestamptz {
	if at, ok := window.Since(s.now()); ok {
		return pgtype.Timestamptz{Time: at, Valid: true}
	}
	return pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
}

// The queries that count the base tables for one author, $2, from a moment on,
// $3.
var (
	ofUserSQL   = counters.CountSQL("messages m", "m.user_id = $2 AND {at} >= $3", "m.user_id")
	evidenceSQL = "SELECT s.* FROM (" + counters.CountSQL("messages m", "m.user_id = $2 AND {at} >= $3", "m.message_id",
		"m.created_date") + ") s ORDER BY s.g2 DESC, s.g1"
	daysOfUser = counters.CountSQL("messages m", "m.user_id = $2 AND {at} >= $3", "({at} AT TIME ZONE 'UTC')::date")
)

// counts counts one user's signals within a window from the base tables.
func (s *Store) counts(ctx context.Context, user uuid.UUID, window scoring.Window,
	formula scoring.Formula) (scoring.Counts, error) {
	var t scoring.Counters
	err := s.pool.QueryRow(ctx, ofUserSQL, formula.ToxicFrom, user,
		s.since(window)).Scan(counters.Targets(&t, new(uuid.UUID))...)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, db.Translate(err)
	}
	return t.Counts(formula), nil
}

// counted reads one user's signals within a window from the counters.
func (s *Store) counted(ctx context.Context, user uuid.UUID, window scoring.Window,
	formula scoring.Formula) (scoring.Counts, error) {
	var t scoring.Counters
	err := s.pool.QueryRow(ctx, countedSQL, user, frameRows[window], s.since(window)).Scan(counters.Targets(&t)...)
	return t.Counts(formula), db.Translate(err)
}

// countedSQL is a query that sums one user's counters of a grain from a moment on.
var countedSQL = func() string {
	sums := make([]string, len(scoring.Columns))
	for i, column := range scoring.Columns {
		sums[i] = "coalesce(sum(" + column + "), 0)::bigint"
	}
	return "SELECT " + strings.Join(sums, ", ") + " FROM user_signals WHERE user_id = $1 AND grain = $2 AND at >= $3"
}()

// frameRows maps a window to the grain of its counters.
var frameRows = map[scoring.Window]int{
	scoring.Day: counters.ByHour, scoring.Week: counters.ByDay,
	scoring.Month: counters.ByDay, scoring.Total: counters.Total,
}

// Score returns a user's score, its parts and the messages behind each.
func (s *Store) Score(ctx context.Context, actor Actor, user uuid.UUID, window scoring.Window,
	formula scoring.Formula) (Score, error) {
	score := Score{UserID: user, Window: window, Formula: formula.Name, Evidence: map[scoring.Signal][]uuid.UUID{}}
	if err := need(actor, policy.Read); err != nil {
		return score, err
	}
	if _, err := userByID(ctx, s.pool, user); err != nil {
		return score, err
	}
	counts, err := s.counts(ctx, user, window, formula)
	if err != nil {
		return score, err
	}
	stats, err := users.StatsOf(ctx, s.pool, user, s.since(window))
	if err != nil {
		return score, err
	}
	score.Score, score.Parts = formula.Score(counts), formula.Parts(counts)
	score.Rate = scoring.Rate(score.Score, stats.Messages)
	return score, s.evidence(ctx, &score, formula)
}

// EvidenceLimit is the maximum number of messages behind a signal.
const EvidenceLimit = 50

// evidence sets the messages behind each signal, the newest first, at most
// EvidenceLimit each.
func (s *Store) evidence(ctx context.Context, score *Score, formula scoring.Formula) error {
	rows, err := s.pool.Query(ctx, evidenceSQL, formula.ToxicFrom, score.UserID, s.since(score.Window))
	if err != nil {
		return db.Translate(err)
	}
	var message uuid.UUID
	var at pgtype.Timestamptz
	var t scoring.Counters
	_, err = pgx.ForEachRow(rows, counters.Targets(&t, &message, &at), func() error {
		for signal, n := range t.Counts(formula) {
			if n != 0 && len(score.Evidence[signal]) < EvidenceLimit {
				score.Evidence[signal] = append(score.Evidence[signal], message)
			}
		}
		return nil
	})
	return db.Translate(err)
}

// days counts a user's signals of the last 30 days by day.
func (s *Store) days(ctx context.Context, user uuid.UUID, formula scoring.Formula) ([]DaySignals, error) {
	today := s.now().UTC().Truncate(24 * time.Hour)
	rows, err := s.pool.Query(ctx, daysOfUser, formula.ToxicFrom, user, today.AddDate(0, 0, -29))
	if err != nil {
		return nil, db.Translate(err)
	}
	var day time.Time
	var t scoring.Counters
	found := map[string]DaySignals{}
	if _, err := pgx.ForEachRow(rows, counters.Targets(&t, &day), func() error {
		var d DaySignals
		for signal, n := range t.Counts(formula) {
			if signal.Favourable() {
				d.For += n
			} else {
				d.Against += n
			}
		}
		found[day.Format(time.DateOnly)] = d
		return nil
	}); err != nil {
		return nil, db.Translate(err)
	}
	days := make([]DaySignals, 30)
	for i := range days {
		name := today.AddDate(0, 0, i-29).Format(time.DateOnly)
		days[i] = found[name]
		days[i].Day = name
	}
	return days, nil
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
