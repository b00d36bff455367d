-- +goose Up
-- People: contributors, staff and keys are rows of one table, so that an
-- action, a rank rule and an audit row never ask which kind of person it is.
-- In a distributed PostgreSQL these are reference tables.

CREATE TABLE users (
    user_id             uuid PRIMARY KEY,
    display_name        text NOT NULL,
    auth_method         text NOT NULL DEFAULT 'local',
    username            text NOT NULL,
    role                text NOT NULL DEFAULT 'general',
    email               text,
    notes               text NOT NULL DEFAULT '',
    show_on_leaderboard boolean NOT NULL DEFAULT true,
    created_date        timestamptz NOT NULL DEFAULT now(),
    last_activity_date  timestamptz NOT NULL DEFAULT '-infinity',
    -- A ban is in force while banned_at is set and banned_until is null or to come.
    banned_at           timestamptz,
    banned_until        timestamptz,
    ban_reason          text,
    banned_by           uuid REFERENCES users,
    ban_action          bigint,
    erased_at           timestamptz,
    password_hash       text,
    blur_toxic          boolean NOT NULL DEFAULT true,
    theme               text NOT NULL DEFAULT 'system',
    version             integer NOT NULL DEFAULT 1,
    UNIQUE (auth_method, username)
);
CREATE INDEX users_by_name ON users (lower(display_name), user_id);
CREATE INDEX users_by_created ON users (created_date, user_id);
CREATE INDEX users_by_activity ON users (last_activity_date, user_id);
CREATE INDEX users_banned ON users (banned_until) WHERE banned_at IS NOT NULL;
CREATE INDEX users_staff ON users (role, user_id) WHERE role <> 'general';

-- A session is known by the SHA-256 of its cookie, so that a copy of the
-- database opens nobody's console.
CREATE TABLE sessions (
    token_hash   bytea PRIMARY KEY,
    session_id   uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    ip           text NOT NULL DEFAULT '',
    user_agent   text NOT NULL DEFAULT ''
);
CREATE INDEX sessions_by_user ON sessions (user_id, created_at);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE sign_in_links (
    token_hash bytea PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);

-- Sign-in attempts by account and by address, one upsert each: the count is
-- the same on every instance.
CREATE TABLE sign_in_attempts (
    subject      text PRIMARY KEY,
    window_start timestamptz NOT NULL,
    failures     integer NOT NULL
);

-- A key acts as its own row in users (auth_method 'key').
CREATE TABLE api_keys (
    key_hash     bytea PRIMARY KEY,
    user_id      uuid NOT NULL UNIQUE REFERENCES users,
    name         text NOT NULL UNIQUE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
