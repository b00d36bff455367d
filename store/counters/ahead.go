package counters

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/store/db"
)

// aheadFrom is the number of messages from which a change that restores them is counted
// on a second connection. Acts on as many are jobs.
const aheadFrom = 500

// restoredSubset is deletionSubset of messages as they are when none is deleted.
var restoredSubset = deletionSubsetOf("false AS deleted, NULL::timestamptz AS deleted_at, NULL::uuid AS deleted_root")

// WatchRestored is WatchDeletion for a change that restores all messages, unless the query
// staying, with the same args, returns true: some of them stay deleted.
//
// For many messages it counts what they will contribute on another connection of pool,
// while the transaction goes on. That depends neither on the transaction nor on others,
// which wait for the locks of the trees. Close ends the count if the transaction fails.
func (t *Update) WatchRestored(
	ctx context.Context, c db.Conn, pool *pgxpool.Pool, now time.Time, query, staying string, args ...any,
) error {
	before := len(t.subsets)
	if err := t.WatchDeletion(ctx, c, now, query, args...); err != nil {
		return err
	}
	if len(t.subsets) == before || t.subsets[before].messages < aheadFrom {
		return nil
	}
	ctx, t.stop = context.WithCancel(ctx)
	ahead, of := make(chan *Update, 1), t.subsets[before]
	go func() { ahead <- countRestored(ctx, pool, of, staying, args) }()
	t.subsets[before].ahead = ahead
	return nil
}

// countRestored returns the counts of messages as they are when none is deleted. It
// returns nil if some stay deleted, or if there is no connection for it: then they are
// counted after the change.
func countRestored(ctx context.Context, pool *pgxpool.Pool, of watchedSubset, staying string, args []any) *Update {
	limited, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	c, err := pool.Acquire(limited)
	if err != nil {
		return nil
	}
	defer c.Release()
	var stay bool
	if err := c.QueryRow(ctx, staying, args...).Scan(&stay); err != nil || stay {
		return nil
	}
	counted := newUpdate()
	if err := counted.countSubset(ctx, c, watchedSubset{Subset: restoredSubset, args: of.args}, 1); err != nil {
		return nil
	}
	return counted
}

// addAhead adds the counts of a subset that were made on another connection. It reports
// whether there are any.
func (t *Update) addAhead(of watchedSubset) bool {
	if of.ahead == nil {
		return false
	}
	counted := <-of.ahead
	if counted == nil {
		return false
	}
	for at, sum := range counted.counted {
		if mine := t.counted[at]; mine != nil {
			mine.Add(sum, 1)
		} else {
			t.counted[at] = sum
		}
	}
	return true
}

// Close ends what still runs for the transaction, after its end.
func (t *Update) Close() {
	if t.stop != nil {
		t.stop()
	}
}
