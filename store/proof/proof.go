// Package proof compares the state of things with the log: what actions changed
// must still be as the last of them left it, and what says that an action did it
// must name one that exists. The hash chain proves the log itself (package chain).
package proof

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"treewarden/store/aspects"
	"treewarden/store/db"
	"treewarden/store/versions"
)

// Limit is the maximum number of differences that State returns for each check.
const Limit = 100

// check is a query for differences; each row is one sentence.
type check struct{ sql string }

// State returns what differs between the log and the state of the database, as
// sentences. tx is one snapshot.
func State(ctx context.Context, tx pgx.Tx) ([]string, error) {
	var found []string
	for _, c := range checks() {
		rows, err := tx.Query(ctx, fmt.Sprintf("SELECT why FROM (%s) found(why) ORDER BY why LIMIT %d", c.sql, Limit))
		if err != nil {
			return nil, db.Translate(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, db.Translate(err)
		}
		found = append(found, lines...)
	}
	return found, nil
}

// triggers are those that keep rows from being changed or removed.
var triggers = []string{
	"actions_append_only", "action_objects_append_only", "formula_versions_append_only", "policy_versions_append_only",
	"priority_versions_append_only",
}

// onlyAccounts are aspects that front ends may change too, save those of accounts.
const onlyAccounts = "o.account"

// byStaff is true where the last action w left what front ends and files may not
// change. An undo may leave what came with the message, which they may change again.
const byStaff = "(w.after->>'by_staff')::boolean"

// followed are the aspects whose last action says how a thing is now, each with a
// condition on the row o of the thing and the last action w.
var followed = []struct {
	aspect aspects.Column
	when   string
}{
	{aspects.Ban, "true"},
	{aspects.Role, "o.erased_at IS NULL"},
	{aspects.Languages, "o.erased_at IS NULL"},
	{aspects.Notes, "o.erased_at IS NULL"},
	{aspects.Leaderboard, "o.erased_at IS NULL"},
	{aspects.DisplayName, onlyAccounts},
	{aspects.Username, onlyAccounts},
	{aspects.Deletion, byStaff},
	{aspects.Text, "(w.after->>'edited')::boolean"},
	{aspects.Review, byStaff},
	{aspects.State, byStaff},
	{aspects.List, "true"},
}

func checks() []check {
	all := []check{
		{`SELECT 'the trigger ' || t.name || ' is missing or switched off' FROM unnest(ARRAY['` +
			strings.Join(triggers, "', '") + `']) t(name)
			WHERE NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgname = t.name AND g.tgenabled <> 'D')`},
		noAction("users", "o.banned_at IS NOT NULL AND "+unlogged("user", "o.user_id", "'ban'"),
			"'user ' || o.user_id || ' is banned'"),
		noAction("users", "o.role <> 'general' AND "+unlogged("user", "o.user_id", "'role'")+
			` AND NOT EXISTS (SELECT FROM actions a WHERE a.target_type = 'user' AND a.target_id = o.user_id::text
				AND a.kind IN ('create_staff', 'create_key'))`, "'user ' || o.user_id || ' has the role ' || o.role"),
		noAction("trees", "o.state_by_staff AND "+unlogged("tree", "o.tree_id", "'state'"),
			"'the state of tree ' || o.tree_id || ' was set by staff'"),
		noAction("messages", "o.review_by_staff AND "+unlogged("message", "o.message_id", "'review'"),
			"'the review of message ' || o.message_id || ' was set by staff'"),
		noAction("messages",
			"o.deleted_action IS NOT NULL AND NOT EXISTS (SELECT FROM actions a WHERE a.id = o.deleted_action)",
			"'message ' || o.message_id || ' is deleted'"),
		missing("events", "'event ' || o.id"),
		missing("revisions", "'a version of message ' || o.message_id"),
		missing("idempotency_keys", "'an Idempotency-Key'"),
		missing("formula_versions", "'version ' || o.version || ' of the formula'"),
		missing("priority_versions", "'version ' || o.version || ' of the weights of the queue'"),
		missing("policy_versions", "'version ' || o.version || ' of the roles'"),
		{`SELECT 'version ' || v.version || ' of the formula differs from what action ' || a.seq || ' saved'
			FROM formula_versions v JOIN actions a ON a.id = v.action_id
			JOIN action_objects o ON o.action_id = a.id AND o.aspect = 'formula'
			WHERE v.weights::jsonb IS DISTINCT FROM o.after->'weights' OR v.version <> (o.after->>'version')::int
				OR v.toxic_from::text::numeric <> (o.after->>'toxic_from')::numeric
				OR v.classifier <> coalesce(o.after->>'classifier', '')`},
		{`SELECT 'version ' || coalesce(v.version, (o.after->>'version')::int)
				|| ' of the weights of the queue is not what an action saved'
			FROM (SELECT action_id, after FROM action_objects WHERE object_type = '` + versions.Priority.Name + `'
				AND object_id = '` + versions.Priority.ID.String() + `' AND aspect = '` + versions.Priority.Name + `') o
			FULL JOIN priority_versions v ON v.action_id = o.action_id
			WHERE (v.version > 1 OR o.action_id IS NOT NULL) AND (v.version IS DISTINCT FROM (o.after->>'version')::int
				OR v.weights IS DISTINCT FROM o.after->'weights')`},
	}
	for _, f := range followed {
		all = append(all, check{f.aspect.DriftSQL(f.when)})
		if sql := f.aspect.MissedEventSQL(); sql != "" {
			all = append(all, check{sql})
		}
	}
	return append(all, rowChecks()...)
}

// unlogged is the condition that no action changed an aspect of a thing. id and
// aspect are SQL.
func unlogged(object, id, aspect string) string {
	return fmt.Sprintf(`NOT EXISTS (SELECT FROM action_objects l WHERE l.object_type = '%s' AND l.object_id = %s
		AND l.aspect = %s)`, object, id, aspect)
}

// noAction finds rows o of a table that only an action can have left so.
func noAction(table, where, thing string) check {
	return check{fmt.Sprintf("SELECT %s || ', by no action in the log' FROM %s o WHERE %s", thing, table, where)}
}

// missing finds rows o of a table that name an action that is not in the log. −1
// stands for a request that is no action, such as a new sample.
func missing(table, thing string) check {
	return check{fmt.Sprintf(`SELECT %s || ' names an action that is not in the log' FROM %s o
		WHERE o.action_id <> -1 AND NOT EXISTS (SELECT FROM actions a WHERE a.id = o.action_id)`, thing, table)}
}
