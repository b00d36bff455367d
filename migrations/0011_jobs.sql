-- +goose Up
-- Long work that goes on without its request. A running job whose heartbeat
-- stopped is taken up again, by this process or another one.
CREATE TABLE jobs (
    job_id     uuid PRIMARY KEY,
    kind       text NOT NULL,
    actor_id   uuid NOT NULL REFERENCES users,
    via        text NOT NULL,
    -- The act, as the program wrote it down.
    request    jsonb NOT NULL,
    state      text NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    cancel     boolean NOT NULL DEFAULT false,
    done       bigint NOT NULL DEFAULT 0,
    total      bigint NOT NULL DEFAULT 0,
    action_id  bigint,
    error      text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    heartbeat  timestamptz,
    ended_at   timestamptz
);
CREATE INDEX jobs_open ON jobs (created_at) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_by_actor ON jobs (actor_id);
