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

// How long hours and days are kept: the frames day and month read the last 24
// hours and the last 30 days. The rest is in the sum of all.
const (
	HoursKept = 48 * time.Hour
	daysKept  = 40 * 24 * time.Hour
)

// Targets gives what a row of counts is scanned into, after its groups.
func Targets(t *scoring.Counters, groups ...any) []any {
	for i := range t {
		groups = append(groups, &t[i])
	}
	return groups
}

// slot is a row of user_signals. What is counted is one for an author and an
// hour; slots of all grains are made of it when it is added.
type slot struct {
	user  uuid.UUID
	grain int16
	at    pgtype.Timestamptz
}

// slots are the rows that a count of one hour adds to.
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

// An Update keeps user_signals true through a transaction. What the messages
// that are about to change contribute is counted before and after, and the
// difference is added: whatever changed, by whatever path, the counters
// follow, and their rows are written once, in order, so that two
// transactions never wait for each other in a circle.
type Update struct {
	trees, messages []uuid.UUID
	known           map[uuid.UUID]bool
	subsets         []watchedSubset
	// counted is the difference by author and hour, as far as it was counted:
	// of watched messages less what they were, of others what Go counted.
	counted map[slot]*scoring.Counters
	// CountLanguages has the counts of messages by language follow too: only an
	// import makes messages or learns their language.
	CountLanguages bool
	languageCounts map[userLanguage]int64 // before, as negative numbers
	// Changed is what boards show otherwise once the transaction is committed.
	Changed Changed

	threshold *Threshold
	// ToxicFrom is what the counters are counted with.
	ToxicFrom float64
}

// Begin begins to keep the counters true in a transaction. Whoever runs it
// publishes what changed.
func Begin(ctx context.Context, c db.Conn, threshold *Threshold) (*Update, error) {
	toxicFrom, err := threshold.Read(ctx, c)
	return &Update{
		threshold: threshold, ToxicFrom: toxicFrom, counted: map[slot]*scoring.Counters{}, known: map[uuid.UUID]bool{},
		languageCounts: map[userLanguage]int64{},
	}, err
}

// AddMessages counts messages of a user in a language; n below 0 takes them away.
func (t *Update) AddMessages(user uuid.UUID, lang string, n int64) {
	t.languageCounts[userLanguage{user, lang}] += n
}

// userLanguage is a row of user_languages.
type userLanguage struct {
	user uuid.UUID
	lang string
}

// touched counts for messages given by their keys as two arrays, $2 and $3.
const touched = "unnest($2::uuid[], $3::uuid[]) AS touched(tree_id, message_id) JOIN messages m ON m.tree_id = " +
	"touched.tree_id AND m.message_id = touched.message_id"

var touchedSQL = CountSQL(touched, "", hourly...)

// Watch counts all that messages contribute before they change. It is called once
// the trees of the messages are locked; a query names them (tree_id, message_id).
func (t *Update) Watch(ctx context.Context, c db.Conn, query string, args ...any) error {
	if len(t.subsets) > 0 {
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

// CountAtEnd adds messages to those that are counted at the end.
func (t *Update) CountAtEnd(trees, messages []uuid.UUID) {
	for _, message := range messages {
		t.known[message] = true
	}
	t.trees, t.messages = append(t.trees, trees...), append(t.messages, messages...)
}

// countLanguages counts messages by author and language.
func (t *Update) countLanguages(ctx context.Context, c db.Conn, trees, messages []uuid.UUID, sign int64) error {
	rows, err := c.Query(ctx, `SELECT m.user_id, m.lang, count(*) FROM unnest($1::uuid[], $2::uuid[]) AS touched(tree_id,
		message_id)
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

// countMessages adds, times a sign, what messages contribute.
func (t *Update) countMessages(ctx context.Context, c db.Conn, trees, messages []uuid.UUID, sign int64) error {
	if len(messages) == 0 {
		return nil
	}
	return t.countBy(ctx, c, func(hour, sum *scoring.Counters) { hour.Add(sum, sign) }, touchedSQL, t.ToxicFrom,
		db.IDArray(trees), db.IDArray(messages))
}

// gather runs a query that counts by author and hour, and has each count added
// to its hour.
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

// Hour is what was counted of an author in the hour of a time.
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

// Settle counts the watched messages again, and adds to a batch the statements
// that write what the counters then lack.
func (t *Update) Settle(ctx context.Context, tx db.Conn, batch *pgx.Batch, now time.Time) error {
	if err := t.countMessages(ctx, tx, t.trees, t.messages, 1); err != nil {
		return err
	}
	for _, f := range t.subsets {
		if err := t.countSubset(ctx, tx, f, 1); err != nil {
			return err
		}
	}
	if t.CountLanguages {
		if err := t.countLanguages(ctx, tx, t.trees, t.messages, 1); err != nil {
			return err
		}
	}
	t.Write(batch, now, len(t.known)+len(t.subsets)+len(t.counted) > 0)
	return nil
}
