-- +goose Up
-- When a member of staff last used the console. It outlives their sessions: an
-- account that was never used is told from one that signed out.
ALTER TABLE users ADD last_seen_at timestamptz;
UPDATE users u SET last_seen_at = s.at
FROM (SELECT user_id, max(last_seen_at) AS at FROM sessions GROUP BY user_id) s WHERE s.user_id = u.user_id;

CREATE INDEX sign_in_links_by_user ON sign_in_links (user_id);

-- Who made a key: it is revoked when they lose their access.
ALTER TABLE api_keys ADD created_by uuid REFERENCES users;
UPDATE api_keys k SET created_by = a.actor_id
FROM actions a WHERE a.kind = 'create_key' AND a.target_type = 'user' AND a.target_id = k.user_id::text;
CREATE INDEX api_keys_by_creator ON api_keys (created_by) WHERE created_by IS NOT NULL;
