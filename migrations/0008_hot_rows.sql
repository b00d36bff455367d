-- +goose Up
-- Who is active changes with every signal that they give. An index on the time
-- itself made PostgreSQL write each such change into all indexes of users; one
-- on the day leaves the row in its page, and a list by activity sorts within days.
ALTER TABLE users ADD active_day date NOT NULL GENERATED ALWAYS AS ((last_activity_date AT TIME ZONE 'UTC')::date) STORED;
DROP INDEX users_by_activity;
CREATE INDEX users_by_activity ON users (active_day);
ALTER TABLE users SET (fillfactor = 80);

-- Counters are written last, and a foreign key would lock their author then,
-- whom somebody may hold who waits for a tree (docs/decisions/0003). Authors
-- come from messages, which have the key, and nobody removes users.
ALTER TABLE user_signals DROP CONSTRAINT user_signals_user_id_fkey;
ALTER TABLE user_languages DROP CONSTRAINT user_languages_user_id_fkey;
