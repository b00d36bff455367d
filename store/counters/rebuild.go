package counters

import (
	"context"
	"slices"
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

// changedRuleSQL counts, for the rules $1 and $2 before and $3 and $4 after, the
// toxicity of the messages for which a rule makes a difference: by author and hour, and
// by the sign, which is -1 for the rule before.
var changedRuleSQL = func() string {
	before, after := chosenBy(ruleModels), chosenBy("$4::text[]")
	toxic := func(threshold, toxicity string) string {
		return "coalesce(" + toxicity + " >= " + threshold + "::float8, false)"
	}
	from := "changed x JOIN messages m ON m.tree_id = x.tree_id AND m.message_id = x.message_id"
	groups := append(slices.Clone(hourly), "x.sign")
	var branches []string
	for _, fact := range []Fact{Toxicity, ToxicMessage} {
		src := sources[fact]
		src.join, src.where = "", map[Fact]string{ToxicMessage: "x.toxic"}[fact]
		branches = append(branches, src.branch(scoring.Columns, from, "", groups))
	}
	return `WITH changed AS MATERIALIZED (SELECT c.tree_id, c.message_id, v.* FROM (
			SELECT o.tree_id, o.message_id, ` + before.toxicity + ` AS before, ` + before.at + ` AS before_at,
				` + after.toxicity + ` AS after, ` + after.at + ` AS after_at
			FROM classifier_outputs o GROUP BY o.tree_id, o.message_id) c
		CROSS JOIN LATERAL (VALUES (-1, c.before, c.before_at, ` + toxic("$1", "c.before") + `),
			(1, c.after, c.after_at, ` + toxic("$3", "c.after") + `)) v(sign, toxicity, at, toxic)
		WHERE v.toxicity IS NOT NULL AND (c.before, ` + toxic("$1", "c.before") + `, c.before_at)
			IS DISTINCT FROM (c.after, ` + toxic("$3", "c.after") + `, c.after_at))
		` + sumSQL(scoring.Columns, branches, len(groups))
}()

// toxicSQL counts messages that are toxic by the rule $1 and $2, among those with a
// toxicity of $3 or more. They are few, so the query starts with them.
var toxicSQL = func() string {
	toxic := sources[ToxicMessage]
	return toxic.branch(scoring.Columns, `(SELECT DISTINCT tree_id, message_id FROM classifier_outputs
		WHERE toxicity >= $3::float8) f
		JOIN messages m ON m.tree_id = f.tree_id AND m.message_id = f.message_id`, "", hourly)
}()

// ChangeRule makes the counters count by another rule of toxicity. Concurrent changes of
// counters wait and are retried.
func (t *Update) ChangeRule(ctx context.Context, tx db.Conn, rule scoring.ToxicityRule) error {
	if _, err := tx.Exec(ctx, lockCounters); err != nil {
		return err
	}
	before, err := readRule(ctx, tx) // may differ from the rule in memory
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE counted_with SET toxic_from = $1, classifier = $2", rule.From,
		rule.Classifier); err != nil {
		return err
	}
	t.Rule = rule
	if before.Classifier != rule.Classifier {
		return t.countChanged(ctx, tx, before, rule)
	}
	for _, count := range []struct {
		rule scoring.ToxicityRule
		sign int64
	}{{before, -1}, {rule, 1}} {
		add := func(hour, sum *scoring.Counters) { hour.Add(sum, count.sign) }
		from, models := RuleArgs(count.rule)
		if err := t.countBy(ctx, tx, add, toxicSQL, from, models, min(rule.From, before.From)); err != nil {
			return err
		}
	}
	return nil
}

// countChanged adds the difference that other models make.
func (t *Update) countChanged(ctx context.Context, tx db.Conn, before, after scoring.ToxicityRule) error {
	if err := db.SortInMemory(ctx, tx); err != nil { // every message has outputs
		return err
	}
	was, formerModels := RuleArgs(before)
	is, models := RuleArgs(after)
	rows, err := tx.Query(ctx, changedRuleSQL, was, formerModels, is, models)
	if err != nil {
		return err
	}
	var at slot
	var sign int64
	var sum scoring.Counters
	_, err = pgx.ForEachRow(rows, Targets(&sum, &at.user, &at.at, &sign), func() error {
		t.Hour(at.user, at.at).Add(&sum, sign)
		return nil
	})
	return err
}

// RebuildIn recounts everything within a transaction. It uses the transaction's
// connection alone, because others do not see its writes.
func RebuildIn(ctx context.Context, tx pgx.Tx, now time.Time) error {
	if _, err := tx.Exec(ctx, lockCounters); err != nil {
		return err
	}
	rule, err := readRule(ctx, tx)
	if err != nil {
		return err
	}
	r, err := recountOn(ctx, []db.Conn{tx}, now, rule)
	if err != nil {
		return err
	}
	return r.store(ctx, tx)
}

// lockCounters blocks changes of the counters but not reads.
const lockCounters = "LOCK user_signals, user_languages IN EXCLUSIVE MODE"

// Rebuild recounts every signal from the base tables and stores the result. It
// runs after in the same transaction.
func Rebuild(ctx context.Context, pool *pgxpool.Pool, now time.Time, after func(pgx.Tx) error) error {
	return db.InOneSnapshot(ctx, pool, lockCounters, func(tx pgx.Tx, conns []db.Conn) error {
		rule, err := readRule(ctx, tx)
		if err != nil {
			return err
		}
		r, err := recountOn(ctx, conns, now, rule)
		if err != nil {
			return err
		}
		if err := r.store(ctx, tx); err != nil {
			return err
		}
		return after(tx)
	})
}
