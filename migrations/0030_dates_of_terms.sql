-- +goose Up
-- The date of each message stands beside its terms, so that a search sorts what has the
-- terms without a look at each message, and the term of its language among them.
-- Rewriting rows costs more than deriving them anew, which serve does in short
-- transactions.
DROP TABLE message_terms;
CREATE TABLE message_terms (
    tree_id      uuid NOT NULL,
    message_id   uuid NOT NULL,
    created_date timestamptz NOT NULL, -- as in messages
    terms        integer[] NOT NULL, -- sorted; empty if the text has no word
    PRIMARY KEY (tree_id, message_id)
);
-- See 0028 for the two settings.
CREATE INDEX message_terms_by_term ON message_terms USING gin (terms) WITH (gin_pending_list_limit = 2097151);
ALTER TABLE message_terms ALTER COLUMN terms SET STATISTICS 1000;

DELETE FROM text_backfill;
INSERT INTO text_backfill (after_tree, after_message)
SELECT '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000'
WHERE EXISTS (SELECT FROM messages);
