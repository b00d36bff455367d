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
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/scoring"
)

// slotsOf makes changes of hours changes of the rows of all grains, and leaves
// out what changes nothing.
func slotsOf(hours map[slot]tally, now time.Time) map[slot]tally {
	change := map[slot]tally{}
	for hour, difference := range hours {
		if difference == (tally{}) {
			continue
		}
		for _, key := range hour.slots(now) {
			sum := change[key]
			sum.Add(&difference, 1)
			change[key] = sum
		}
	}
	maps.DeleteFunc(change, func(_ slot, sum tally) bool { return sum == (tally{}) })
	return change
}

// write adds changes to the counters, in the order of their keys, and says
// whose they were. All of it takes one round trip.
func (t *tallying) write(ctx context.Context, tx pgx.Tx, change map[slot]tally) error {
	maps.DeleteFunc(t.spoken, func(_ tongue, n int64) bool { return n == 0 })
	for key := range change {
		t.people[key.user] = true
	}
	for key := range t.spoken {
		t.people[key.user] = true
	}
	if len(t.people) == 0 && !t.otherFormula {
		return nil
	}
	batch := &pgx.Batch{}
	if len(change) > 0 {
		sql, args := addCounters(change)
		batch.Queue(sql, args...)
	}
	if len(t.spoken) > 0 {
		batch.Queue(addLanguagesSQL, languageArgs(t.spoken)...)
	}
	// The rows of counters are locked now: who counts with another threshold
	// waits for this transaction, or has committed and is seen here.
	batch.Queue("SELECT toxic_from FROM counted_with").QueryRow(func(row pgx.Row) error {
		var from float64
		if err := row.Scan(&from); err != nil {
			return err
		}
		if from != t.toxicFrom {
			t.live.forgetToxicFrom()
			return errCountedOtherwise
		}
		return nil
	})
	payloads := t.live.payloads(t.people)
	if t.otherFormula {
		payloads = append(payloads, otherFormula)
	}
	for _, payload := range payloads {
		batch.Queue("SELECT pg_notify($1, $2)", liveChannel, payload)
	}
	return tx.SendBatch(ctx, batch).Close()
}

// errCountedOtherwise says that the threshold of toxicity changed meanwhile. It
// has the code of a transaction that is to begin again.
var errCountedOtherwise = &pgconn.PgError{Severity: "ERROR", Code: "40001", Message: "the counters are counted with another threshold by now"}

// addCounters is the statement that adds changes to user_signals. It names only
// the columns that change, which are few.
func addCounters(change map[slot]tally) (string, []any) {
	keys := slices.SortedFunc(maps.Keys(change), func(a, b slot) int {
		return cmp.Or(bytes.Compare(a.user[:], b.user[:]), cmp.Compare(a.grain, b.grain), compareTimes(a.at, b.at))
	})
	users, grains, times := make([]uuid.UUID, len(keys)), make([]int16, len(keys)), make([]pgtype.Timestamptz, len(keys))
	for n, key := range keys {
		users[n], grains[n], times[n] = key.user, key.grain, key.at
	}
	args := []any{idArray(users), grains, times}
	var names, arrays, sums []string
	for i, column := range columns {
		var values []*int64
		for n, key := range keys {
			if value := change[key][i]; value != 0 {
				if values == nil {
					values = make([]*int64, len(keys))
				}
				values[n] = &value
			}
		}
		if values == nil {
			continue
		}
		args = append(args, values)
		names = append(names, column)
		arrays = append(arrays, fmt.Sprintf("$%d::bigint[]", len(args)))
		sums = append(sums, fmt.Sprintf("%[1]s = coalesce(s.%[1]s + excluded.%[1]s, s.%[1]s, excluded.%[1]s)", column))
	}
	list := strings.Join(names, ", ")
	return `INSERT INTO user_signals AS s (user_id, grain, at, ` + list + `)
		SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::timestamptz[], ` + strings.Join(arrays, ", ") + `)
		ON CONFLICT (user_id, grain, at) DO UPDATE SET ` + strings.Join(sums, ", "), args
}

func compareTimes(a, b pgtype.Timestamptz) int {
	return cmp.Or(cmp.Compare(a.InfinityModifier, b.InfinityModifier), a.Time.Compare(b.Time))
}

const addLanguagesSQL = `INSERT INTO user_languages AS l (user_id, lang, messages) SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[])
	ON CONFLICT (user_id, lang) DO UPDATE SET messages = l.messages + excluded.messages`

func languageArgs(spoken map[tongue]int64) []any {
	keys := slices.SortedFunc(maps.Keys(spoken), func(a, b tongue) int {
		return cmp.Or(bytes.Compare(a.user[:], b.user[:]), cmp.Compare(a.lang, b.lang))
	})
	users, langs, counts := make([]uuid.UUID, len(keys)), make([]string, len(keys)), make([]int64, len(keys))
	for i, key := range keys {
		users[i], langs[i], counts[i] = key.user, key.lang, spoken[key]
	}
	return []any{users, langs, counts}
}

// ForgetCounters removes the counters of hours and days that no frame reads any
// more.
func (s *Store) ForgetCounters(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, "DELETE FROM user_signals WHERE grain = $1 AND at < $2 OR grain = $3 AND at < $4",
		byHour, s.now().Add(-hoursKept), byDay, s.now().Add(-daysKept))
	return readError(err)
}

// toxicSQL counts what is toxic from $1 on, of messages that are from $2 on.
var toxicSQL = func() string {
	toxic := sources[slices.IndexFunc(sources, func(src source) bool { return src.counts[string(scoring.ToxicMessages)] != "" })]
	return toxic.branch(`(SELECT DISTINCT tree_id, message_id FROM classifier_outputs WHERE toxicity >= $2::float8) f
		JOIN messages m ON m.tree_id = f.tree_id AND m.message_id = f.message_id`, "", []string{"m.user_id", "date_trunc('hour', {at})"})
}()

// rethreshold has the counters count messages as toxic from another threshold
// on. Who changes counters meanwhile waits, and begins again.
func (t *tallying) rethreshold(ctx context.Context, tx pgx.Tx, from float64) error {
	if _, err := tx.Exec(ctx, lockCounters); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE counted_with SET toxic_from = $1", from); err != nil {
		return err
	}
	for _, count := range []struct {
		from float64
		sign int64
	}{{t.toxicFrom, 1}, {from, -1}} { // what was before is taken away, see settle
		if err := t.gather(ctx, tx, t.before, count.sign, toxicSQL, count.from, min(from, t.toxicFrom)); err != nil {
			return err
		}
	}
	t.toxicFrom = from
	t.live.forgetToxicFrom()
	return nil
}

// rebuild counts everything anew within a transaction, with a threshold of
// toxicity that holds from then on. The transaction reads all by itself: others
// do not see yet what it wrote.
func rebuild(ctx context.Context, tx pgx.Tx, now time.Time, toxicFrom float64) error {
	if _, err := tx.Exec(ctx, lockCounters); err != nil {
		return err
	}
	r, err := recountOn(ctx, []conn{tx}, now, toxicFrom)
	if err != nil {
		return err
	}
	return storeRecount(ctx, tx, r)
}

// lockCounters keeps those who change counters waiting, and not those who read.
const lockCounters = "LOCK user_signals, user_languages IN EXCLUSIVE MODE"

// storeRecount stores what was counted, and says that all boards changed.
func storeRecount(ctx context.Context, tx pgx.Tx, r *recount) error {
	if _, err := tx.Exec(ctx, "UPDATE counted_with SET toxic_from = $1 WHERE toxic_from <> $1", r.toxicFrom); err != nil {
		return err
	}
	if err := r.store(ctx, tx); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "SELECT pg_notify($1, $2)", liveChannel, everybody)
	return err
}

// RebuildScores counts every signal anew from the base tables and stores it.
func (s *Store) RebuildScores(ctx context.Context) error {
	defer s.live.markAll()
	return readError(s.inOneSnapshot(ctx, lockCounters, func(tx pgx.Tx, conns []conn) error {
		var toxicFrom float64
		if err := tx.QueryRow(ctx, "SELECT toxic_from FROM counted_with").Scan(&toxicFrom); err != nil {
			return err
		}
		r, err := recountOn(ctx, conns, s.now(), toxicFrom)
		if err != nil {
			return err
		}
		return storeRecount(ctx, tx, r)
	}))
}
