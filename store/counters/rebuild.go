package counters

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/scoring"
	"treewarden/store/db"
)

// Forget removes the counters of hours and days that no window includes any more.
func Forget(ctx context.Context, c db.Conn, now time.Time) error {
	_, err := c.Exec(ctx, "DELETE FROM user_signals WHERE grain = $1 AND at < $2 OR grain = $3 AND at < $4",
		ByHour, now.Add(-HoursKept), ByDay, now.Add(-daysKept))
	return err
}

// toxicSQL counts messages with a toxicity of $1 or more, among those of $2 or more.
var toxicSQL = func() string {
	toxic := sources[ToxicMessage]
	return toxic.branch(scoring.Columns, `(SELECT DISTINCT tree_id, message_id FROM classifier_outputs
		WHERE toxicity >= $2::float8) f
		JOIN messages m ON m.tree_id = f.tree_id AND m.message_id = f.message_id`, "", hourly)
}()

// ChangeThreshold makes the counters count messages as toxic from another
// threshold on. Concurrent changes of counters wait and are retried.
func (t *Update) ChangeThreshold(ctx context.Context, tx db.Conn, from float64) error {
	if _, err := tx.Exec(ctx, lockCounters); err != nil {
		return err
	}
	var before float64 // may differ from the threshold in memory
	if err := tx.QueryRow(ctx, "SELECT toxic_from FROM counted_with").Scan(&before); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE counted_with SET toxic_from = $1", from); err != nil {
		return err
	}
	for _, count := range []struct {
		from float64
		sign int64
	}{{before, -1}, {from, 1}} {
		add := func(hour, sum *scoring.Counters) { hour.Add(sum, count.sign) }
		if err := t.countBy(ctx, tx, add, toxicSQL, count.from, min(from, before)); err != nil {
			return err
		}
	}
	t.ToxicFrom = from
	return nil
}

// RebuildIn recounts everything within a transaction and sets the threshold of
// toxicity. It uses the transaction's connection alone, because others do not see
// its writes.
func RebuildIn(ctx context.Context, tx pgx.Tx, now time.Time, toxicFrom float64) error {
	if _, err := tx.Exec(ctx, lockCounters); err != nil {
		return err
	}
	r, err := recountOn(ctx, []db.Conn{tx}, now, toxicFrom)
	if err != nil {
		return err
	}
	return storeRecount(ctx, tx, r)
}

// lockCounters blocks changes of the counters but not reads.
const lockCounters = "LOCK user_signals, user_languages IN EXCLUSIVE MODE"

// storeRecount stores the result of a recount.
func storeRecount(ctx context.Context, tx pgx.Tx, r *recount) error {
	if _, err := tx.Exec(ctx, "UPDATE counted_with SET toxic_from = $1 WHERE toxic_from <> $1", r.toxicFrom); err != nil {
		return err
	}
	return r.store(ctx, tx)
}

// Rebuild recounts every signal from the base tables and stores the result. It
// runs after in the same transaction.
func Rebuild(ctx context.Context, pool *pgxpool.Pool, now time.Time, after func(pgx.Tx) error) error {
	return db.InOneSnapshot(ctx, pool, lockCounters, func(tx pgx.Tx, conns []db.Conn) error {
		var toxicFrom float64
		if err := tx.QueryRow(ctx, "SELECT toxic_from FROM counted_with").Scan(&toxicFrom); err != nil {
			return err
		}
		r, err := recountOn(ctx, conns, now, toxicFrom)
		if err != nil {
			return err
		}
		if err := storeRecount(ctx, tx, r); err != nil {
			return err
		}
		return after(tx)
	})
}
