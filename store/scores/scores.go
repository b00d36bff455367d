// Package scores reads one user's signals: from the counters, and anew from the
// messages with the evidence behind each signal.
package scores

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/scoring"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/users"
)

// Score is a user's score in a window with its parts and its evidence.
type Score struct {
	UserID   uuid.UUID                      `json:"user_id"`
	Window   scoring.Window                 `json:"frame"`
	Formula  string                         `json:"formula"`
	Score    float64                        `json:"score"`
	Rate     float64                        `json:"rate"`
	Parts    []scoring.Part                 `json:"parts"`
	Evidence map[scoring.Signal][]uuid.UUID `json:"evidence"` // at most 50 messages a signal, newest first
	Messages map[scoring.Signal]int         `json:"-"`        // the number of all messages behind a signal
	Role     string                         `json:"-"`        // of the user, like Status
	Status   string                         `json:"-"`
	// ToxicityBy says whose toxicity counts, Rule how in the formula.
	ToxicityBy string               `json:"toxicity_by" description:"the models whose toxicity counts"`
	Rule       scoring.ToxicityRule `json:"-"`
}

// Of returns a user's score, its parts and the messages behind each.
func Of(ctx context.Context, c db.Conn, user users.User, window scoring.Window, now time.Time,
	formula scoring.Formula) (Score, error) {
	score := Score{UserID: user.UserID, Window: window, Formula: formula.Name, Role: user.Role, Status: user.Status,
		ToxicityBy: scoring.ClassifierTitle(formula.Classifier), Rule: formula.ToxicityRule()}
	since := Since(window, now)
	counts, err := Counted(ctx, c, user.UserID, since, formula)
	if err != nil {
		return score, err
	}
	stats, err := users.StatsOf(ctx, c, user.UserID, since)
	if err != nil {
		return score, err
	}
	score.Score, score.Parts = formula.Score(counts), formula.Parts(counts)
	score.Rate = scoring.Rate(score.Score, stats.Messages)
	score.Evidence, score.Messages, err = Evidence(ctx, c, user.UserID, since, formula)
	return score, err
}

// DaySignals counts the signals of one day (UTC), for the chart of 30 days.
type DaySignals struct {
	Day     string `json:"day"` // 2006-01-02
	Against int64  `json:"against"`
	For     int64  `json:"for"`
}

// Since returns the start of a window that ends now, as an argument of a query.
func Since(window scoring.Window, now time.Time) pgtype.Timestamptz {
	if at, ok := window.Since(now); ok {
		return pgtype.Timestamptz{Time: at, Valid: true}
	}
	return pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
}

// The queries that count the base tables for one author, $3, from a moment on,
// $4.
var (
	ofUserSQL   = counters.CountSQL("messages m", "m.user_id = $3 AND {at} >= $4", "m.user_id")
	evidenceSQL = "SELECT s.* FROM (" + counters.CountSQL("messages m", "m.user_id = $3 AND {at} >= $4", "m.message_id",
		"m.created_date") + ") s ORDER BY s.g2 DESC, s.g1"
	daysOfUser = counters.CountSQL("messages m", "m.user_id = $3 AND {at} >= $4", "({at} AT TIME ZONE 'UTC')::date")
)

// Counted counts one user's signals within a window from the base tables.
func Counted(ctx context.Context, c db.Conn, user uuid.UUID, since pgtype.Timestamptz,
	formula scoring.Formula) (scoring.Counts, error) {
	var t scoring.Counters
	from, models := counters.RuleArgs(formula.ToxicityRule())
	err := c.QueryRow(ctx, ofUserSQL, from, models, user, since).Scan(counters.Targets(&t, new(uuid.UUID))...)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, db.Translate(err)
	}
	return t.Counts(formula), nil
}

// Kept reads one user's signals within a window from the counters.
func Kept(ctx context.Context, c db.Conn, user uuid.UUID, window scoring.Window, now time.Time,
	formula scoring.Formula) (scoring.Counts, error) {
	var t scoring.Counters
	err := c.QueryRow(ctx, keptSQL, user, grains[window], Since(window, now)).Scan(counters.Targets(&t)...)
	return t.Counts(formula), db.Translate(err)
}

// keptSQL is a query that sums one user's counters of a grain from a moment on.
var keptSQL = func() string {
	sums := make([]string, len(scoring.Columns))
	for i, column := range scoring.Columns {
		sums[i] = "coalesce(sum(" + column + "), 0)::bigint"
	}
	return "SELECT " + strings.Join(sums, ", ") + " FROM user_signals WHERE user_id = $1 AND grain = $2 AND at >= $3"
}()

// grains maps a window to the grain of its counters.
var grains = map[scoring.Window]int{
	scoring.Day: counters.ByHour, scoring.Week: counters.ByDay,
	scoring.Month: counters.ByDay, scoring.Total: counters.Total,
}

// EvidenceLimit is the maximum number of messages behind a signal.
const EvidenceLimit = 50

// Evidence returns the messages behind each signal, the newest first, at most
// EvidenceLimit each, and the number of all.
func Evidence(ctx context.Context, c db.Conn, user uuid.UUID, since pgtype.Timestamptz,
	formula scoring.Formula) (evidence map[scoring.Signal][]uuid.UUID, all map[scoring.Signal]int, err error) {
	from, models := counters.RuleArgs(formula.ToxicityRule())
	rows, err := c.Query(ctx, evidenceSQL, from, models, user, since)
	if err != nil {
		return nil, nil, db.Translate(err)
	}
	evidence, all = map[scoring.Signal][]uuid.UUID{}, map[scoring.Signal]int{}
	var message uuid.UUID
	var at pgtype.Timestamptz
	var t scoring.Counters
	_, err = pgx.ForEachRow(rows, counters.Targets(&t, &message, &at), func() error {
		for signal, n := range t.Counts(formula) {
			if n == 0 {
				continue
			}
			if all[signal]++; all[signal] <= EvidenceLimit {
				evidence[signal] = append(evidence[signal], message)
			}
		}
		return nil
	})
	return evidence, all, db.Translate(err)
}

// shownDays is the number of days that Days counts.
const shownDays = 30

// Days counts a user's signals of the last 30 days by day, the oldest first.
func Days(
	ctx context.Context, c db.Conn, user uuid.UUID, now time.Time, formula scoring.Formula,
) ([]DaySignals, error) {
	first := now.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-shownDays)
	from, models := counters.RuleArgs(formula.ToxicityRule())
	rows, err := c.Query(ctx, daysOfUser, from, models, user, first)
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
	days := make([]DaySignals, shownDays)
	for i := range days {
		name := first.AddDate(0, 0, i).Format(time.DateOnly)
		days[i] = found[name]
		days[i].Day = name
	}
	return days, nil
}
