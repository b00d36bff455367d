-- +goose Up
-- What staff did. Rows form a hash chain in the order of seq: hash is the
-- SHA-256 over the former hash and a canonical form of the row
-- (store/chain.go). id is given at the start of an action, seq at its end.

CREATE SEQUENCE action_ids;
CREATE TABLE actions (
    id              bigint PRIMARY KEY,
    seq             bigint NOT NULL UNIQUE,
    at              timestamptz NOT NULL,
    actor_id        uuid REFERENCES users,
    actor_name      text NOT NULL,
    actor_role      text NOT NULL,
    via             text NOT NULL,
    kind            text NOT NULL,
    target_type     text NOT NULL,
    target_id       text NOT NULL,
    target_label    text NOT NULL,
    staff_author    boolean NOT NULL DEFAULT false,
    undoes          bigint REFERENCES actions,
    undoable        boolean NOT NULL,
    messages        bigint NOT NULL DEFAULT 0,
    others_messages bigint NOT NULL DEFAULT 0,
    trees           bigint NOT NULL DEFAULT 0,
    users           bigint NOT NULL DEFAULT 0,
    -- Words and states, kept as text so that their hash stays true.
    reason          text NOT NULL DEFAULT '',
    before          json,
    after           json,
    detail_hash     bytea NOT NULL,
    -- SHA-256 over the rows of action_objects of this action.
    objects_hash    bytea NOT NULL,
    prev_hash       bytea NOT NULL,
    hash            bytea NOT NULL
);
CREATE INDEX actions_by_actor ON actions (actor_id, id DESC);
CREATE INDEX actions_by_kind ON actions (kind, id DESC);
CREATE INDEX actions_by_target ON actions (target_type, target_id, id DESC);
-- An action is undone once.
CREATE UNIQUE INDEX actions_undoes ON actions (undoes) WHERE undoes IS NOT NULL;

-- One thing that an action changed: the state of one aspect (deletion, text,
-- state, ban …) before and after. Undo compares with after and restores before.
CREATE TABLE action_objects (
    action_id   bigint NOT NULL,
    object_type text NOT NULL,
    object_id   uuid NOT NULL,
    aspect      text NOT NULL,
    tree_id     uuid,
    before      jsonb,
    after       jsonb,
    PRIMARY KEY (action_id, object_type, object_id, aspect)
);
CREATE INDEX action_objects_by_object ON action_objects (object_type, object_id, action_id DESC);

-- The end of the chain. Its row lock is the last one that an action takes, so
-- that seq and the ids of events follow the order of commits.
CREATE TABLE action_chain (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    seq  bigint NOT NULL,
    hash bytea NOT NULL
);
INSERT INTO action_chain (seq, hash) VALUES (0, sha256('treewarden'));

-- +goose StatementBegin
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or removed', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege', HINT = 'Undo is a further action.';
END $$;
-- +goose StatementEnd
CREATE TRIGGER actions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON actions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER action_objects_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON action_objects
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What front ends must act on, in order.
CREATE TABLE events (
    id        bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    at        timestamptz NOT NULL DEFAULT now(),
    action_id bigint NOT NULL,
    kind      text NOT NULL,
    payload   json NOT NULL
);

-- The answer to a request that carried an Idempotency-Key, so that the same
-- request sent again acts once.
CREATE TABLE idempotency_keys (
    actor_id uuid NOT NULL,
    key      text NOT NULL,
    request  bytea NOT NULL,
    action_id bigint NOT NULL,
    at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (actor_id, key)
);
