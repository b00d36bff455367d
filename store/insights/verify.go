package insights

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"treewarden/scoring"
	"treewarden/store/db"
	"treewarden/store/figures"
	"treewarden/store/tables"
)

// Check is what came of counting the figures by another method.
type Check struct {
	AsOf time.Time // of the figures; zero: they were never counted
	// Rows is the number of rows that were compared.
	Rows int64
	// Changed reports whether something that is counted was written since: then the
	// figures may differ from the database although nothing is wrong.
	Changed bool
	// Found are the first 100 rows that differ, one sentence each.
	Found []string
}

// maxFound is the number of differences that are named.
const maxFound = 100

// almost is how far two sums may differ, as a share, because they were added up in
// another order.
const almost = "1e-9"

// again counts the rows of each table by SQL alone, independently of what count does. $1
// to $3 are the starts of the time frames.
var again = func() map[string]string {
	frames, reached := make([]string, len(scoring.Windows)), 0
	for i, frame := range scoring.Windows {
		since := "'-infinity'::timestamptz"
		if frame != scoring.Total {
			reached++
			since = fmt.Sprintf("$%d::timestamptz", reached)
		}
		frames[i] = fmt.Sprintf("('%s', %s)", frame, since)
	}
	const values = "count(*) AS messages, sum(n.x) AS sum, sum(n.x * n.x) AS squares"
	// The values of an array with their names.
	const each = `CROSS JOIN LATERAL unnest(c.outputs, o.scores) n(output, x)
		WHERE n.output IS NOT NULL AND n.x IS NOT NULL AND n.x NOT IN ('NaN', 'Infinity', '-Infinity')`
	written := fmt.Sprintf(`SELECT r.role, f.frame, m.user_id, count(*) AS messages
		FROM messages m JOIN (VALUES %s) f(frame, since) ON m.created_date >= f.since
		CROSS JOIN LATERAL (VALUES ('%s'), (m.role)) r(role) WHERE m.user_id IS NOT NULL GROUP BY 1, 2, 3`,
		strings.Join(frames, ", "), AnyRole)
	return map[string]string{
		"insight_collection": collectionAgain(strings.Join(frames, ", ")),
		"insight_raters":     ratersAgain,
		"action_counts":      figures.ActionCountsSQL,
		"insight_ranges":     rangesAgain,
		"insight_agreement":  agreementAgain,
		"insight_outputs": `SELECT o.model_id, n.output, ` + LangSQL + ` AS lang, m.deleted,
			CASE WHEN m.review_result THEN 'accepted' WHEN NOT m.review_result THEN 'rejected' ELSE 'pending' END AS review,
			` + values + ` FROM messages m JOIN classifier_outputs o USING (tree_id, message_id)
			JOIN classifier_models c USING (model_id) ` + each + " GROUP BY 1, 2, 3, 4, 5",
		"insight_lists": `SELECT i.list_id, o.model_id, n.output, ` + values + ` FROM list_items i
			JOIN classifier_outputs o ON o.message_id = i.message_id
			JOIN classifier_models c USING (model_id) ` + each + " GROUP BY 1, 2, 3",
		"insight_pairs": `SELECT o.model_id, n.output, l.label, m.deleted, count(*) AS messages, sum(n.x) AS x, sum(l.y) AS y,
			sum(n.x * n.x) AS xx, sum(l.y * l.y) AS yy, sum(n.x * l.y) AS xy
			FROM (SELECT tree_id, message_id, ` + tables.EachLabel(
			"sum(%[1]s_sum) / nullif(sum(%[1]s_n), 0) AS %[1]s, max(%[1]s_mean) AS %[1]s_mean", ", ") + `
				FROM (SELECT tree_id, message_id, ` + tables.EachLabel(`%[1]s * %[1]s_count AS %[1]s_sum,
					%[1]s_count AS %[1]s_n, CASE WHEN %[1]s_count IS NOT NULL THEN %[1]s END AS %[1]s_mean`, ", ") + `
						FROM label_aggregates
					UNION ALL SELECT tree_id, message_id, ` + tables.EachLabel("%[1]s, (%[1]s IS NOT NULL)::int, NULL", ", ") + `
						FROM label_votes) a GROUP BY tree_id, message_id) g
			JOIN messages m USING (tree_id, message_id) JOIN classifier_outputs o USING (tree_id, message_id)
			JOIN classifier_models c USING (model_id)
			CROSS JOIN LATERAL (VALUES ` + tables.EachLabel("('%[1]s', coalesce(g.%[1]s, g.%[1]s_mean))", ", ") + `) l(label, y)
			` + each + " AND l.y IS NOT NULL GROUP BY 1, 2, 3, 4",
		"insight_writers": written,
	}
}()

// Verify counts everything by another method, and compares that with the figures.
func (a Access) Verify(ctx context.Context) (Check, error) {
	var check Check
	changes, _, err := a.changes(ctx)
	if err != nil {
		return check, db.Translate(err)
	}
	err = a.inLongSnapshot(ctx, pgx.ReadOnly, func(tx pgx.Tx) error {
		s, err := readState(ctx, tx)
		if err != nil {
			return err
		}
		check = Check{AsOf: s.AsOf, Changed: s.changes != changes}
		// The planner expects few rows, and would sort all values instead of hashing them.
		if _, err := tx.Exec(ctx, "SET LOCAL enable_sort = off"); err != nil {
			return err
		}
		for _, t := range append((&part{}).tables(), rangesTable, actionCounts) {
			if err := check.compare(ctx, tx, t); err != nil {
				return fmt.Errorf("count %s: %w", t.name, err)
			}
		}
		return nil
	})
	return check, db.Translate(err)
}

// actionCounts are counted as actions happen, so that they are right at any time.
var actionCounts = table{name: "action_counts", keys: []string{"step", "start", "actor", "kind"},
	values: []string{"actions", "undone"}}

// compare compares a table with what it should hold.
func (c *Check) compare(ctx context.Context, tx pgx.Tx, t table) error {
	sql := again[t.name]
	var args []any
	if strings.Contains(sql, "$1") {
		args = frameStarts(c.AsOf)
	}
	differ, said := make([]string, len(t.values)), make([]string, len(t.values))
	for i, v := range t.values {
		differ[i] = fmt.Sprintf("abs(k.%[1]s - n.%[1]s) > "+almost+" * (1 + abs(n.%[1]s))", v)
		said[i] = fmt.Sprintf("'%[1]s ' || coalesce(k.%[1]s::text, 'none') || "+
			"', counted ' || coalesce(n.%[1]s::text, 'none')", v)
	}
	from, by := t.name, slices.Concat(t.keys, t.compareKeys)
	if t.compare != "" {
		from = t.compare
	}
	keys := make([]string, len(by))
	for i, key := range by {
		keys[i] = key + "::text"
	}
	rows, err := tx.Query(ctx, `SELECT count(*) OVER (), '`+t.name+` ' || concat_ws(' ', `+
		strings.Join(keys, ", ")+`) || ': ' ||
			`+strings.Join(said, " || '; ' || ")+`,
			k.`+t.values[0]+` IS NULL OR n.`+t.values[0]+` IS NULL OR `+strings.Join(differ, " OR ")+` AS wrong
		FROM `+from+` k FULL JOIN (`+sql+`) n USING (`+strings.Join(by, ", ")+`)
		ORDER BY wrong DESC, 2 LIMIT `+fmt.Sprint(maxFound), args...)
	if err != nil {
		return err
	}
	var all int64
	var text string
	var wrong bool
	_, err = pgx.ForEachRow(rows, []any{&all, &text, &wrong}, func() error {
		if wrong && len(c.Found) < maxFound {
			c.Found = slices.Concat(c.Found, []string{text})
		}
		return nil
	})
	c.Rows += all
	return err
}
