-- Our rows from Open-Assistant's. What runs side by side is parted by the names.

-- name: people
INSERT INTO users (user_id, display_name, auth_method, username, show_on_leaderboard, created_date,
	last_activity_date, banned_at, ban_reason)
SELECT id, display_name, auth_method, username, show_on_leaderboard, created_date,
	coalesce(last_activity_date, '-infinity'),
  CASE WHEN NOT enabled THEN last_activity_date END, CASE WHEN NOT enabled THEN 'banned in Open-Assistant' END
FROM legacy."user";

INSERT INTO trees (tree_id, state, active, goal_tree_size, max_depth, max_children_count, origin, lang, created_date,
	user_id)
SELECT t.message_tree_id, t.state, t.active, t.goal_tree_size, t.max_depth, t.max_children_count, t.origin, t.lang,
	m.created_date, m.user_id
FROM legacy.message_tree_state t JOIN legacy.message m ON m.id = t.message_tree_id

-- name: messages
-- What fell with a subtree names the topmost deleted message above it.
CREATE TEMP TABLE fallen AS
 WITH RECURSIVE gone AS (SELECT id, parent_id FROM legacy.message WHERE deleted),
 down AS (SELECT g.id, g.id AS root FROM gone g JOIN legacy.message m ON m.id = g.id
    WHERE NOT EXISTS (SELECT FROM gone p WHERE p.id = m.parent_id)
  UNION ALL SELECT g.id, d.root FROM down d JOIN gone g ON g.parent_id = d.id)
 SELECT * FROM down;
ANALYZE fallen;

INSERT INTO messages (tree_id, message_id, parent_id, user_id, created_date, role, lang, text, depth, review_count,
	review_result, rank,
  synthetic, model_name, edited, deleted, deleted_root)
SELECT m.message_tree_id, m.id, m.parent_id, m.user_id, m.created_date, m.role, m.lang,
	m.payload #>> '{payload,text}', m.depth, m.review_count,
  m.review_result, m.rank, m.synthetic, m.model_name, m.edited, m.deleted, f.root
FROM legacy.message m LEFT JOIN fallen f ON f.id = m.id;

INSERT INTO message_trees (message_id, tree_id) SELECT id, message_tree_id FROM legacy.message;

-- JSON's null, which Open-Assistant writes where nobody reacted, counts as a
-- record with it: an empty one for us.
INSERT INTO emoji_aggregates (tree_id, message_id)
SELECT message_tree_id, id FROM legacy.message WHERE emojis = 'null'

-- name: signals
INSERT INTO label_votes (tree_id, message_id, user_id, at, spam, fails_task, lang_mismatch, pii, not_appropriate,
	hate_speech, sexual_content,
  moral_judgement, political_content, quality, toxicity, humor, helpfulness, creativity, violence)
SELECT m.message_tree_id, m.id, l.user_id, l.created_date, v.*
FROM legacy.text_labels l JOIN legacy.message m ON m.id = l.message_id,
 jsonb_to_record(l.labels) AS v(spam float8, fails_task float8, lang_mismatch float8, pii float8,
	not_appropriate float8, hate_speech float8,
  sexual_content float8, moral_judgement float8, political_content float8, quality float8, toxicity float8,
	humor float8, helpfulness float8,
  creativity float8, violence float8);

INSERT INTO reactions (tree_id, message_id, user_id, emoji, at)
SELECT m.message_tree_id, m.id, e.user_id, e.emoji, e.created_date
FROM legacy.message_emoji e JOIN legacy.message m ON m.id = e.message_id;

INSERT INTO classifier_models (name, outputs) SELECT DISTINCT model, ARRAY['toxicity'] FROM legacy.message_toxicity;

INSERT INTO classifier_outputs (tree_id, message_id, model_id, toxicity, scores, at)
SELECT m.message_tree_id, m.id, c.model_id, t.score, ARRAY[t.score], t.created_date
FROM legacy.message_toxicity t JOIN legacy.message m ON m.id = t.message_id JOIN classifier_models c ON c.name = t.model
