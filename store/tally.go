package store

import (
	"context"
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

// How long hours and days are kept: the frames day and month read the last 24
// hours and the last 30 days. The rest is in the sum of all.
const (
	hoursKept = 48 * time.Hour
	daysKept  = 40 * 24 * time.Hour
)

// tally is what was counted of a user in a span of time.
type tally = scoring.Tally

// columns are the columns of user_signals that hold counts.
var columns = scoring.Columns

// targets gives what a row of counts is scanned into, after its groups.
func targets(t *tally, groups ...any) []any {
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

// undated is when signals without a date happened.
var undated = pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}

// slots are the rows that a count of one hour adds to.
func (s slot) slots(now time.Time) []slot {
	all := []slot{{s.user, inAll, undated}}
	if s.at.InfinityModifier != pgtype.Finite {
		return all
	}
	if s.at.Time.After(now.Add(-daysKept)) {
		day := pgtype.Timestamptz{Time: s.at.Time.UTC().Truncate(24 * time.Hour), Valid: true}
		all = append(all, slot{s.user, byDay, day})
	}
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
	facets          []counting
	// counted is the difference by author and hour, as far as it was counted:
	// of watched messages less what they were, of others what Go counted.
	counted map[slot]*tally
	// languages has the counts of messages by language follow too: only an
	// import makes messages or learns their language.
	languages bool
	spoken    map[tongue]int64 // before, as negative numbers
	// people are users of whom something else changed that boards show.
	people map[uuid.UUID]bool
	// otherFormula says that another formula is put in force.
	otherFormula bool

	live *live
	// toxicFrom is what the counters are counted with; see live.toxicFrom.
	toxicFrom float64
}

// tallying begins to keep the counters true in a transaction. Its caller calls
// finish once the transaction has ended, however it did.
func (s *Store) tallying(ctx context.Context, c conn) (*tallying, error) {
	toxicFrom, err := s.live.toxicFrom(ctx, c)
	return &tallying{live: s.live, toxicFrom: toxicFrom, people: map[uuid.UUID]bool{}, counted: map[slot]*tally{}, known: map[uuid.UUID]bool{},
		spoken: map[tongue]int64{}}, err
}

// finish has the boards of this process look at who changed.
func (t *tallying) finish() {
	if t == nil {
		return
	}
	t.live.mark(t.people)
	if t.otherFormula {
		t.live.forgetFormula()
		t.live.forgetToxicFrom()
	}
}

// change notes that boards show something else of users now.
func (t *tallying) change(users ...uuid.UUID) {
	for _, user := range users {
		t.people[user] = true
	}
}

// tongue is a row of user_languages.
type tongue struct {
	user uuid.UUID
	lang string
}

// touched counts for messages given by their keys as two arrays, $2 and $3.
const touched = "unnest($2::uuid[], $3::uuid[]) AS touched(tree_id, message_id) JOIN messages m ON m.tree_id = touched.tree_id AND m.message_id = touched.message_id"

var touchedSQL = countSQL(touched, "", hourly...)

// watch counts all that messages contribute before they change. It is called once
// the trees of the messages are locked; a query names them (tree_id, message_id).
func (t *tallying) watch(ctx context.Context, c conn, query string, args ...any) error {
	if len(t.facets) > 0 {
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
	t.take(trees, messages)
	if t.languages {
		if err := t.speak(ctx, c, trees, messages, -1); err != nil {
			return err
		}
	}
	return t.contributions(ctx, c, trees, messages, -1)
}

// take adds messages to those that are counted at the end.
func (t *tallying) take(trees, messages []uuid.UUID) {
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

// contributions adds, times a sign, what messages contribute.
func (t *tallying) contributions(ctx context.Context, c conn, trees, messages []uuid.UUID, sign int64) error {
	if len(messages) == 0 {
		return nil
	}
	return t.gather(ctx, c, func(hour, sum *tally) { hour.Add(sum, sign) }, touchedSQL, t.toxicFrom, idArray(trees), idArray(messages))
}

// gather runs a query that counts by author and hour, and has each count added
// to its hour.
func (t *tallying) gather(ctx context.Context, c conn, add func(hour, sum *tally), sql string, args ...any) error {
	rows, err := c.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	var at slot
	var sum tally
	_, err = pgx.ForEachRow(rows, targets(&sum, &at.user, &at.at), func() error {
		add(t.hour(at.user, at.at), &sum)
		return nil
	})
	return err
}

// hour is what was counted of an author in the hour of a time.
func (t *tallying) hour(author uuid.UUID, at pgtype.Timestamptz) *tally {
	key := slot{author, byHour, pgtype.Timestamptz{InfinityModifier: at.InfinityModifier, Valid: true}}
	if at.InfinityModifier == pgtype.Finite {
		key.at.Time = at.Time.UTC().Truncate(time.Hour)
	}
	sum := t.counted[key]
	if sum == nil {
		sum = new(tally)
		t.counted[key] = sum
	}
	return sum
}

// settle counts the watched messages again, and writes what the counters then
// lack and whose they are.
func (t *tallying) settle(ctx context.Context, tx pgx.Tx, now time.Time) error {
	if err := t.contributions(ctx, tx, t.trees, t.messages, 1); err != nil {
		return err
	}
	for _, f := range t.facets {
		if err := t.countFacet(ctx, tx, f, 1); err != nil {
			return err
		}
	}
	if t.languages {
		if err := t.speak(ctx, tx, t.trees, t.messages, 1); err != nil {
			return err
		}
	}
	batch := &pgx.Batch{}
	if t.write(batch, now, len(t.known)+len(t.facets)+len(t.counted) > 0); batch.Len() == 0 {
		return nil
	}
	return tx.SendBatch(ctx, batch).Close()
}
