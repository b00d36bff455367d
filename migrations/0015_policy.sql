-- +goose Up
-- What roles may do, version by version: the highest version is in force. Rules are
-- lines as casbin reads them, null the ones that ship with the program: a newer
-- program brings its own. known holds the permissions that there were when the
-- version was made: later ones are granted as they ship.
CREATE TABLE policy_versions (
    version   integer PRIMARY KEY CHECK (version > 0),
    rules     jsonb,
    known     text[] NOT NULL,
    note      text NOT NULL,
    author_id uuid REFERENCES users,
    author    text NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    action_id bigint -- null for the one that ships
);

INSERT INTO policy_versions (version, known, note, author) VALUES (1, '{}', 'As shipped.', 'treewarden');

CREATE TRIGGER policy_versions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON policy_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The languages that a member of staff may act on, besides the limit of their
-- role; null is no limit.
ALTER TABLE users ADD languages text[];
