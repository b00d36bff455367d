package store_test

import (
	"testing"

	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// BenchmarkTryFormula tries another weight, another threshold of toxicity and another
// classifier on 135,000 users with 1.6 million messages, then saves the classifier. The
// total reads the fewest rows, the month the most.
func BenchmarkTryFormula(b *testing.B) {
	s := storetest.New(b)
	for _, sql := range []string{
		`ALTER TABLE messages DROP CONSTRAINT messages_user_id_fkey, DROP CONSTRAINT messages_tree_id_fkey`,
		`ALTER TABLE classifier_outputs DROP CONSTRAINT classifier_outputs_tree_id_message_id_fkey,
			DROP CONSTRAINT classifier_outputs_model_id_fkey`,
		`INSERT INTO users (user_id, display_name, username, banned_at)
			SELECT gen_random_uuid(), 'User ' || n, n::text, CASE WHEN n % 97 = 0 THEN now() END
			FROM generate_series(1, 135000) n`,
		`INSERT INTO trees (tree_id, state, active, created_date)
			VALUES ('00000000-0000-4000-8000-000000000001', 'growing', true, now())`,
		`INSERT INTO messages (tree_id, message_id, user_id, created_date, role, lang, text, depth)
			SELECT '00000000-0000-4000-8000-000000000001', gen_random_uuid(), user_id,
				now() - random() * interval '60 days', 'prompter', 'en', 'a text', 0
			FROM users, generate_series(1, 12)`,
		`INSERT INTO classifier_models (name, outputs) VALUES ('detoxify', '{toxicity}')`,
		`INSERT INTO classifier_outputs (tree_id, message_id, model_id, toxicity, scores)
			SELECT tree_id, message_id, 1, random() ^ 8, '{0}' FROM messages`,
		`INSERT INTO user_signals SELECT user_id, 1, date_trunc('day', created_date),
			(random() * 1.1)::bigint, (random() * 3)::bigint, (random() * 1.5)::bigint, (random() * 0.7)::bigint, 0,
			(random() * 0.51)::bigint, 0, 0, 0, (random() * 0.6)::bigint, 0, 0, (random() * 0.7)::bigint,
			(random() * 0.51)::bigint, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0
			FROM messages ON CONFLICT DO NOTHING`,
		`INSERT INTO user_signals SELECT user_id, 0, '-infinity', sum(red_flags), sum(upvotes), sum(downvotes),
			sum(spam_labels), 0, sum(rejected), 0, 0, 0, sum(hate_speech), 0, 0, sum(toxic_messages), sum(deleted),
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, sum(messages), 0, 0, 0, 0 FROM user_signals GROUP BY user_id`,
		`VACUUM ANALYZE`,
	} {
		storetest.Exec(b, s, sql)
	}
	lower := 0.3
	for name, change := range map[string]scoring.Change{"weight": weigh("red_flags", 5.0),
		"threshold": {ToxicFrom: &lower}, "classifier": {Classifier: new("detoxify")}} {
		for _, window := range []scoring.Window{scoring.Total, scoring.Month} {
			b.Run(name+"/"+string(window), func(b *testing.B) {
				for b.Loop() {
					if _, err := s.TryFormula(ctx, store.CommandLine, change, scoring.TruthRejected, window); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
	b.Run("save", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			classifier := []string{scoring.EmbeddedClassifier, ""}[i%2] // from all messages to none, and back
			if _, err := s.SaveFormula(ctx, store.CommandLine, scoring.Change{Classifier: &classifier}, "for the benchmark",
				nil, ""); err != nil {
				b.Fatal(err)
			}
		}
	})
}
