package insights

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
)

// errOtherVersion says that a part was stored by another version of the program.
var errOtherVersion = errors.New("parts of the figures are of another version of the program")

// partsAtOnce is the number of parts that one call of Update counts, and usersAtOnce that
// of users, so that it takes about a second in a large collection.
const (
	partsAtOnce = 4
	usersAtOnce = 250
)

// changedPartsSQL reads the first $1 parts with changes, each with the last tree of the
// part before it.
const changedPartsSQL = `SELECT coalesce((SELECT b.last FROM insight_parts b WHERE b.last < p.last
			ORDER BY b.last DESC LIMIT 1), '00000000-0000-0000-0000-000000000000') AS after, p.last, p.figures
	FROM insight_parts p
	WHERE p.last IN (SELECT (SELECT q.last FROM insight_parts q WHERE q.last >= c.tree_id ORDER BY q.last LIMIT 1)
		FROM (SELECT DISTINCT tree_id FROM (SELECT tree_id FROM insight_changes LIMIT 20000) n) c)
	ORDER BY p.last LIMIT $1`

// Update counts the parts with changes again, and changes the figures by the difference.
// It reports whether there may be more. It does nothing if the figures were never counted
// or another process counts.
func (a Access) Update(ctx context.Context) (more bool, err error) {
	err = db.Retry(ctx, func() error {
		more = false
		return a.inLongSnapshot(ctx, pgx.ReadWrite, func(tx pgx.Tx) error {
			began, now := time.Now(), a.Now().UTC()
			var free bool
			if err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1)", lock).Scan(&free); err != nil || !free {
				return err
			}
			s, err := readState(ctx, tx)
			if err != nil || s.AsOf.IsZero() {
				return err
			}
			starts := frameStarts(s.AsOf)
			parts, err := a.updateParts(ctx, tx, starts)
			if err != nil {
				return err
			}
			users, err := updateUsers(ctx, tx, starts)
			if err != nil || parts+users == 0 {
				return err
			}
			more = parts == partsAtOnce || users == usersAtOnce
			_, err = tx.Exec(ctx, "UPDATE insight_state SET updated_at = $1, update_seconds = $2",
				now, time.Since(began).Seconds())
			return err
		})
	})
	if errors.Is(err, errOtherVersion) {
		return false, err
	}
	return more, db.Translate(err)
}

// updateParts counts the first parts with changes again, and returns their number.
func (a Access) updateParts(ctx context.Context, tx pgx.Tx, starts []any) (int, error) {
	type changed struct {
		After, Last uuid.UUID
		Figures     []byte
	}
	all, err := db.Collect[changed](ctx, tx, changedPartsSQL, partsAtOnce)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	// A part that has grown to twice the usual size becomes two.
	var size int
	if err := tx.QueryRow(ctx, "SELECT 2 * greatest($1, avg(trees)::int) FROM insight_parts", cmp.Or(a.Part, SmallPart)).
		Scan(&size); err != nil {
		return 0, err
	}
	difference := newPart()
	var counted []keptPart
	afters, lasts := make([]uuid.UUID, len(all)), make([]uuid.UUID, len(all))
	for i, c := range all {
		afters[i], lasts[i] = c.After, c.Last
		before, err := decode(c.Figures)
		if err != nil {
			return 0, fmt.Errorf("%w: %w", errOtherVersion, err)
		}
		difference.add(before, -1)
		if err := eachPart(ctx, tx, c.After, c.Last, size, starts, func(p *part, k keptPart) {
			difference.add(p, 1)
			counted = append(counted, k)
		}); err != nil {
			return 0, err
		}
	}
	// A message may have got another author: the former one has fewer messages now.
	var writers []uuid.UUID
	for k, n := range difference.Writers {
		if n != (perWindow{}) {
			writers = append(writers, k.User)
		}
	}
	if _, err := tx.Exec(ctx, "INSERT INTO insight_changed_users SELECT unnest($1::uuid[])",
		db.IDArray(writers)); err != nil {
		return 0, err
	}
	for _, sql := range []string{
		`INSERT INTO insight_changed_users
			SELECT DISTINCT m.user_id FROM messages m WHERE m.user_id IS NOT NULL AND m.tree_id = ANY (ARRAY(
				SELECT DISTINCT c.tree_id FROM insight_changes c JOIN unnest($1::uuid[], $2::uuid[]) p(after, last)
					ON c.tree_id > p.after AND c.tree_id <= p.last))`,
		`DELETE FROM insight_changes c USING unnest($1::uuid[], $2::uuid[]) p(after, last)
			WHERE c.tree_id > p.after AND c.tree_id <= p.last`,
		"DELETE FROM insight_parts p USING unnest($1::uuid[], $2::uuid[]) c(after, last) WHERE p.last = c.last",
	} {
		if _, err := tx.Exec(ctx, sql, db.IDArray(afters), db.IDArray(lasts)); err != nil {
			return 0, err
		}
	}
	if err := difference.apply(ctx, tx); err != nil {
		return 0, fmt.Errorf("change the figures: %w", err)
	}
	return len(all), writeParts(ctx, tx, counted)
}

// updateUsers reads the groups of some of the changed users again, and returns how many
// rows of insight_changed_users there were.
func updateUsers(ctx context.Context, tx pgx.Tx, starts []any) (int, error) {
	rows, err := tx.Query(ctx, `DELETE FROM insight_changed_users WHERE ctid = ANY (ARRAY(
		SELECT ctid FROM insight_changed_users LIMIT $1)) RETURNING user_id`, usersAtOnce)
	if err != nil {
		return 0, err
	}
	changed, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil || len(changed) == 0 {
		return 0, err
	}
	users, difference := db.IDArray(changed), newPart()
	const of = " WHERE user_id = ANY ($1)"
	if err := difference.countUsers(ctx, tx, -1, of, users); err != nil {
		return 0, err
	}
	for _, step := range []struct {
		sql  string
		args []any
	}{
		{"DELETE FROM insight_user_groups" + of, []any{users}},
		// Few messages: without loops the server would read all trees.
		{"SET LOCAL enable_nestloop = on", nil},
		{userGroups(" AND m.user_id = ANY ($4)"), append(slices.Clone(starts), users)},
		{"SET LOCAL enable_nestloop = off", nil},
	} {
		if _, err := tx.Exec(ctx, step.sql, step.args...); err != nil {
			return 0, fmt.Errorf("read the groups of users: %w", err)
		}
	}
	if err := difference.countUsers(ctx, tx, 1, of, users); err != nil {
		return 0, err
	}
	return len(changed), difference.apply(ctx, tx)
}

// apply adds a difference to the figures.
func (p *part) apply(ctx context.Context, tx pgx.Tx) error {
	batch := new(pgx.Batch)
	for _, t := range p.tables() {
		add, remove := t.addSQL()
		for _, row := range t.rows {
			values := row[len(t.keys):]
			if !slices.ContainsFunc(values, isSome) {
				continue
			}
			batch.Queue(add, row...)
			if slices.ContainsFunc(values, isLess) {
				batch.Queue(remove, row[:len(t.keys)]...)
			}
		}
	}
	return tx.SendBatch(ctx, batch).Close()
}

// addSQL returns the statements that add the values of a row to those of its keys, and that
// remove the row of its keys if it has no messages.
func (t table) addSQL() (add, remove string) {
	places, where := make([]string, len(t.keys)+len(t.values)), make([]string, len(t.keys))
	for i := range places {
		places[i] = "$" + strconv.Itoa(i+1)
	}
	for i, key := range t.keys {
		where[i] = key + " = " + places[i]
	}
	sums, empty := make([]string, len(t.values)), t.values[0]+" = 0"
	for i, v := range t.values {
		sums[i] = fmt.Sprintf("%[1]s = k.%[1]s + excluded.%[1]s", v)
	}
	if t.name == agreementName { // its values are arrays
		for i, v := range t.values {
			sums[i] = fmt.Sprintf(`%[1]s = (SELECT array_agg(a + b ORDER BY n)
				FROM unnest(k.%[1]s, excluded.%[1]s) WITH ORDINALITY u(a, b, n))`, v)
		}
		empty = "0 = ALL (positives) AND 0 = ALL (negatives)"
	}
	return fmt.Sprintf("INSERT INTO %s AS k (%s) VALUES (%s) ON CONFLICT (%s) DO UPDATE SET %s", t.name,
			strings.Join(append(slices.Clone(t.keys), t.values...), ", "), strings.Join(places, ", "),
			strings.Join(t.keys, ", "), strings.Join(sums, ", ")),
		fmt.Sprintf("DELETE FROM %s WHERE %s AND %s", t.name, strings.Join(where, " AND "), empty)
}

// isSome reports whether a difference is more than the rounding of sums in another order.
func isSome(v any) bool {
	const rounding = 1e-11
	switch v := v.(type) {
	case int64:
		return v != 0
	case float64:
		return math.Abs(v) > rounding
	case []int32:
		return slices.ContainsFunc(v, func(n int32) bool { return n != 0 })
	}
	return true
}

// isLess reports whether a difference takes messages away.
func isLess(v any) bool {
	switch v := v.(type) {
	case int64:
		return v < 0
	case []int32:
		return slices.ContainsFunc(v, func(n int32) bool { return n < 0 })
	}
	return false
}
