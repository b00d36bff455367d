-- +goose Up
-- Staff and contributors each have their own sign-in names: a contributor who calls
-- themselves like a member of staff neither takes a name away nor is mistaken for
-- them. A former member of staff keeps the name, for an undo.
ALTER TABLE users ADD account boolean NOT NULL DEFAULT false;
UPDATE users u SET account = true WHERE u.auth_method = 'local' AND (u.role <> 'general'
    OR u.password_hash IS NOT NULL OR u.last_seen_at IS NOT NULL
    OR EXISTS (SELECT FROM actions a WHERE a.kind = 'create_staff' AND a.target_id = u.user_id::text));
ALTER TABLE users DROP CONSTRAINT users_auth_method_username_key;
ALTER TABLE users ADD CONSTRAINT users_sign_in_name UNIQUE (auth_method, username, account);

-- Old attempts and links are removed from time to time.
CREATE INDEX sign_in_attempts_by_start ON sign_in_attempts (window_start);
CREATE INDEX sign_in_links_by_expiry ON sign_in_links (expires_at);
