-- +goose Up
-- The weights that order the queue, version by version: the highest version is in
-- force. Weights are read as a whole, so that a new part needs no column.
CREATE TABLE priority_versions (
    version   integer PRIMARY KEY CHECK (version > 0),
    weights   jsonb NOT NULL,
    note      text NOT NULL,
    author_id uuid REFERENCES users,
    author    text NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    action_id bigint -- null for the one that ships
);

INSERT INTO priority_versions (version, weights, note, author) VALUES (
    1, '{"author_score": 4, "reporters": 8, "toxicity": 10, "age": 0.2}', 'As shipped.', 'treewarden');

CREATE TRIGGER priority_versions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON priority_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
