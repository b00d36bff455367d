package tables

import (
	"fmt"
	"strings"

	"treewarden/scoring"
)

// EachLabel joins one piece of SQL for each label, in which %[1]s is the column.
func EachLabel(format, separator string) string {
	parts := make([]string, scoring.NumLabels)
	for i, name := range scoring.LabelNames {
		parts[i] = fmt.Sprintf(format, name)
	}
	return strings.Join(parts, separator)
}

// VotesSQL reads the labels of one row of label_votes, alias v, as jsonb.
var VotesSQL = "(jsonb_strip_nulls(jsonb_build_object(" + EachLabel("'%[1]s', v.%[1]s", ", ") +
	")) || coalesce(v.other, '{}'))"

// LabelTotalsSQL reads, for a message m, the mean and count of each label from
// imported aggregates and single votes, as jsonb {name: {value, count}}. It is
// null if the message has no label record.
var LabelTotalsSQL = `(
	SELECT CASE WHEN l.message_id IS NULL AND v.votes = 0 THEN NULL ELSE
		coalesce(l.other, '{}') || v.other || jsonb_strip_nulls(jsonb_build_object(` + EachLabel(`'%[1]s',
		CASE WHEN v.%[1]s_n = 0 THEN
			CASE WHEN l.%[1]s_count IS NOT NULL THEN jsonb_build_object('value', l.%[1]s, 'count', l.%[1]s_count) END
		ELSE jsonb_build_object(
			'value', (coalesce(l.%[1]s * l.%[1]s_count, 0) + v.%[1]s_sum)
				/ (coalesce(l.%[1]s_count, 0) + v.%[1]s_n),
			'count', coalesce(l.%[1]s_count, 0) + v.%[1]s_n) END`, ",\n") + `)) END
	FROM (SELECT count(*) AS votes,
		coalesce((SELECT jsonb_object_agg(o.key, jsonb_build_object('value', o.mean, 'count', o.n))
			FROM (SELECT x.key, avg(x.value::float8) AS mean, count(*) AS n FROM label_votes w, jsonb_each_text(w.other) x
				WHERE w.tree_id = m.tree_id AND w.message_id = m.message_id GROUP BY x.key) o), '{}') AS other, ` +
	EachLabel("coalesce(sum(v.%[1]s), 0) AS %[1]s_sum, count(v.%[1]s) AS %[1]s_n", ", ") + `
		FROM label_votes v WHERE v.tree_id = m.tree_id AND v.message_id = m.message_id) v
	LEFT JOIN label_aggregates l ON l.tree_id = m.tree_id AND l.message_id = m.message_id)`

// EmojiTotalsSQL reads, for a message m, the count of each emoji from imported
// aggregates and single reactions. It is null if there are neither.
const EmojiTotalsSQL = `(
	SELECT CASE WHEN e.message_id IS NULL AND r.counts IS NULL THEN NULL ELSE
		(SELECT coalesce(jsonb_object_agg(name, n), '{}') FROM (
			SELECT name, sum(n) AS n FROM (
				SELECT '+1' AS name, e.upvotes AS n UNION ALL SELECT '-1', e.downvotes UNION ALL SELECT 'red_flag', e.red_flags
				UNION ALL SELECT key, value::int FROM jsonb_each_text(coalesce(e.other, '{}'))
				UNION ALL SELECT key, value::int FROM jsonb_each_text(coalesce(r.counts, '{}'))) a
			GROUP BY name HAVING sum(n) > 0) b) END
	FROM (SELECT jsonb_object_agg(emoji, n) AS counts FROM (SELECT emoji, count(*) AS n FROM reactions
		WHERE tree_id = m.tree_id AND message_id = m.message_id GROUP BY emoji) x) r
	LEFT JOIN emoji_aggregates e ON e.tree_id = m.tree_id AND e.message_id = m.message_id)`

// ClassifierOutputsSQL reads, for a message m, the outputs of all models as jsonb
// {model: {name: score}}. It is null if there are none.
const ClassifierOutputsSQL = `(
	SELECT jsonb_object_agg(c.name, coalesce((
		SELECT jsonb_object_agg(n.name, o.scores[n.i]) FROM unnest(c.outputs) WITH ORDINALITY n(name, i)
			WHERE o.scores[n.i] IS NOT NULL), '{}'))
	FROM classifier_outputs o JOIN classifier_models c USING (model_id)
	WHERE o.tree_id = m.tree_id AND o.message_id = m.message_id)`
