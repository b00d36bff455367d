package store

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"treewarden/scoring"
)

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
	return toxic.branch(columns, `(SELECT DISTINCT tree_id, message_id FROM classifier_outputs WHERE toxicity >= $2::float8) f
		JOIN messages m ON m.tree_id = f.tree_id AND m.message_id = f.message_id`, "", hourly)
}()

// rethreshold has the counters count messages as toxic from another threshold
// on. Who changes counters meanwhile waits, and begins again.
func (t *tallying) rethreshold(ctx context.Context, tx pgx.Tx, from float64) error {
	if _, err := tx.Exec(ctx, lockCounters); err != nil {
		return err
	}
	var before float64 // which may be another than this process remembers
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
		add := func(hour, sum *tally) { hour.Add(sum, count.sign) }
		if err := t.gather(ctx, tx, add, toxicSQL, count.from, min(from, before)); err != nil {
			return err
		}
	}
	t.toxicFrom = from
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
