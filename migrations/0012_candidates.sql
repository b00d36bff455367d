-- +goose Up
-- What rules find for lists. A person accepts or refuses each candidate; those
-- that are accepted become items of the list.

CREATE SEQUENCE list_candidate_ids;
CREATE TABLE list_candidates (
    list_id        uuid NOT NULL REFERENCES lists,
    message_id     uuid NOT NULL,
    -- Orders the candidates as they were found.
    candidate_id   bigint NOT NULL DEFAULT nextval('list_candidate_ids'),
    -- The action that ran the rule. Its entry in the log holds the rule.
    rule_action    bigint NOT NULL,
    -- What matched, and the MD5 of the text in which it did.
    evidence       jsonb NOT NULL,
    text_md5       uuid NOT NULL,
    -- Null as long as nobody decided.
    verdict        text CHECK (verdict IN ('accept', 'refuse')),
    decided_by     uuid REFERENCES users,
    decided_at     timestamptz,
    decided_action bigint,
    PRIMARY KEY (list_id, message_id)
);
CREATE UNIQUE INDEX list_candidates_in_order ON list_candidates (list_id, candidate_id);
CREATE INDEX list_candidates_open ON list_candidates (list_id, candidate_id) WHERE verdict IS NULL;
CREATE INDEX list_candidates_by_person ON list_candidates (decided_by);
