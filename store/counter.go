package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/scoring"
)

// ForgetCounters removes the counters of hours and days that no frame reads any
// more.
func (s *Store) ForgetCounters(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, "DELETE FROM user_signals WHERE grain = $1 AND at < $2 OR grain = $3 AND at < $4",
		byHour, s.now().Add(-hoursKept), byDay, s.now().Add(-daysKept))
	return readError(err)
}

// trueSQL is what user_signals should hold: (user_id, grain, at, columns…),
// hours from $2 on and days from $3 on.
var trueSQL = func() string {
	sums, own := make([]string, len(columns)), make([]string, len(columns))
	for i, column := range columns {
		sums[i] = fmt.Sprintf("nullif(sum(%[1]s), 0)::bigint AS %[1]s", column)
		own[i] = fmt.Sprintf("nullif(%[1]s, 0) AS %[1]s", column)
	}
	sum, names := strings.Join(sums, ", "), strings.Join(own, ", ")
	return `WITH counted AS MATERIALIZED (` + countSQL("messages m", "", "m.user_id", "date_trunc('hour', {at})") + `)
		SELECT g1 AS user_id, ` + fmt.Sprint(inAll) + ` AS grain, '-infinity'::timestamptz AS at, ` + sum + ` FROM counted GROUP BY g1
		UNION ALL SELECT g1, ` + fmt.Sprint(byDay) + `, date_trunc('day', g2), ` + sum + ` FROM counted WHERE g2 >= $3 GROUP BY 1, 3
		UNION ALL SELECT g1, ` + fmt.Sprint(byHour) + `, g2, ` + names + ` FROM counted WHERE g2 >= $2`
}()

// rebuildSQLs bring the counters to what the base tables say: what is right
// already is not written again, and readers are not held up.
var rebuildSQLs = func() []string {
	sets, stored, counted := make([]string, len(columns)), make([]string, len(columns)), make([]string, len(columns))
	for i, column := range columns {
		sets[i] = fmt.Sprintf("%[1]s = excluded.%[1]s", column)
		stored[i], counted[i] = "s."+column, "excluded."+column
	}
	names := strings.Join(columns, ", ")
	return []string{
		"DELETE FROM user_signals s WHERE NOT EXISTS (SELECT FROM true_signals t WHERE (t.user_id, t.grain, t.at) = (s.user_id, s.grain, s.at))",
		`INSERT INTO user_signals AS s (user_id, grain, at, ` + names + `) SELECT user_id, grain, at, ` + names + ` FROM true_signals
			ON CONFLICT (user_id, grain, at) DO UPDATE SET ` + strings.Join(sets, ", ") + `
			WHERE (` + strings.Join(stored, ", ") + `) IS DISTINCT FROM (` + strings.Join(counted, ", ") + `)`,
		"DELETE FROM user_languages",
		"INSERT INTO user_languages (user_id, lang, messages) " + languagesSQL,
		"DROP TABLE true_signals",
	}
}()

// languagesSQL counts messages by author and language.
const languagesSQL = `SELECT user_id, lang, count(*) FROM messages WHERE user_id IS NOT NULL AND lang IS NOT NULL GROUP BY user_id, lang`

// rebuild counts everything anew within a transaction, with a threshold of
// toxicity that holds from then on.
func rebuild(ctx context.Context, tx pgx.Tx, now time.Time, toxicFrom float64) error {
	if _, err := tx.Exec(ctx, "LOCK user_signals, user_languages IN EXCLUSIVE MODE"); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE counted_with SET toxic_from = $1", toxicFrom); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "CREATE TEMPORARY TABLE true_signals (LIKE user_signals) ON COMMIT DROP"); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "INSERT INTO true_signals (user_id, grain, at, "+strings.Join(columns, ", ")+") "+trueSQL,
		toxicFrom, now.Add(-hoursKept), now.Add(-daysKept).UTC().Truncate(24*time.Hour)); err != nil {
		return err
	}
	for _, sql := range rebuildSQLs {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, "SELECT pg_notify($1, $2)", liveChannel, everybody)
	return err
}

// RebuildScores counts every signal anew from the base tables and stores it.
func (s *Store) RebuildScores(ctx context.Context) error {
	defer s.live.markAll()
	return readError(pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		from, err := s.live.toxicFrom(ctx, tx)
		return errors.Join(err, rebuild(ctx, tx, s.now(), from))
	}))
}

// ScoreFault is a counter that is not what the base tables say.
type ScoreFault struct {
	UserID uuid.UUID  `json:"user_id"`
	Grain  string     `json:"grain"` // total, day or hour
	At     *time.Time `json:"at"`    // null: in all
	Column string     `json:"column"`
	Stored int64      `json:"stored"`
	Actual int64      `json:"actual"`
}

// VerifyScores counts everything anew in one snapshot, and returns up to 100
// counters that differ from what is stored; none is right. Hours and days that
// no frame reads any more are not looked at.
func (s *Store) VerifyScores(ctx context.Context) ([]ScoreFault, error) {
	values, differ := make([]string, len(columns)), make([]string, len(columns))
	for i, column := range columns {
		values[i] = fmt.Sprintf("('%[1]s', coalesce(s.%[1]s, 0), coalesce(t.%[1]s, 0))", column)
		differ[i] = fmt.Sprintf("coalesce(s.%[1]s, 0) <> coalesce(t.%[1]s, 0)", column)
	}
	from, err := s.live.toxicFrom(ctx, s.pool)
	if err != nil {
		return nil, readError(err)
	}
	return collect[ScoreFault](ctx, s.pool, `SELECT user_id, (ARRAY['total', 'day', 'hour'])[grain + 1] AS grain, nullif(at, '-infinity') AS at, "column", stored, actual FROM (
			SELECT user_id, grain, at, v.*
			FROM (SELECT * FROM user_signals WHERE grain = 0 OR grain = 2 AND at >= $2 OR grain = 1 AND at >= $3) s FULL JOIN (`+trueSQL+`) t USING (user_id, grain, at)
			CROSS JOIN LATERAL (VALUES `+strings.Join(values, ", ")+`) v("column", stored, actual)
			WHERE (`+strings.Join(differ, " OR ")+`) AND v.stored <> v.actual
			UNION ALL
			SELECT coalesce(s.user_id, t.user_id), 0, '-infinity', 'messages in ' || coalesce(s.lang, t.lang), coalesce(s.messages, 0), coalesce(t.count, 0)
			FROM user_languages s FULL JOIN (`+languagesSQL+`) t ON t.user_id = s.user_id AND t.lang = s.lang
			WHERE coalesce(s.messages, 0) <> coalesce(t.count, 0)) f
		ORDER BY user_id, grain, at, "column" LIMIT 100`, from, s.since(scoring.Day), s.since(scoring.Month))
}
