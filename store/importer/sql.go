package importer

import (
	"strings"

	"treewarden/store/tables"
)

// The statements that merge imported rows (s) into known ones (m). $1 is true if
// the imported rows are older: then they only fill missing values. $2 are the
// trees that the statement may write to. Each statement's condition limits it to
// rows that change, so that other rows are neither locked nor written. PostgreSQL
// evaluates it again for rows with concurrent changes.

// mergeTable describes the merge of a table.
type mergeTable struct {
	table, stage, key string
	// set is the SET list of a known row, differs the condition of the update.
	set, differs string
	// columns are the columns of new rows. They are empty for messages, of which
	// only known ones are merged.
	columns string
}

// changes returns a query for the trees in which the merge would change something.
func (m mergeTable) changes() string {
	sql := `SELECT s.tree_id FROM ` + m.stage + ` s LEFT JOIN ` + m.table + ` m ON ` + m.key +
		` WHERE m.tree_id IS NOT NULL AND (` + m.differs + `)`
	if m.columns != "" {
		sql += ` OR m.tree_id IS NULL`
	}
	return sql
}

// update returns a statement that returns the messages it changed.
func (m mergeTable) update() string {
	return `UPDATE ` + m.table + ` m SET ` + m.set + ` FROM ` + m.stage + ` s WHERE ` + m.key +
		` AND s.tree_id = ANY($2) AND (` + m.differs + `)
		RETURNING m.message_id`
}

// insert returns a statement that returns the messages it added rows to.
func (m mergeTable) insert() string {
	return `INSERT INTO ` + m.table + ` (` + m.columns + `) SELECT ` + m.columns + ` FROM ` + m.stage + ` s
		WHERE s.tree_id = ANY($2) AND $1::boolean IS NOT NULL
			AND NOT EXISTS (SELECT FROM ` + m.table + ` m WHERE ` + m.key + `)
		RETURNING message_id`
}

// mergeKey is the condition that joins imported with known rows.
const mergeKey = `m.tree_id = s.tree_id AND m.message_id = s.message_id`

// mergeColumn is a column and the value that a merge gives it.
type mergeColumn struct{ name, value string }

// preferNew prefers the imported value if it is not null. If the imported row is
// older, it prefers the known value.
func preferNew(column string) mergeColumn {
	return mergeColumn{column, "CASE WHEN $1 THEN coalesce(m." + column + ", s." + column + ")" +
		" ELSE coalesce(s." + column + ", m." + column + ") END"}
}

// messageColumns are the merged columns of a known message.
var messageColumns = []mergeColumn{
	preferNew("user_id"),
	preferNew("lang"),
	preferNew("rank"),
	preferNew("model_name"),
	{"created_date", `CASE WHEN s.created_date = '-infinity' OR $1 AND m.created_date > '-infinity'
		THEN m.created_date ELSE s.created_date END`},
	{"text", "CASE WHEN s.text IS NULL OR m.edited OR $1 THEN m.text ELSE s.text END"},
	{"review_count", "greatest(m.review_count, s.review_count)"},
	{"review_result", `CASE WHEN m.review_by_staff THEN m.review_result
		WHEN $1 THEN coalesce(m.review_result, s.review_result)
		ELSE coalesce(s.review_result, m.review_result) END`},
	{"synthetic", "m.synthetic OR s.synthetic"},
	{"edited", "m.edited OR s.edited"},
	{"deleted", "m.deleted OR s.deleted AND NOT m.deletion_by_staff"},
}

// newTextsSQL finds the messages whose text the merge changes, in trees $1. Older
// rows change no text.
const newTextsSQL = `SELECT m.message_id FROM import_messages s JOIN messages m ON ` + mergeKey + `
	WHERE s.tree_id = ANY($1) AND NOT m.edited AND m.text <> s.text`

// newLangsSQL finds the messages whose language the merge may change, in trees $1.
const newLangsSQL = `SELECT m.message_id FROM import_messages s JOIN messages m ON ` + mergeKey + `
	WHERE s.tree_id = ANY($1) AND s.lang IS DISTINCT FROM m.lang`

// firstTextsSQL adds the texts of the messages $1 in the import to their revisions, as
// the first ones, unless they have some. laterTextsSQL adds the texts after the merge,
// by nobody and no action.
const (
	firstTextsSQL = `INSERT INTO revisions (tree_id, message_id, text, user_id, at)
		SELECT m.tree_id, m.message_id, m.text, m.user_id, m.created_date
		FROM import_messages s JOIN messages m ON ` + mergeKey + ` WHERE s.message_id = ANY($1)
			AND NOT EXISTS (SELECT FROM revisions r WHERE r.tree_id = m.tree_id AND r.message_id = m.message_id)`
	laterTextsSQL = `INSERT INTO revisions (tree_id, message_id, text, at) SELECT m.tree_id, m.message_id, m.text, $2
		FROM import_messages s JOIN messages m ON ` + mergeKey + ` WHERE s.message_id = ANY($1)`
)

const mergedEvents = "CASE WHEN $1 THEN coalesce(m.events, s.events) ELSE coalesce(s.events, m.events) END"

// setList joins columns for SET, knownValues and newValues for a comparison of
// rows.
func setList(columns []mergeColumn) string {
	return joinColumns(columns, func(c mergeColumn) string { return c.name + " = " + c.value })
}

func knownValues(columns []mergeColumn) string {
	return joinColumns(columns, func(c mergeColumn) string { return "m." + c.name })
}

func newValues(columns []mergeColumn) string {
	return joinColumns(columns, func(c mergeColumn) string { return c.value })
}

func joinColumns(columns []mergeColumn, part func(mergeColumn) string) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = part(c)
	}
	return strings.Join(parts, ",\n\t")
}

// messageTable merges messages themselves.
var messageTable = mergeTable{
	table: "messages", stage: "import_messages", key: mergeKey,
	set: setList(messageColumns) + `, events = ` + mergedEvents + `, version = m.version + 1,
		deleted_root = CASE WHEN s.deleted AND NOT m.deleted AND NOT m.deletion_by_staff THEN m.message_id
			ELSE m.deleted_root END`,
	differs: `(` + knownValues(messageColumns) + `) IS DISTINCT FROM (` + newValues(messageColumns) + `)
		OR m.events::text IS DISTINCT FROM (` + mergedEvents + `)::text`,
}

// childTables merge the children tables of messages. Counts only grow.
var childTables = []mergeTable{{
	table: "emoji_aggregates", stage: "import_emojis", key: mergeKey, columns: emojiColumns,
	set: `upvotes = greatest(m.upvotes, s.upvotes), downvotes = greatest(m.downvotes, s.downvotes),
		red_flags = greatest(m.red_flags, s.red_flags), other = ` + mergedOtherEmojis,
	differs: `s.upvotes > m.upvotes OR s.downvotes > m.downvotes OR s.red_flags > m.red_flags
		OR s.other IS NOT NULL AND $1::boolean IS NOT NULL AND m.other IS DISTINCT FROM ` + mergedOtherEmojis,
}, {
	table: "label_aggregates", stage: "import_labels", key: mergeKey, columns: labelColumns,
	set: tables.EachLabel(`%[1]s = CASE WHEN `+labelGrew+` THEN s.%[1]s ELSE m.%[1]s END,
		%[1]s_count = CASE WHEN `+labelGrew+` THEN s.%[1]s_count ELSE m.%[1]s_count END`, ",\n\t") +
		`, other = ` + mergedOtherLabels,
	differs: tables.EachLabel(`coalesce(`+labelGrew+`, false)`, "\n\tOR ") + `
		OR s.other IS NOT NULL AND m.other IS DISTINCT FROM ` + mergedOtherLabels,
}, {
	table: "classifier_outputs", stage: "import_outputs", key: mergeKey + ` AND m.model_id = s.model_id`,
	columns: outputColumns,
	set: `scores = ` + mergedScores + `,
		toxicity = CASE WHEN $1 THEN coalesce(m.toxicity, s.toxicity) ELSE coalesce(s.toxicity, m.toxicity) END`,
	differs: `m.scores <> s.scores AND m.scores IS DISTINCT FROM ` + mergedScores,
}}

const (
	// mergedOtherEmojis is the greater count of each emoji without a column.
	mergedOtherEmojis = `(SELECT jsonb_object_agg(key, n) FROM (SELECT key, max(value::bigint) AS n
		FROM (SELECT * FROM jsonb_each_text(m.other) UNION ALL SELECT * FROM jsonb_each_text(s.other)) e GROUP BY key) e)`

	// labelGrew is true if more users rated the label, or as many with another
	// mean.
	labelGrew = `(s.%[1]s_count > coalesce(m.%[1]s_count, -1) OR NOT $1 AND s.%[1]s_count = m.%[1]s_count
		AND s.%[1]s <> m.%[1]s)`

	// mergedOtherLabels is the same for labels without a column.
	mergedOtherLabels = `(SELECT jsonb_object_agg(key, value) FROM (SELECT DISTINCT ON (key) key, value
		FROM (SELECT key, value, $1::boolean AS first FROM jsonb_each(m.other)
			UNION ALL SELECT key, value, NOT $1::boolean FROM jsonb_each(s.other)) l
		ORDER BY key, (value->>'count')::int DESC, first DESC) l)`

	// mergedScores merges the outputs of a model one by one.
	mergedScores = `(SELECT array_agg(CASE WHEN $1 THEN coalesce(m.scores[i], s.scores[i])
			ELSE coalesce(s.scores[i], m.scores[i]) END ORDER BY i)
		FROM generate_series(1, greatest(cardinality(m.scores), cardinality(s.scores))) i)`
)

// deletionsSQL sets the roots of imported deletions in changed trees ($1): the
// topmost message of each unbroken run of deleted messages.
const deletionsSQL = `WITH RECURSIVE gone AS (
		SELECT m.tree_id, m.message_id, m.parent_id FROM messages m
		WHERE m.tree_id = ANY($1) AND m.deleted AND m.deleted_action IS NULL),
	run AS (
		SELECT g.tree_id, g.message_id, g.message_id AS root FROM gone g
		WHERE NOT EXISTS (SELECT FROM gone p WHERE p.tree_id = g.tree_id AND p.message_id = g.parent_id)
		UNION ALL SELECT g.tree_id, g.message_id, r.root FROM gone g JOIN run r ON g.tree_id = r.tree_id
			AND g.parent_id = r.message_id)
	UPDATE messages m SET deleted_root = r.root FROM run r
	WHERE m.tree_id = r.tree_id AND m.message_id = r.message_id AND m.deleted_root IS DISTINCT FROM r.root
		AND m.deleted_action IS NULL`

// promptsSQL updates trees after changes of their prompts.
const promptsSQL = `UPDATE trees t SET lang = m.lang, created_date = m.created_date, user_id = m.user_id,
	version = t.version + 1
	FROM import_messages s JOIN messages m ON m.tree_id = s.tree_id AND m.message_id = s.message_id
	WHERE t.tree_id = m.tree_id AND t.tree_id = ANY($1) AND m.parent_id IS NULL
		AND (t.lang, t.created_date, t.user_id) IS DISTINCT FROM (m.lang, m.created_date, m.user_id)`

// treeFrom is the FROM item of lines about known trees. treeDiffers is the
// condition that a line changes the tree.
const (
	treeFrom = `unnest($3::uuid[], $4::text[], $5::boolean[], $6::text[], $7::integer[], $8::integer[], $9::integer[])
		s(tree_id, state, active, origin, goal, depth, children)`
	treeDiffers = `NOT m.state_by_staff AND NOT $1 AND s.state IS NOT NULL AND m.state <> s.state
		OR s.origin IS NOT NULL AND s.origin IS DISTINCT FROM m.origin AND NOT ($1 AND m.origin IS NOT NULL)
		OR s.goal IS NOT NULL AND s.goal IS DISTINCT FROM m.goal_tree_size AND NOT ($1 AND m.goal_tree_size IS NOT NULL)
		OR s.depth IS NOT NULL AND s.depth IS DISTINCT FROM m.max_depth AND NOT ($1 AND m.max_depth IS NOT NULL)
		OR s.children IS NOT NULL AND s.children IS DISTINCT FROM m.max_children_count
			AND NOT ($1 AND m.max_children_count IS NOT NULL)`

	treeChanges = `SELECT m.tree_id FROM trees m JOIN ` + treeFrom +
		` ON m.tree_id = s.tree_id WHERE $2::uuid[] IS NULL AND (` + treeDiffers + `)`

	// mergeTreesSQL returns the ids of the trees, which are also those of their
	// prompts.
	mergeTreesSQL = `UPDATE trees m SET
		state = CASE WHEN m.state_by_staff OR $1 OR s.state IS NULL THEN m.state ELSE s.state END,
		active = CASE WHEN m.state_by_staff OR $1 OR s.state IS NULL THEN m.active ELSE s.active END,
		origin = CASE WHEN $1 THEN coalesce(m.origin, s.origin) ELSE coalesce(s.origin, m.origin) END,
		goal_tree_size = CASE WHEN $1 THEN coalesce(m.goal_tree_size, s.goal) ELSE coalesce(s.goal, m.goal_tree_size) END,
		max_depth = CASE WHEN $1 THEN coalesce(m.max_depth, s.depth) ELSE coalesce(s.depth, m.max_depth) END,
		max_children_count = CASE WHEN $1 THEN coalesce(m.max_children_count, s.children)
			ELSE coalesce(s.children, m.max_children_count) END,
		version = m.version + 1
		FROM ` + treeFrom + ` WHERE m.tree_id = s.tree_id AND s.tree_id = ANY($2) AND (` + treeDiffers + `)
		RETURNING m.tree_id`
)
