package store_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"treewarden/scoring"
	"treewarden/store/storetest"
)

// underTrees are the tables that a distributed PostgreSQL could spread by tree_id.
// It would spread message_trees, which maps a message to its tree, by message_id.
var underTrees = []string{
	"trees", "messages", "emoji_aggregates", "label_aggregates", "label_votes", "reactions", "reports",
	"classifier_outputs", "classifier_queue", "classifier_failures", "revisions", "sketches", "message_terms", "cases",
	"late_replies", "wave_messages", "word_sketches",
}

// TestSchemaCanBeDistributed checks the requirements of a distributed PostgreSQL:
// every primary and unique key contains the column that spreads the rows, and the
// tables have no triggers.
func TestSchemaCanBeDistributed(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	query := func(sql string, args ...any) []string {
		t.Helper()
		rows, err := storetest.DB(t, s).Query(ctx, sql, args...)
		if err != nil {
			t.Fatal(err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	const keyWithout = `SELECT i.indexrelid::regclass::text FROM pg_index i
		WHERE i.indrelid = ANY ($1::text[]::regclass[]) AND i.indisunique AND NOT EXISTS (
			SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[]) AND a.attname = $2)`
	for _, key := range query(keyWithout, underTrees, "tree_id") {
		t.Errorf("the unique key %s does not hold tree_id", key)
	}
	for _, key := range query(keyWithout, []string{"message_trees"}, "message_id") {
		t.Errorf("the unique key %s does not hold message_id", key)
	}
	for _, trigger := range query(`SELECT tgrelid::regclass || '.' || tgname FROM pg_trigger
		WHERE NOT tgisinternal AND tgrelid = ANY ($1::text[]::regclass[])`,
		append([]string{"message_trees"}, underTrees...)) {
		t.Errorf("%s: a table under trees must have no trigger", trigger)
	}
	for _, table := range query(`SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attname = 'tree_id'
			AND NOT c.relname = ANY ($1)
			AND c.relname NOT IN ('message_trees', 'action_objects', 'insight_changes')`, underTrees) {
		t.Errorf("%s has a tree_id, but is not in the list of tables under trees", table)
	}
	for _, column := range query(`SELECT table_name || '.' || column_name FROM information_schema.columns
		WHERE table_name = ANY ($1) AND data_type = 'jsonb' AND column_name <> 'other'`, underTrees) {
		t.Errorf("%s: values that are summed must not be in jsonb", column)
	}
}

// TestEverySignalAndLabelHasColumns checks that a signal has two columns in
// user_signals, and a label one in label_votes and two in label_aggregates.
func TestEverySignalAndLabelHasColumns(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	want := map[string][]string{"user_signals": scoring.Columns, "label_votes": scoring.LabelNames}
	for _, name := range scoring.LabelNames {
		want["label_aggregates"] = append(want["label_aggregates"], name, name+"_count")
	}
	for table, columns := range want {
		for _, column := range columns {
			var there bool
			if err := storetest.DB(t, s).QueryRow(ctx, `SELECT EXISTS (SELECT FROM information_schema.columns
				WHERE table_name = $1 AND column_name = $2)`, table, column).Scan(&there); err != nil || !there {
				t.Errorf("%s has no column %s (%v)", table, column, err)
			}
		}
	}
}
