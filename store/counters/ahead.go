package counters

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/scoring"
	"treewarden/store/db"
)

// manyMessages is the number of messages from which a change is counted on a second
// connection, if that can be, and sorted in memory. Acts on as many are jobs.
const manyMessages = 500

// presentSubset is deletionSubset of messages as they are when none is deleted.
var presentSubset = deletionSubsetOf("false AS deleted, NULL::timestamptz AS deleted_at, NULL::uuid AS deleted_root")

// ahead is a count of many messages that are present, on a second connection, while the
// transaction deletes them. What they contribute then depends neither on the
// transaction nor on others, which wait for the locks of the trees.
type ahead struct {
	counts chan *Update // gets one: nil if there is no count
}

// WatchRestored is WatchDeletion for a change that restores all messages, unless the query
// staying, with the same args, returns true: some of them stay deleted. n is about their
// number.
//
// It reads and counts many messages on another connection of pool, which sees them as they
// were while the transaction changes them. Close ends that if the transaction fails.
func (t *Update) WatchRestored(
	ctx context.Context, c db.Conn, pool *pgxpool.Pool, now time.Time, n int64, query, staying string, args ...any,
) error {
	if n >= manyMessages && len(t.known) == 0 {
		if second := acquire(ctx, pool); second != nil {
			t.restored = t.watchAhead(ctx, second, now, query, staying, args)
			return db.SortInMemory(ctx, c)
		}
	}
	return t.WatchDeletion(ctx, c, now, query, args...)
}

// NoneStay reports whether the query staying of WatchRestored is known to have returned
// false. It waits for its answer.
func (t *Update) NoneStay() bool {
	if t.restored == nil {
		return false
	}
	if none, open := <-t.restored.none; open {
		t.restored.isNone = none
	}
	return t.restored.isNone
}

// restored is what WatchRestored reads and counts on a second connection.
type restored struct {
	watched chan watchedAhead // gets one
	none    chan bool         // gets true if the query staying has returned false
	isNone  bool              // what none got
}

// watchedAhead is the result of watchAhead.
type watchedAhead struct {
	before *Update // as WatchDeletion leaves it: the former counts and the subset to count again
	after  *Update // the counts of the subset at the end; nil if they are to be made then
	err    error   // the former counts are not known
}

// watchAhead begins to watch messages on a connection, and to count them unless the query
// staying returns true. It releases the connection.
func (t *Update) watchAhead(
	ctx context.Context, c *pgxpool.Conn, now time.Time, query, staying string, args []any,
) *restored {
	r := &restored{watched: make(chan watchedAhead, 1), none: make(chan bool, 1)}
	ctx, stop := context.WithCancel(ctx)
	t.stops = append(t.stops, stop)
	before := newUpdate()
	before.Rule = t.Rule
	go func() {
		defer c.Release()
		defer close(r.none)
		w := watchedAhead{before: before, err: before.WatchDeletion(ctx, c, now, query, args...)}
		if w.err == nil && len(before.subsets) > 0 {
			w.after = countRestored(ctx, c, before.subsets[0], staying, args, r.none)
		}
		r.watched <- w
	}()
	return r
}

// countRestored returns the counts of messages as they are when all are restored. It
// returns nil if the query staying returns true, or if it fails: then the transaction counts.
func countRestored(
	ctx context.Context, c db.Conn, of watchedSubset, staying string, args []any, none chan<- bool,
) *Update {
	var stay bool
	if err := c.QueryRow(ctx, staying, args...).Scan(&stay); err != nil || stay {
		return nil
	}
	none <- true
	return countPresent(ctx, c, of)
}

// settle adds the counts to those of a transaction, c.
func (r *restored) settle(ctx context.Context, c db.Conn, t *Update) error {
	if r == nil {
		return nil
	}
	w := <-r.watched
	if w.err != nil {
		return w.err
	}
	t.addCounts(w.before, 1)
	t.subsets = append(t.subsets, w.before.subsets...)
	if w.after != nil {
		t.addCounts(w.after, 1)
		return nil
	}
	for _, of := range w.before.subsets {
		if err := t.countSubset(ctx, c, of, 1); err != nil {
			return err
		}
	}
	return nil
}

// countAhead begins to count messages as they are when none is deleted.
func (t *Update) countAhead(ctx context.Context, pool *pgxpool.Pool, of watchedSubset) *ahead {
	c := acquire(ctx, pool)
	if c == nil {
		return nil
	}
	a := &ahead{counts: make(chan *Update, 1)}
	ctx, stop := context.WithCancel(ctx)
	t.stops = append(t.stops, stop)
	go func() {
		defer c.Release()
		a.counts <- countPresent(ctx, c, of)
	}()
	return a
}

// acquire returns a connection of pool, or nil if none is free within 100 ms.
func acquire(ctx context.Context, pool *pgxpool.Pool) *pgxpool.Conn {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	c, err := pool.Acquire(ctx)
	if err != nil {
		return nil
	}
	return c
}

// countPresent returns the counts of messages as they are when none is deleted, or nil if
// it fails.
func countPresent(ctx context.Context, c db.Conn, of watchedSubset) *Update {
	counted := newUpdate()
	if err := counted.countSubset(ctx, c, watchedSubset{Subset: presentSubset, args: of.args}, 1); err != nil {
		return nil
	}
	return counted
}

// subtract subtracts the counts from those of a transaction. It reports whether there are
// any.
func (a *ahead) subtract(t *Update) bool {
	if a == nil {
		return false
	}
	counted := <-a.counts
	if counted == nil {
		return false
	}
	t.addCounts(counted, -1)
	return true
}

// addCounts adds the counts of another update, which is not used any more, times a sign.
func (t *Update) addCounts(other *Update, sign int64) {
	for at, sum := range other.counted {
		switch mine := t.counted[at]; {
		case mine != nil:
			mine.Add(sum, sign)
		case sign == 1:
			t.counted[at] = sum
		default:
			t.counted[at] = new(scoring.Counters)
			t.counted[at].Add(sum, sign)
		}
	}
}

// Close ends what still runs for the transaction, after its end.
func (t *Update) Close() {
	for _, stop := range t.stops {
		stop()
	}
}
