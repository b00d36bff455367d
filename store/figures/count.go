// Package figures keeps and reads the figures of the queue: decisions by hour,
// moderator, language and outcome, and how long cases waited for the first of them.
// They are counted in the transaction that decides or reopens cases.
package figures

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/db"
)

// Class is a class of times to the first decision: up to a limit, and longer than the
// limit of the class before it.
type Class struct {
	Column string        // in queue_hours
	Most   time.Duration // 0 for the last class, which has no limit
}

// Classes are the classes of times to the first decision, in order.
var Classes = [...]Class{
	{"waited_5m", 5 * time.Minute}, {"waited_15m", 15 * time.Minute}, {"waited_1h", time.Hour},
	{"waited_4h", 4 * time.Hour}, {"waited_12h", 12 * time.Hour}, {"waited_1d", 24 * time.Hour},
	{"waited_3d", 3 * 24 * time.Hour}, {"waited_7d", 7 * 24 * time.Hour}, {"waited_more", 0},
}

// waitColumns are the columns about waiting times, the sum of the seconds first.
var waitColumns = func() []string {
	columns := []string{"waited_seconds"}
	for _, w := range Classes {
		columns = append(columns, w.Column)
	}
	return columns
}()

// program is the moderator of what the program itself decides.
var program = "'" + uuid.Nil.String() + "'::uuid"

// CountSQL returns a statement that counts decisions. They are the rows of a relation
// with the columns lang and seconds, which is null if the case is not measured. The
// others are SQL: the time of the decisions, who decides, and the outcome.
func CountSQL(relation, at, by, outcome string) string {
	values := []string{"coalesce(sum(seconds), 0)"}
	above := "0 <= seconds"
	for _, w := range Classes {
		within := above
		if w.Most > 0 {
			limit := fmt.Sprintf("%d", int(w.Most.Seconds()))
			within += " AND seconds <= " + limit
			above = "seconds > " + limit
		}
		values = append(values, "count(*) FILTER (WHERE "+within+")")
	}
	add := []string{"decided = h.decided + excluded.decided"}
	for _, column := range waitColumns {
		add = append(add, fmt.Sprintf("%[1]s = h.%[1]s + excluded.%[1]s", column))
	}
	return fmt.Sprintf(`INSERT INTO queue_hours AS h (hour, moderator, lang, outcome, decided, %s)
		SELECT date_trunc('hour', %s, 'UTC'), coalesce(%s, %s), lang, %s, count(*), %s
		FROM %s GROUP BY lang ORDER BY lang
		ON CONFLICT (hour, moderator, lang, outcome) DO UPDATE SET %s`, strings.Join(waitColumns, ", "),
		at, by, program, outcome, strings.Join(values, ", "), relation, strings.Join(add, ", "))
}

// Key is the row of queue_hours of a decision.
type Key struct {
	At      time.Time
	By      uuid.UUID // Nil for the program itself
	Lang    string
	Outcome string
}

// CountUndone counts decisions as undone: how many of each row.
func CountUndone(ctx context.Context, c db.Conn, undone map[Key]int) error {
	inOrder := slices.SortedFunc(maps.Keys(undone), func(a, b Key) int { // so that two undos do not wait for each other
		return cmp.Or(a.At.Compare(b.At), bytes.Compare(a.By[:], b.By[:]), cmp.Compare(a.Lang, b.Lang),
			cmp.Compare(a.Outcome, b.Outcome))
	})
	for _, k := range inOrder {
		if _, err := c.Exec(ctx, `UPDATE queue_hours SET undone = undone + $5
			WHERE hour = date_trunc('hour', $1::timestamptz, 'UTC') AND moderator = $2 AND lang = $3 AND outcome = $4`,
			k.At, k.By, k.Lang, k.Outcome, undone[k]); err != nil {
			return fmt.Errorf("count decisions as undone: %w", err)
		}
	}
	return nil
}

// LangSQL is the language by which a case c is counted: that of its message when it was
// open for the last time.
const LangSQL = "coalesce(nullif(c.lang, ''), '" + policy.Undetermined + "')"

// DriftSQL are queries for differences between the figures and the cases, counted
// independently, and between action_counts and the log. Each row is one sentence.
var DriftSQL = []string{
	`SELECT 'the figures of the log have ' || coalesce(c.actions, 0) || ' actions ' || kind || ' by ' || actor
			|| ' in the ' || step || ' from ' || start || ', ' || coalesce(c.undone, 0) || ' of them undone; it is '
			|| coalesce(a.actions, 0) || ', ' || coalesce(a.undone, 0) || ' of them undone'
		FROM action_counts c FULL JOIN (` + ActionCountsSQL + `) a USING (step, start, actor, kind)
		WHERE (c.actions, c.undone) IS DISTINCT FROM (a.actions, a.undone)`,
	`SELECT 'the figures of the queue have ' || coalesce(q.n, 0) || ' decisions ' || key.outcome || ' by ' || key.moderator
			|| ' in ' || key.lang || ' at ' || key.hour || '; it is ' || coalesce(c.n, 0)
		FROM (SELECT hour, moderator, lang, outcome, decided - undone AS n FROM queue_hours) q
		FULL JOIN (SELECT date_trunc('hour', decided_at, 'UTC') AS hour, coalesce(decided_by, ` + program + `) AS moderator,
				` + LangSQL + ` AS lang, outcome, count(*) AS n
			FROM cases c WHERE status = 'decided' GROUP BY 1, 2, 3, 4) c USING (hour, moderator, lang, outcome)
		CROSS JOIN LATERAL (SELECT hour, moderator, lang, outcome) key
		WHERE coalesce(q.n, 0) <> coalesce(c.n, 0)`,
	`SELECT 'the figures of the queue have ' || q.n || ' waiting times of ' || q.seconds || ' seconds; it is ' || c.n
			|| ' of ' || c.seconds
		FROM (SELECT coalesce(sum(` + strings.Join(waitColumns[1:], " + ") + `), 0) AS n,
				coalesce(sum(waited_seconds), 0) AS seconds FROM queue_hours) q
		CROSS JOIN (SELECT count(waited) AS n, coalesce(sum(waited), 0) AS seconds FROM cases) c
		WHERE (q.n, q.seconds) <> (c.n, c.seconds)`,
}
