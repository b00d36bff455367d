package store

import (
	"strconv"
	"time"

	"github.com/google/uuid"
)

// storeReactions writes what became of reactions: only what changes.
func (in *ingest) storeReactions() {
	type rows struct {
		trees, messages, users []uuid.UUID
		emojis                 []string
		at                     []time.Time
	}
	var gone, made rows
	for who, what := range in.write.reactions {
		add := func(r *rows) {
			r.trees, r.messages, r.users, r.emojis = append(r.trees, who.tree), append(r.messages, who.message), append(r.users, who.user), append(r.emojis, who.emoji)
		}
		_, had := in.given.reactions[who]
		goes, comes := what.becomes(had)
		if goes {
			add(&gone)
		}
		if comes {
			add(&made)
			made.at = append(made.at, *what.add)
		}
	}
	if len(gone.trees) > 0 {
		in.queue(`DELETE FROM reactions r USING unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) g(tree, message, giver, emoji)
			WHERE r.tree_id = g.tree AND r.message_id = g.message AND r.user_id = g.giver AND r.emoji = g.emoji`,
			idArray(gone.trees), idArray(gone.messages), idArray(gone.users), gone.emojis)
	}
	if len(made.trees) > 0 {
		in.queue(`INSERT INTO reactions (tree_id, message_id, user_id, emoji, at)
			SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[])`,
			idArray(made.trees), idArray(made.messages), idArray(made.users), made.emojis, made.at)
	}
}

func (in *ingest) storeReports() {
	if len(in.write.reports) == 0 {
		return
	}
	var trees, messages, users []uuid.UUID
	var reasons []string
	var at []time.Time
	for who, report := range in.write.reports {
		trees, messages, users = append(trees, who.tree), append(messages, who.message), append(users, who.user)
		reasons, at = append(reasons, report.reason), append(at, report.at)
	}
	in.queue(`INSERT INTO reports AS r (tree_id, message_id, user_id, reason, at)
		SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[])
		ON CONFLICT (tree_id, message_id, user_id) WHERE status = 'open' DO UPDATE SET reason = r.reason || E'\n' || excluded.reason
		WHERE octet_length(r.reason) < $6`, idArray(trees), idArray(messages), idArray(users), reasons, at, maxReportText)
}

func (in *ingest) storeOutputs() {
	if len(in.write.outputs) == 0 {
		return
	}
	var trees, messages []uuid.UUID
	var models []int16
	var toxicity []*float64
	var scores []string
	var at []time.Time
	for key, o := range in.write.outputs {
		trees, messages, models = append(trees, key.tree), append(messages, key.message), append(models, key.model)
		toxicity, scores, at = append(toxicity, o.toxicity), append(scores, floatArray(o.scores)), append(at, o.at)
	}
	in.queue(`INSERT INTO classifier_outputs AS o (tree_id, message_id, model_id, toxicity, scores, at)
		SELECT tree, message, model, toxicity, scores::float8[], at
		FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::float8[], $5::text[], $6::timestamptz[]) s(tree, message, model, toxicity, scores, at)
		ON CONFLICT (tree_id, message_id, model_id) DO UPDATE SET at = excluded.at, toxicity = coalesce(excluded.toxicity, o.toxicity),
			scores = (SELECT array_agg(coalesce(excluded.scores[i], o.scores[i]) ORDER BY i)
				FROM generate_series(1, greatest(cardinality(o.scores), cardinality(excluded.scores))) i)`,
		idArray(trees), idArray(messages), models, toxicity, scores, at)
}

// floatArray writes an array as PostgreSQL reads it.
func floatArray(values []*float64) string {
	b := []byte{'{'}
	for i, value := range values {
		if i > 0 {
			b = append(b, ',')
		}
		if value == nil {
			b = append(b, "NULL"...)
		} else {
			b = strconv.AppendFloat(b, *value, 'g', -1, 64)
		}
	}
	return string(append(b, '}'))
}

// storeActivity moves the last activity of users up.
func (in *ingest) storeActivity() {
	var ids []uuid.UUID
	var at []time.Time
	for id, last := range in.write.last {
		if compareTimes(in.users[id].active, finite(last)) < 0 {
			ids, at = append(ids, id), append(at, last)
		}
	}
	if len(ids) == 0 {
		return
	}
	in.tally.change(ids...)
	in.queue("UPDATE users u SET last_activity_date = a.at FROM unnest($1::uuid[], $2::timestamptz[]) a(id, at) WHERE u.user_id = a.id", idArray(ids), at)
}
