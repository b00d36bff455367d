-- What Open-Assistant's ORM sends, by hand; checked against a trace of it.
-- /*since*/ stands for the date of day, week and month.

-- name: emoji_counts
SELECT m.user_id,
       sum(coalesce(CAST(m.emojis -> '+1' AS integer), 0))       AS up,
       sum(coalesce(CAST(m.emojis -> '-1' AS integer), 0))       AS down,
       sum(coalesce(CAST(m.emojis -> 'red_flag' AS integer), 0)) AS flag
FROM message m WHERE m.deleted = false AND m.emojis IS NOT NULL /*since*/ GROUP BY m.user_id

-- name: spam_prompts
SELECT m.user_id, count(*) FROM message_tree_state t JOIN message m ON t.message_tree_id = m.id
WHERE t.state = 'aborted_low_grade' /*since*/ GROUP BY m.user_id

-- name: label_sums
SELECT m.user_id,
       sum(coalesce(CAST(l.labels -> 'spam' AS integer), 0)),
       sum(coalesce(CAST(l.labels -> 'lang_mismatch' AS integer), 0)),
       sum(coalesce(CAST(l.labels -> 'not_appropriate' AS integer), 0)),
       sum(coalesce(CAST(l.labels -> 'pii' AS integer), 0)),
       sum(coalesce(CAST(l.labels -> 'hate_speech' AS integer), 0)),
       sum(coalesce(CAST(l.labels -> 'sexual_content' AS integer), 0)),
       sum(coalesce(CAST(l.labels -> 'political_content' AS integer), 0)),
       avg(CAST(l.labels -> 'quality' AS float)), avg(CAST(l.labels -> 'humor' AS float)),
       avg(CAST(l.labels -> 'toxicity' AS float)), avg(CAST(l.labels -> 'violence' AS float)),
       avg(CAST(l.labels -> 'helpfulness' AS float))
FROM text_labels l JOIN message m ON l.message_id = m.id
WHERE m.deleted = false AND m.emojis IS NOT NULL /*since*/ GROUP BY m.user_id

-- name: stats_clear
DELETE FROM troll_stats WHERE time_frame = $1

-- name: stats_insert
INSERT INTO troll_stats (user_id, base_date, modified_date, time_frame, troll_score, rank, red_flags, upvotes,
	downvotes,
 spam_prompts, quality, humor, toxicity, violence, helpfulness, spam, lang_mismach, not_appropriate, pii, hate_speech,
 sexual_content, political_content) VALUES

-- name: stats_rank
UPDATE troll_stats ts SET rank = r.rank
FROM (SELECT row_number() OVER (PARTITION BY time_frame ORDER BY troll_score DESC, user_id) AS rank, user_id, time_frame
      FROM troll_stats WHERE ($1::text IS NULL OR time_frame = $1)) AS r
WHERE ts.user_id = r.user_id AND ts.time_frame = r.time_frame

-- name: board_page
SELECT u.id, u.username, u.auth_method, u.display_name, u.last_activity_date, u.enabled, u.deleted,
	u.show_on_leaderboard, t.*
FROM "user" u JOIN troll_stats t ON u.id = t.user_id
WHERE t.time_frame = $1 AND u.enabled = true ORDER BY t.rank LIMIT $2

-- name: board_rows
SELECT u.id::text, u.username, u.auth_method, u.display_name, u.last_activity_date, u.enabled, u.deleted,
	u.show_on_leaderboard,
 t.rank, t.troll_score, t.red_flags, t.upvotes, t.downvotes, t.spam_prompts, t.spam, t.lang_mismach,
	t.not_appropriate, t.pii,
 t.hate_speech, t.sexual_content, t.political_content, t.quality, t.humor, t.toxicity, t.violence, t.helpfulness
FROM "user" u JOIN troll_stats t ON u.id = t.user_id
WHERE t.time_frame = $1 AND u.enabled = true ORDER BY t.rank LIMIT $2

-- name: delete_one
UPDATE message SET deleted = true WHERE id = $1::uuid

-- name: delete_level
UPDATE message SET deleted = true WHERE parent_id = ANY ($1::uuid[]) RETURNING id
