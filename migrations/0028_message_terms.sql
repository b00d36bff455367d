-- +goose Up
-- The terms of each text, by which the search finds candidates (corpus/search).
-- They have a table of their own for the reasons of the table sketches.
CREATE TABLE message_terms (
    tree_id    uuid NOT NULL,
    message_id uuid NOT NULL,
    terms      integer[] NOT NULL, -- sorted; empty if the text has no word
    PRIMARY KEY (tree_id, message_id)
);
-- A text has some 60 entries. They wait in the index's list and are sorted in
-- later, many at once (derived.KeepUp, and PostgreSQL's own vacuum). The list may
-- grow to 2 GB, so that no import stops to do that.
CREATE INDEX message_terms_by_term ON message_terms USING gin (terms) WITH (gin_pending_list_limit = 2097151);
-- The planner must know many common words: one that it does not know counts as
-- rare, and all messages that have it would be read before the newest are shown.
ALTER TABLE message_terms ALTER COLUMN terms SET STATISTICS 1000;

-- How far the texts from before a migration have what is derived from them, the
-- sketches as well as the terms. The row goes with the last of them.
ALTER TABLE sketch_backfill RENAME TO text_backfill;
DELETE FROM text_backfill;
INSERT INTO text_backfill (after_tree, after_message)
SELECT '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000'
WHERE EXISTS (SELECT FROM messages);
