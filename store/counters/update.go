package counters

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/scoring"
	"treewarden/store/db"
)

// The grains of user_signals.
const (
	Total  = 0
	ByDay  = 1
	ByHour = 2
)

// The times that the counters of hours and days are kept: the windows day and
// month include the last 24 hours and the last 30 days.
const (
	HoursKept = 48 * time.Hour
	daysKept  = 40 * 24 * time.Hour
)

// Targets returns the scan targets of a row of counts, after its groups.
func Targets(t *scoring.Counters, groups ...any) []any {
	for i := range t {
		groups = append(groups, &t[i])
	}
	return groups
}

// slot is the key of a row of user_signals. Counts are collected by author and
// hour; slots makes the keys of all grains from it.
type slot struct {
	user  uuid.UUID
	grain int16
	at    pgtype.Timestamptz
}

// slots returns the keys of the rows that include an hour.
func (s slot) slots(now time.Time) []slot {
	all := []slot{{s.user, Total, db.Undated}}
	if s.at.InfinityModifier != pgtype.Finite {
		return all
	}
	if s.at.Time.After(now.Add(-daysKept)) {
		day := pgtype.Timestamptz{Time: s.at.Time.UTC().Truncate(24 * time.Hour), Valid: true}
		all = append(all, slot{s.user, ByDay, day})
	}
	if s.at.Time.After(now.Add(-HoursKept)) {
		all = append(all, slot{s.user, ByHour, s.at})
	}
	return all
}

// An Update keeps user_signals up to date in a transaction. It counts the
// messages that are about to change before and after, and adds the difference,
// whatever the change. It writes the rows once and in order, so that two
// transactions do not deadlock.
type Update struct {
	trees, messages []uuid.UUID
	known           map[uuid.UUID]bool
	subsets         []watchedSubset
	// counted is the difference by author and hour so far: for watched messages
	// minus the former counts, for others the counts made in Go.
	counted map[slot]*scoring.Counters
	// CountLanguages makes the counts of messages by language follow too. Only an
	// import creates messages or changes their language.
	CountLanguages bool
	languageCounts map[userLanguage]int64 // the former counts are negative
	// Changed holds the changes that boards show after the commit.
	Changed Changed

	rules *RuleCache
	// Rule is the rule of the counters.
	Rule scoring.ToxicityRule
	// UsedRule says that the caller decided by Rule what counts: Settle verifies the rule
	// also if nothing is counted.
	UsedRule bool
	stops    []context.CancelFunc // end the counts on second connections
	restored *restored            // that of WatchRestored
	deleted  []watchedSubset      // those of Delete
}

// Begin returns an Update for a transaction. The caller publishes Changed, and closes it
// if it watches what is restored.
func Begin(ctx context.Context, c db.Conn, rules *RuleCache) (*Update, error) {
	t := newUpdate()
	t.rules = rules
	var err error
	t.Rule, err = rules.Read(ctx, c)
	return t, err
}

func newUpdate() *Update {
	return &Update{counted: map[slot]*scoring.Counters{}, known: map[uuid.UUID]bool{},
		languageCounts: map[userLanguage]int64{}}
}

// AddMessages adds n, which may be negative, to a user's messages in a language.
func (t *Update) AddMessages(user uuid.UUID, lang string, n int64) {
	t.languageCounts[userLanguage{user, lang}] += n
}

// userLanguage is the key of a row of user_languages.
type userLanguage struct {
	user uuid.UUID
	lang string
}

// touched is the FROM item of messages by their keys in two arrays, $3 and $4.
const touched = `unnest($3::uuid[], $4::uuid[]) AS touched(tree_id, message_id)
	JOIN messages m ON m.tree_id = touched.tree_id AND m.message_id = touched.message_id`

var touchedSQL = CountSQL(touched, "", hourly...)

// Watch counts messages before they change and has them counted again at the end.
// The query returns tree_id and message_id. The trees of the messages are locked
// already.
func (t *Update) Watch(ctx context.Context, c db.Conn, query string, args ...any) error {
	if len(t.subsets) > 0 || t.restored != nil {
		return errWatchedTwice
	}
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
	t.CountAtEnd(trees, messages)
	if t.CountLanguages {
		if err := t.countLanguages(ctx, c, trees, messages, -1); err != nil {
			return err
		}
	}
	return t.countMessages(ctx, c, trees, messages, -1)
}

// CountAtEnd adds messages to be counted at the end.
func (t *Update) CountAtEnd(trees, messages []uuid.UUID) {
	for _, message := range messages {
		t.known[message] = true
	}
	t.trees, t.messages = append(t.trees, trees...), append(t.messages, messages...)
}

// countLanguages counts messages by author and language.
func (t *Update) countLanguages(ctx context.Context, c db.Conn, trees, messages []uuid.UUID, sign int64) error {
	rows, err := c.Query(ctx, `SELECT m.user_id, m.lang, count(*)
		FROM unnest($1::uuid[], $2::uuid[]) AS touched(tree_id, message_id)
		JOIN messages m ON m.tree_id = touched.tree_id AND m.message_id = touched.message_id
		WHERE m.user_id IS NOT NULL AND m.lang IS NOT NULL GROUP BY m.user_id, m.lang`, trees, messages)
	if err != nil {
		return err
	}
	var who userLanguage
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&who.user, &who.lang, &n}, func() error {
		t.languageCounts[who] += sign * n
		return nil
	})
	return err
}

// countMessages adds the counts of messages, times a sign.
func (t *Update) countMessages(ctx context.Context, c db.Conn, trees, messages []uuid.UUID, sign int64) error {
	if len(messages) == 0 {
		return nil
	}
	add := func(hour, sum *scoring.Counters) { hour.Add(sum, sign) }
	from, models := RuleArgs(t.Rule)
	return t.countBy(ctx, c, add, touchedSQL, from, models, db.IDArray(trees), db.IDArray(messages))
}

// countBy runs a query that counts by author and hour, and calls add with each
// count.
func (t *Update) countBy(ctx context.Context, c db.Conn, add func(hour, sum *scoring.Counters), sql string,
	args ...any) error {
	rows, err := c.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	var at slot
	var sum scoring.Counters
	_, err = pgx.ForEachRow(rows, Targets(&sum, &at.user, &at.at), func() error {
		add(t.Hour(at.user, at.at), &sum)
		return nil
	})
	return err
}

// Hour returns the counts of an author in the hour of a time.
func (t *Update) Hour(author uuid.UUID, at pgtype.Timestamptz) *scoring.Counters {
	key := slot{author, ByHour, pgtype.Timestamptz{InfinityModifier: at.InfinityModifier, Valid: true}}
	if at.InfinityModifier == pgtype.Finite {
		key.at.Time = at.Time.UTC().Truncate(time.Hour)
	}
	sum := t.counted[key]
	if sum == nil {
		sum = new(scoring.Counters)
		t.counted[key] = sum
	}
	return sum
}

// Settle counts the watched messages again and adds the statements that update
// the counters to a batch.
func (t *Update) Settle(ctx context.Context, tx db.Conn, batch *pgx.Batch, now time.Time) error {
	if err := t.countMessages(ctx, tx, t.trees, t.messages, 1); err != nil {
		return err
	}
	for _, f := range t.subsets {
		if err := t.countSubset(ctx, tx, f, 1); err != nil {
			return err
		}
	}
	if err := t.restored.settle(ctx, tx, t); err != nil {
		return err
	}
	for _, f := range t.deleted {
		if f.ahead.subtract(t) {
			continue
		}
		if err := t.countSubset(ctx, tx, f, -1); err != nil {
			return err
		}
	}
	if t.CountLanguages {
		if err := t.countLanguages(ctx, tx, t.trees, t.messages, 1); err != nil {
			return err
		}
	}
	t.Write(batch, now, t.UsedRule || len(t.known)+len(t.subsets)+len(t.deleted)+len(t.counted) > 0)
	return nil
}
