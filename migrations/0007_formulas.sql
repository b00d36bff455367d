-- +goose Up
-- The formula that weighs signals, version by version: the highest version is
-- the one in force. formula_id is what the audit log calls the formula by.
-- Weights are read as a whole and never summed here, so that a new signal
-- needs no column.
CREATE TABLE formula_versions (
    formula_id uuid NOT NULL,
    version    integer NOT NULL CHECK (version > 0),
    name       text NOT NULL,
    weights    jsonb NOT NULL,
    toxic_from double precision NOT NULL CHECK (toxic_from BETWEEN 0 AND 1),
    note       text NOT NULL,
    author_id  uuid REFERENCES users,
    author     text NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    action_id  bigint, -- null for the one that ships
    PRIMARY KEY (formula_id, version)
);

INSERT INTO formula_versions (formula_id, version, name, weights, toxic_from, note, author) VALUES (
    '5c0f7a10-0000-4000-8000-000000000001', 1, 'treewarden',
    '{"red_flags": 3, "upvotes": -1, "downvotes": 1, "spam_labels": 1, "spam_prompts": 1, "rejected": 2, "lang_mismatch": 1, "not_appropriate": 1,
      "pii": 1, "hate_speech": 3, "sexual_content": 1, "political_content": 0, "toxic_messages": 2, "deleted": 3}',
    0.5, 'As shipped.', 'treewarden');

-- Who wrote a prompt that was rejected is a known troll when formulas are
-- compared; rejected replies have a counter, these do not.
CREATE INDEX messages_rejected_prompts ON messages (user_id) WHERE review_result = false AND parent_id IS NULL;

CREATE TRIGGER formula_versions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON formula_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
