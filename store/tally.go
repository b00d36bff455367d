package store

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/scoring"
)

// The grains of user_signals.
const (
	inAll  = 0
	byDay  = 1
	byHour = 2
)

// hoursKept is how long hours are kept: the frame day reads the last 24.
const hoursKept = 48 * time.Hour

// slot is a row of user_signals. What is counted is one for an author and an
// hour; slots of all grains are made of it when it is added.
type slot struct {
	user  uuid.UUID
	grain int16
	at    pgtype.Timestamptz
}

// undated is when signals without a date happened.
var undated = pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}

// slots are the rows that a count of one hour adds to.
func (s slot) slots(now time.Time) []slot {
	all := []slot{{s.user, inAll, undated}}
	if s.at.InfinityModifier != pgtype.Finite {
		return all
	}
	day := pgtype.Timestamptz{Time: s.at.Time.UTC().Truncate(24 * time.Hour), Valid: true}
	all = append(all, slot{s.user, byDay, day})
	if s.at.Time.After(now.Add(-hoursKept)) {
		all = append(all, slot{s.user, byHour, s.at})
	}
	return all
}

// A tallying keeps user_signals true through a transaction. What the messages
// that are about to change contribute is counted before and after, and the
// difference is added: whatever changed, by whatever path, the counters
// follow, and their rows are written once, in order, so that two
// transactions never wait for each other in a circle.
type tallying struct {
	trees, messages []uuid.UUID
	known           map[uuid.UUID]bool
	before          map[slot]tally
	// languages has the counts of messages by language follow too: only an
	// import makes messages or learns their language.
	languages bool
	spoken    map[tongue]int64 // before, as negative numbers
}

// tongue is a row of user_languages.
type tongue struct {
	user uuid.UUID
	lang string
}

// touched counts for messages given by their keys as two arrays, $2 and $3.
const touched = "unnest($2::uuid[], $3::uuid[]) AS touched(tree_id, message_id) JOIN messages m ON m.tree_id = touched.tree_id AND m.message_id = touched.message_id"

var touchedSQL = countSQL(touched, "", "m.user_id", "date_trunc('hour', {at})")

// watch counts what messages contribute before they change. It is called once
// the trees of the messages are locked; a query names them (tree_id, message_id).
func (t *tallying) watch(ctx context.Context, c conn, query string, args ...any) error {
	rows, err := c.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	var trees, messages []uuid.UUID
	var tree, message uuid.UUID
	if _, err := pgx.ForEachRow(rows, []any{&tree, &message}, func() error {
		if !t.known[message] {
			trees, messages = append(trees, tree), append(messages, message)
		}
		return nil
	}); err != nil {
		return err
	}
	t.take(trees, messages)
	if t.languages {
		if err := t.speak(ctx, c, trees, messages, -1); err != nil {
			return err
		}
	}
	return contributions(ctx, c, trees, messages, t.before, 1)
}

// take adds messages to those that are counted at the end.
func (t *tallying) take(trees, messages []uuid.UUID) {
	if t.before == nil {
		t.before, t.known, t.spoken = map[slot]tally{}, map[uuid.UUID]bool{}, map[tongue]int64{}
	}
	for _, message := range messages {
		t.known[message] = true
	}
	t.trees, t.messages = append(t.trees, trees...), append(t.messages, messages...)
}

// speak counts messages by author and language.
func (t *tallying) speak(ctx context.Context, c conn, trees, messages []uuid.UUID, sign int64) error {
	rows, err := c.Query(ctx, `SELECT m.user_id, m.lang, count(*) FROM unnest($1::uuid[], $2::uuid[]) AS touched(tree_id, message_id)
		JOIN messages m ON m.tree_id = touched.tree_id AND m.message_id = touched.message_id
		WHERE m.user_id IS NOT NULL AND m.lang IS NOT NULL GROUP BY m.user_id, m.lang`, trees, messages)
	if err != nil {
		return err
	}
	var who tongue
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&who.user, &who.lang, &n}, func() error {
		t.spoken[who] += sign * n
		return nil
	})
	return err
}

// settleLanguages counts the languages of the taken messages again and adds
// the difference.
func (t *tallying) settleLanguages(ctx context.Context, c conn) error {
	if err := t.speak(ctx, c, t.trees, t.messages, 1); err != nil {
		return err
	}
	maps.DeleteFunc(t.spoken, func(_ tongue, n int64) bool { return n == 0 })
	if len(t.spoken) == 0 {
		return nil
	}
	keys := slices.SortedFunc(maps.Keys(t.spoken), func(a, b tongue) int {
		return cmp.Or(bytes.Compare(a.user[:], b.user[:]), cmp.Compare(a.lang, b.lang))
	})
	users, langs, counts := make([]uuid.UUID, len(keys)), make([]string, len(keys)), make([]int64, len(keys))
	for i, key := range keys {
		users[i], langs[i], counts[i] = key.user, key.lang, t.spoken[key]
	}
	_, err := c.Exec(ctx, `INSERT INTO user_languages AS l (user_id, lang, messages) SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[])
		ON CONFLICT (user_id, lang) DO UPDATE SET messages = l.messages + excluded.messages`, users, langs, counts)
	return err
}

// contributions adds, times a sign, what messages contribute to slots.
func contributions(ctx context.Context, c conn, trees, messages []uuid.UUID, into map[slot]tally, sign int64) error {
	if len(messages) == 0 {
		return nil
	}
	rows, err := c.Query(ctx, touchedSQL, scoring.Treewarden.ToxicFrom, trees, messages)
	if err != nil {
		return err
	}
	var at slot
	var counted tally
	_, err = pgx.ForEachRow(rows, counted.targets(&at.user, &at.at), func() error {
		key := slot{at.user, byHour, pgtype.Timestamptz{Time: at.at.Time.UTC(), InfinityModifier: at.at.InfinityModifier, Valid: true}}
		sum := into[key]
		for i := range sum {
			sum[i] += sign * counted[i]
		}
		into[key] = sum
		return nil
	})
	return err
}

// settle counts the watched messages again and adds the difference.
func (t *tallying) settle(ctx context.Context, c conn, now time.Time) error {
	if len(t.messages) == 0 && len(t.before) == 0 {
		return nil
	}
	change := map[slot]tally{}
	for key, sum := range t.before {
		for i := range sum {
			sum[i] = -sum[i]
		}
		change[key] = sum
	}
	if err := contributions(ctx, c, t.trees, t.messages, change, 1); err != nil {
		return err
	}
	if err := add(ctx, c, change, now); err != nil || !t.languages {
		return err
	}
	return t.settleLanguages(ctx, c)
}

// addSQL adds changes given as arrays, one for each column.
var addSQL = func() string {
	placeholders, sums := make([]string, len(columns)), make([]string, len(columns))
	for i, column := range columns {
		placeholders[i] = fmt.Sprintf("$%d::bigint[]", i+4)
		sums[i] = fmt.Sprintf("%[1]s = s.%[1]s + excluded.%[1]s", column)
	}
	names := strings.Join(columns, ", ")
	return `INSERT INTO user_signals AS s (user_id, grain, at, ` + names + `)
		SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::timestamptz[], ` + strings.Join(placeholders, ", ") + `)
		ON CONFLICT (user_id, grain, at) DO UPDATE SET ` + strings.Join(sums, ", ")
}()

// add writes changes of hours to the counters of all grains, in the order of
// their keys.
func add(ctx context.Context, c conn, hours map[slot]tally, now time.Time) error {
	change := map[slot]tally{}
	for hour, difference := range hours {
		if difference == (tally{}) {
			continue
		}
		for _, key := range hour.slots(now) {
			sum := change[key]
			for i := range sum {
				sum[i] += difference[i]
			}
			change[key] = sum
		}
	}
	if len(change) == 0 {
		return nil
	}
	keys := slices.SortedFunc(maps.Keys(change), func(a, b slot) int {
		return cmp.Or(bytes.Compare(a.user[:], b.user[:]), cmp.Compare(a.grain, b.grain), a.at.Time.Compare(b.at.Time))
	})
	users, grains, times, sums := make([]uuid.UUID, len(keys)), make([]int16, len(keys)), make([]pgtype.Timestamptz, len(keys)), make([][]int64, len(columns))
	for i := range sums {
		sums[i] = make([]int64, len(keys))
	}
	for n, key := range keys {
		users[n], grains[n], times[n] = key.user, key.grain, key.at
		for i, value := range change[key] {
			sums[i][n] = value
		}
	}
	args := []any{idArray(users), grains, times}
	for _, column := range sums {
		args = append(args, column)
	}
	_, err := c.Exec(ctx, addSQL, args...)
	return err
}

// trueSQL is what user_signals should hold: (user_id, grain, at, columns…),
// hours from $2 on.
var trueSQL = func() string {
	sums := make([]string, len(columns))
	for i, column := range columns {
		sums[i] = fmt.Sprintf("sum(%[1]s)::bigint AS %[1]s", column)
	}
	sum, names := strings.Join(sums, ", "), strings.Join(columns, ", ")
	return `WITH counted AS MATERIALIZED (` + countSQL("messages m", "", "m.user_id", "date_trunc('hour', {at})") + `)
		SELECT g1 AS user_id, ` + fmt.Sprint(inAll) + ` AS grain, '-infinity'::timestamptz AS at, ` + sum + ` FROM counted GROUP BY g1
		UNION ALL SELECT g1, ` + fmt.Sprint(byDay) + `, date_trunc('day', g2), ` + sum + ` FROM counted WHERE g2 > '-infinity' GROUP BY 1, 3
		UNION ALL SELECT g1, ` + fmt.Sprint(byHour) + `, g2, ` + names + ` FROM counted WHERE g2 >= $2`
}()

// rebuildSQL writes the counters anew from the base tables.
var rebuildSQL = `INSERT INTO user_signals (user_id, grain, at, ` + strings.Join(columns, ", ") + `) ` + trueSQL

// languagesSQL counts messages by author and language.
const languagesSQL = `SELECT user_id, lang, count(*) FROM messages WHERE user_id IS NOT NULL AND lang IS NOT NULL GROUP BY user_id, lang`

// rebuild counts everything anew within a transaction.
func rebuild(ctx context.Context, c conn, now time.Time) error {
	for _, sql := range []string{"LOCK user_signals, user_languages IN EXCLUSIVE MODE", "DELETE FROM user_signals", "DELETE FROM user_languages"} {
		if _, err := c.Exec(ctx, sql); err != nil {
			return err
		}
	}
	if _, err := c.Exec(ctx, rebuildSQL, scoring.Treewarden.ToxicFrom, now.Add(-hoursKept)); err != nil {
		return err
	}
	_, err := c.Exec(ctx, "INSERT INTO user_languages (user_id, lang, messages) "+languagesSQL)
	return err
}

// RebuildScores counts every signal anew from the base tables and stores it.
func (s *Store) RebuildScores(ctx context.Context) error {
	return readError(pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return rebuild(ctx, tx, s.now()) }))
}

// ForgetHours removes the counters of hours that no frame reads any more.
func (s *Store) ForgetHours(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, "DELETE FROM user_signals WHERE grain = $1 AND at < $2", byHour, s.now().Add(-hoursKept))
	return readError(err)
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
// counters that differ from what is stored; none is right.
func (s *Store) VerifyScores(ctx context.Context) ([]ScoreFault, error) {
	values, differ := make([]string, len(columns)), make([]string, len(columns))
	for i, column := range columns {
		values[i] = fmt.Sprintf("('%[1]s', coalesce(s.%[1]s, 0), coalesce(t.%[1]s, 0))", column)
		differ[i] = fmt.Sprintf("coalesce(s.%[1]s, 0) <> coalesce(t.%[1]s, 0)", column)
	}
	return collect[ScoreFault](ctx, s.pool, `SELECT user_id, (ARRAY['total', 'day', 'hour'])[grain + 1] AS grain, nullif(at, '-infinity') AS at, "column", stored, actual FROM (
			SELECT user_id, grain, at, v.*
			FROM (SELECT * FROM user_signals WHERE grain <> 2 OR at >= $2) s FULL JOIN (`+trueSQL+`) t USING (user_id, grain, at)
			CROSS JOIN LATERAL (VALUES `+strings.Join(values, ", ")+`) v("column", stored, actual)
			WHERE (`+strings.Join(differ, " OR ")+`) AND v.stored <> v.actual
			UNION ALL
			SELECT coalesce(s.user_id, t.user_id), 0, '-infinity', 'messages in ' || coalesce(s.lang, t.lang), coalesce(s.messages, 0), coalesce(t.count, 0)
			FROM user_languages s FULL JOIN (`+languagesSQL+`) t ON t.user_id = s.user_id AND t.lang = s.lang
			WHERE coalesce(s.messages, 0) <> coalesce(t.count, 0)) f
		ORDER BY user_id, grain, at, "column" LIMIT 100`, scoring.Treewarden.ToxicFrom, s.since(scoring.Day))
}
