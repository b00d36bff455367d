package insights

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/scoring"
	"treewarden/store/db"
)

const (
	// rest is how many times as long as a count, of everything or of parts, it takes to the
	// next one, so that counting takes about a twentieth of the time of one connection.
	rest = 20
	// shortRest is rest for updates of parts while at most few trees and users wait for one,
	// such as after the actions of moderators.
	shortRest = 4
	few       = 1000
	// oldest is the age from which figures are counted again without a change: the time
	// frames of contributions move, and statistics may be switched off.
	oldest = time.Hour
)

// lock is the advisory lock of the process that counts.
const lock = 0x696e7369676874 // "insight"

// changesSQL counts the rows that were ever written to what the figures are about. The
// server counts them, some seconds late at most; it begins at 0 again after a crash.
const changesSQL = `SELECT coalesce(sum(pg_stat_get_tuples_inserted(c) + pg_stat_get_tuples_updated(c) +
	pg_stat_get_tuples_deleted(c)), 0)::bigint FROM unnest(ARRAY['messages', 'trees', 'classifier_outputs',
	'classifier_models', 'label_votes', 'label_aggregates', 'lists', 'list_items', 'cases']::regclass[]) t(c)`

// KeepUp brings the figures up to what has changed since. It is to be run every second or
// so: the parts of the collection that changed are counted again, and everything after a
// longer rest. Several processes may run it at once: one of them counts.
func (a Access) KeepUp(ctx context.Context) error {
	changes, s, err := a.changes(ctx)
	if err != nil {
		return db.Translate(err)
	}
	now := a.Now()
	age := now.Sub(s.AsOf)
	if s.AsOf.IsZero() || age < 0 || age >= rest*s.took && (changes != s.changes || age >= oldest) {
		return a.Count(ctx)
	}
	pause := rest * s.updateTook
	if s.noted <= few {
		pause = shortRest * s.updateTook
	}
	if since := now.Sub(s.updated); s.noted == 0 || since >= 0 && since < pause {
		return nil
	}
	_, err = a.Update(ctx)
	if errors.Is(err, errOtherVersion) {
		return a.Count(ctx)
	}
	return err
}

// changes returns the number of rows ever written, and the state of the figures.
func (a Access) changes(ctx context.Context) (changes int64, s State, err error) {
	if s, err = readState(ctx, a.Pool); err == nil {
		err = a.Pool.QueryRow(ctx, changesSQL).Scan(&changes)
	}
	return changes, s, err
}

// Count counts the figures, unless another process is about it.
func (a Access) Count(ctx context.Context) error {
	// A change that is counted here is committed before the snapshot is taken.
	changes, _, err := a.changes(ctx)
	if err != nil {
		return db.Translate(err)
	}
	return db.Translate(db.Retry(ctx, func() error {
		return a.inLongSnapshot(ctx, pgx.ReadWrite, func(tx pgx.Tx) error {
			var free bool
			if err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1)", lock).Scan(&free); err != nil || !free {
				return err
			}
			asOf, began := a.Now().UTC(), time.Now()
			w, err := a.count(ctx, tx, asOf)
			if err != nil {
				return err
			}
			// The transaction has no number until here, so that it holds nobody up.
			if err := w.write(ctx, tx); err != nil {
				return fmt.Errorf("write the figures: %w", err)
			}
			_, err = tx.Exec(ctx, `INSERT INTO insight_state (as_of, changes, seconds) VALUES ($1, $2, $3)
				ON CONFLICT (only_row) DO UPDATE SET as_of = $1, changes = $2, seconds = $3,
					updated_at = NULL, update_seconds = NULL`,
				asOf, changes, time.Since(began).Seconds())
			return err
		})
	}))
}

// inLongSnapshot runs do in one snapshot, however long it takes.
func (a Access) inLongSnapshot(ctx context.Context, mode pgx.TxAccessMode, do func(tx pgx.Tx) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: mode}
	return pgx.BeginTxFunc(ctx, a.Pool, options, func(tx pgx.Tx) error {
		for _, sql := range []string{
			"SET LOCAL statement_timeout = 0", "SET LOCAL idle_in_transaction_session_timeout = 0",
			// A plan for any range of trees would read whole tables for each of them.
			"SET LOCAL plan_cache_mode = 'force_custom_plan'", "SET LOCAL max_parallel_workers_per_gather = 0",
			// The planner expects one row of joins by two columns, and would read the votes
			// of all messages for each of them.
			"SET LOCAL enable_nestloop = off",
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return do(tx)
	})
}

// write replaces the figures and the parts. What changed until the snapshot is counted.
func (w *whole) write(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, "DELETE FROM insight_user_groups"); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, userGroups(""), w.starts...); err != nil {
		return fmt.Errorf("read the groups of users: %w", err)
	}
	if err := w.countUsers(ctx, tx, 1, ""); err != nil {
		return err
	}
	for _, t := range w.tables() {
		if _, err := tx.Exec(ctx, "DELETE FROM "+t.name); err != nil {
			return err
		}
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.name}, append(t.keys, t.values...),
			pgx.CopyFromRows(t.rows)); err != nil {
			return err
		}
	}
	for _, sql := range []string{
		"DELETE FROM insight_parts", "DELETE FROM insight_changes", "DELETE FROM insight_changed_users",
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return writeParts(ctx, tx, w.parts)
}

// table is what was counted as rows of a table.
type table struct {
	name         string
	keys, values []string
	rows         [][]any
	// compare is what the check compares instead of the rows; empty for the rows themselves.
	// compareKeys are the keys that it has besides.
	compare     string
	compareKeys []string
}

// tables returns the figures as rows, without the ranges of outputs.
func (p *part) tables() []table {
	outputs := table{name: "insight_outputs", keys: []string{"model_id", "output", "lang", "deleted", "review"},
		values: []string{"messages", "sum", "squares"}}
	for k, s := range p.Outputs {
		outputs.rows = append(outputs.rows, []any{k.Model, k.Output, k.Lang, k.Deleted, k.review(), s.N, s.Sum, s.Squares})
	}
	lists := table{name: "insight_lists", keys: []string{"list_id", "model_id", "output"}, values: outputs.values}
	for k, s := range p.Lists {
		lists.rows = append(lists.rows, []any{k.List, k.Model, k.Output, s.N, s.Sum, s.Squares})
	}
	pairs := table{name: "insight_pairs", keys: []string{"model_id", "output", "label", "deleted"},
		values: []string{"messages", "x", "y", "xx", "yy", "xy"}}
	for k, of := range p.Pairs {
		for label, s := range of {
			if s != (pair{}) {
				pairs.rows = append(pairs.rows, []any{k.Model, k.Output, scoring.LabelNames[label], k.Deleted,
					s.N, s.X, s.Y, s.XX, s.YY, s.XY})
			}
		}
	}
	writers := table{name: "insight_writers", keys: []string{"role", "frame", "user_id"}, values: []string{"messages"}}
	inAny := map[uuid.UUID]perWindow{}
	write := func(role string, user uuid.UUID, n perWindow) {
		for i, frame := range scoring.Windows {
			if n[i] != 0 {
				writers.rows = append(writers.rows, []any{role, string(frame), user, n[i]})
			}
		}
	}
	for k, n := range p.Writers {
		write(Roles[k.Role], k.User, n)
		all := inAny[k.User]
		for i := range all {
			all[i] += n[i]
		}
		inAny[k.User] = all
	}
	for user, n := range inAny {
		write(AnyRole, user, n)
	}
	return []table{outputs, lists, pairs, writers, collectionTable(p.Collection), p.ratersTable(), p.agreementTable()}
}
