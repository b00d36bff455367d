package ingest

import (
	"time"

	"github.com/google/uuid"

	"treewarden/store/cases"
	"treewarden/store/counters"
	"treewarden/store/db"
)

// storeReactions writes the reactions that change.
func (in *run) storeReactions() {
	type rows struct {
		trees, messages, users []uuid.UUID
		emojis                 []string
		at                     []time.Time
	}
	var gone, made rows
	for who, what := range in.changes.reactions {
		add := func(r *rows) {
			r.trees, r.messages = append(r.trees, who.tree), append(r.messages, who.message)
			r.users, r.emojis = append(r.users, who.user), append(r.emojis, who.emoji)
		}
		_, had := in.feedback.reactions[who]
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
		in.Queue(`DELETE FROM reactions r
			USING unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) g(tree, message, rater, emoji)
			WHERE r.tree_id = g.tree AND r.message_id = g.message AND r.user_id = g.rater AND r.emoji = g.emoji`,
			db.IDArray(gone.trees), db.IDArray(gone.messages), db.IDArray(gone.users), gone.emojis)
	}
	if len(made.trees) > 0 {
		in.Queue(`INSERT INTO reactions (tree_id, message_id, user_id, emoji, at)
			SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[])`,
			db.IDArray(made.trees), db.IDArray(made.messages), db.IDArray(made.users), made.emojis, made.at)
	}
}

// touchedCases returns the messages whose red flags or reports change.
func (in *run) touchedCases() *cases.Touched {
	touched := map[uuid.UUID]bool{}
	for who := range in.changes.reactions {
		touched[who.message] = touched[who.message] || who.emoji == counters.RedFlag
	}
	for who := range in.changes.reports {
		touched[who.message] = true
	}
	var all cases.Touched
	for id, flagged := range touched {
		if m := in.messages[id]; flagged {
			all.Add(m.tree, m.id, m.author)
		}
	}
	return &all
}

func (in *run) storeReports() {
	if len(in.changes.reports) == 0 {
		return
	}
	var trees, messages, users []uuid.UUID
	var reasons []string
	var at []time.Time
	for who, report := range in.changes.reports {
		trees, messages, users = append(trees, who.tree), append(messages, who.message), append(users, who.user)
		reasons, at = append(reasons, report.reason), append(at, report.at)
	}
	in.Queue(`INSERT INTO reports AS r (tree_id, message_id, user_id, reason, at)
		SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[])
		ON CONFLICT (tree_id, message_id, user_id) WHERE status = 'open' DO UPDATE
			SET reason = r.reason || E'\n' || excluded.reason
		WHERE octet_length(r.reason) <
			$6`, db.IDArray(trees), db.IDArray(messages), db.IDArray(users), reasons, at, maxReportText)
}

func (in *run) storeOutputs() {
	if len(in.changes.outputs) == 0 {
		return
	}
	var trees, messages []uuid.UUID
	var models []int16
	var toxicity []*float64
	var scores []string
	var at []time.Time
	for key, o := range in.changes.outputs {
		trees, messages, models = append(trees, key.tree), append(messages, key.message), append(models, key.model)
		toxicity, scores, at = append(toxicity, o.toxicity), append(scores, db.FloatArray(o.scores)), append(at, o.at)
	}
	in.Queue(`INSERT INTO classifier_outputs AS o (tree_id, message_id, model_id, toxicity, scores, at)
		SELECT tree, message, model, toxicity, scores::float8[], at
		FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::float8[], $5::text[], $6::timestamptz[])
			s(tree, message, model, toxicity, scores, at)
		ON CONFLICT (tree_id, message_id, model_id) DO UPDATE SET
			at = excluded.at, text_hash = NULL, run_here = false, toxicity = coalesce(excluded.toxicity, o.toxicity),
			scores = (SELECT array_agg(coalesce(excluded.scores[i], o.scores[i]) ORDER BY i)
				FROM generate_series(1, greatest(cardinality(o.scores), cardinality(excluded.scores))) i)`,
		db.IDArray(trees), db.IDArray(messages), models, toxicity, scores, at)
	trees, messages = nil, nil
	for key := range in.changes.outputs {
		m := in.messages[key.message]
		if m.fresh {
			continue // a case of it is new too
		}
		trees, messages = append(trees, m.tree), append(messages, m.id)
		if m.author == nil {
			in.update.Changed.Add(uuid.Nil) // known authors are counted
		}
	}
	if len(trees) > 0 {
		cases.QueueToxicity(&in.Batch, trees, messages)
	}
}

// storeActivity updates the last activity of users.
func (in *run) storeActivity() {
	var ids []uuid.UUID
	var at []time.Time
	for id, last := range in.changes.last {
		if db.CompareTimes(in.users[id].active, db.Timestamp(last)) < 0 {
			ids, at = append(ids, id), append(at, last)
		}
	}
	if len(ids) == 0 {
		return
	}
	in.update.Changed.Add(ids...)
	in.Queue(`UPDATE users u SET last_activity_date = a.at
		FROM unnest($1::uuid[], $2::timestamptz[]) a(id, at) WHERE u.user_id = a.id`, db.IDArray(ids), at)
}
