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
// transaction deletes or restores them. What they contribute then depends neither on the
// transaction nor on others, which wait for the locks of the trees.
type ahead struct {
	counts chan *Update // gets one: nil if there is no count
	none   chan bool    // of a restoration: gets true if the query staying has returned false
	isNone bool         // what none got
}

// WatchRestored is WatchDeletion for a change that restores all messages, unless the query
// staying, with the same args, returns true: some of them stay deleted.
//
// It counts what many messages will contribute on another connection of pool. Close ends
// the count if the transaction fails.
func (t *Update) WatchRestored(
	ctx context.Context, c db.Conn, pool *pgxpool.Pool, now time.Time, query, staying string, args ...any,
) error {
	before := len(t.subsets)
	if err := t.WatchDeletion(ctx, c, now, query, args...); err != nil {
		return err
	}
	if len(t.subsets) == before || t.subsets[before].messages < manyMessages {
		return nil
	}
	t.subsets[before].ahead = t.countAhead(ctx, pool, t.subsets[before], staying, args)
	t.restored = t.subsets[before].ahead
	return db.SortInMemory(ctx, c)
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

// countAhead begins to count messages, unless the query staying returns true. An empty
// query is none.
func (t *Update) countAhead(
	ctx context.Context, pool *pgxpool.Pool, of watchedSubset, staying string, args []any,
) *ahead {
	a := &ahead{counts: make(chan *Update, 1), none: make(chan bool, 1)}
	ctx, stop := context.WithCancel(ctx)
	t.stops = append(t.stops, stop)
	go func() {
		defer close(a.none)
		a.counts <- countPresent(ctx, pool, of, staying, args, a.none)
	}()
	return a
}

// countPresent returns the counts of messages as they are when none is deleted. It
// returns nil if some stay deleted, or if there is no connection for it: then the
// transaction counts.
func countPresent(
	ctx context.Context, pool *pgxpool.Pool, of watchedSubset, staying string, args []any, none chan<- bool,
) *Update {
	limited, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	c, err := pool.Acquire(limited)
	if err != nil {
		return nil
	}
	defer c.Release()
	if staying != "" {
		var stay bool
		if err := c.QueryRow(ctx, staying, args...).Scan(&stay); err != nil || stay {
			return nil
		}
		none <- true
	}
	counted := newUpdate()
	if err := counted.countSubset(ctx, c, watchedSubset{Subset: presentSubset, args: of.args}, 1); err != nil {
		return nil
	}
	return counted
}

// add adds the counts to those of a transaction, times a sign. It reports whether there
// are any.
func (a *ahead) add(t *Update, sign int64) bool {
	if a == nil {
		return false
	}
	counted := <-a.counts
	if counted == nil {
		return false
	}
	for at, sum := range counted.counted {
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
	return true
}

// Close ends what still runs for the transaction, after its end.
func (t *Update) Close() {
	for _, stop := range t.stops {
		stop()
	}
}
