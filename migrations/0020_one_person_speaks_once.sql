-- +goose Up
-- A red flag and reports of one person on one message count as one red flag, dated
-- by the first (docs/decisions/0003). Each of them counted before: what the others
-- added is subtracted. Open-Assistant's columns count each, as they did. Hours and
-- days that are no longer kept have no row.
WITH given AS (
    SELECT tree_id, message_id, user_id, at, 0 AS kind, 0 AS number FROM reactions WHERE emoji = 'red_flag'
    UNION ALL
    SELECT tree_id, message_id, user_id, at, 1, report_id FROM reports WHERE status IN ('open', 'upheld')
), numbered AS (
    SELECT *, row_number() OVER (PARTITION BY tree_id, message_id, user_id ORDER BY at, kind, number) AS place
    FROM given
), repeated AS (
    SELECT m.user_id, n.at FROM numbered n
        JOIN messages m ON m.tree_id = n.tree_id AND m.message_id = n.message_id
        JOIN users g ON g.user_id = n.user_id
    WHERE n.place > 1 AND g.banned_at IS NULL AND g.user_id <> m.user_id
), rows AS (
    SELECT user_id, 0 AS grain, '-infinity'::timestamptz AS at, count(*) AS n FROM repeated GROUP BY 1
    UNION ALL
    SELECT user_id, 1, date_trunc('day', at, 'UTC'), count(*) FROM repeated GROUP BY 1, 3
    UNION ALL
    SELECT user_id, 2, date_trunc('hour', at, 'UTC'), count(*) FROM repeated GROUP BY 1, 3
)
UPDATE user_signals s SET red_flags = s.red_flags - r.n
FROM rows r WHERE s.user_id = r.user_id AND s.grain = r.grain AND s.at = r.at;
