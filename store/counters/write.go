package counters

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/scoring"
	"treewarden/store/db"
)

// rowChange is the change of a row of user_signals.
type rowChange struct {
	slot
	by *scoring.Counters
}

// slotsOf converts changes of hours to changes of rows of all grains, ordered by
// key, without empty ones.
func slotsOf(hours map[slot]*scoring.Counters, now time.Time) []rowChange {
	sums := make(map[slot]*scoring.Counters, 3*len(hours))
	for hour, difference := range hours {
		if *difference == (scoring.Counters{}) {
			continue
		}
		for _, key := range hour.slots(now) {
			if sum := sums[key]; sum != nil {
				sum.Add(difference, 1)
			} else {
				sums[key] = new(*difference)
			}
		}
	}
	change := make([]rowChange, 0, len(sums))
	for key, sum := range sums {
		if *sum != (scoring.Counters{}) {
			change = append(change, rowChange{key, sum})
		}
	}
	slices.SortFunc(change, func(a, b rowChange) int {
		return cmp.Or(bytes.Compare(a.user[:], b.user[:]), cmp.Compare(a.grain, b.grain), db.CompareTimes(a.at, b.at))
	})
	return change
}

// Write adds the statements that update the counters to a batch, ordered by key,
// and marks the users as changed. With check, another statement verifies the
// rule of toxicity; the batch must not commit then.
func (t *Update) Write(batch *pgx.Batch, now time.Time, check bool) {
	change := slotsOf(t.counted, now)
	maps.DeleteFunc(t.languageCounts, func(_ userLanguage, n int64) bool { return n == 0 })
	for _, row := range change {
		t.Changed.Add(row.user)
	}
	for key := range t.languageCounts {
		t.Changed.Add(key.user)
	}
	if len(change) > 0 {
		sql, args := addCounters(change)
		batch.Queue(sql, args...)
	}
	if len(t.languageCounts) > 0 {
		batch.Queue(addLanguagesSQL, languageArgs(t.languageCounts)...)
	}
	if check {
		if len(change) == 0 { // nothing to lock
			batch.Queue("LOCK user_signals IN ROW EXCLUSIVE MODE")
		}
		t.checkRule(batch)
	}
}

// checkRule adds a statement that verifies the rule. The counters are locked against
// ChangeRule: it waits for this transaction, or has committed
// and is visible here.
func (t *Update) checkRule(batch *pgx.Batch) {
	batch.Queue(ruleSQL).QueryRow(func(row pgx.Row) error {
		rule, err := scanRule(row)
		if err != nil {
			return err
		}
		if rule != t.Rule {
			t.rules.Forget()
			return ErrRuleChanged
		}
		return nil
	})
}

// ErrRuleChanged means that the rule of toxicity changed meanwhile. The transaction is
// retried without limit.
var ErrRuleChanged = fmt.Errorf("%w: the toxicity is counted by another rule by now", db.ErrBeginAgain)

// addCounters returns the statement that adds changes to user_signals. It
// includes only the changed columns, which are few.
func addCounters(change []rowChange) (string, []any) {
	users, grains, times := make([]uuid.UUID, len(change)), make([]int16, len(change)),
		make([]pgtype.Timestamptz, len(change))
	for n, row := range change {
		users[n], grains[n], times[n] = row.user, row.grain, row.at
	}
	args := []any{db.IDArray(users), pgtype.FlatArray[int16](grains), pgtype.FlatArray[pgtype.Timestamptz](times)}
	var names, arrays, sums []string
	for i, column := range scoring.Columns {
		var values pgtype.FlatArray[pgtype.Int8]
		for n, row := range change {
			if value := row.by[i]; value != 0 {
				if values == nil {
					values = make(pgtype.FlatArray[pgtype.Int8], len(change))
				}
				values[n] = pgtype.Int8{Int64: value, Valid: true}
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

const addLanguagesSQL = `INSERT INTO user_languages AS l (user_id, lang, messages)
	SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[])
	ON CONFLICT (user_id, lang) DO UPDATE SET messages = l.messages + excluded.messages`

func languageArgs(counted map[userLanguage]int64) []any {
	keys := slices.SortedFunc(maps.Keys(counted), func(a, b userLanguage) int {
		return cmp.Or(bytes.Compare(a.user[:], b.user[:]), cmp.Compare(a.lang, b.lang))
	})
	users, langs, counts := make([]uuid.UUID, len(keys)), make([]string, len(keys)), make([]int64, len(keys))
	for i, key := range keys {
		users[i], langs[i], counts[i] = key.user, key.lang, counted[key]
	}
	return []any{users, langs, counts}
}
