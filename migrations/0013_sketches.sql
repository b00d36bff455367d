-- +goose Up
-- A few numbers of each text, by which texts are found that may be alike
-- (scoring/likeness). They have a table of their own, so that an update of a
-- message writes no index of theirs. There is no foreign key, which would check
-- each row of an import; no message is ever removed.
CREATE TABLE sketches (
    tree_id    uuid NOT NULL,
    message_id uuid NOT NULL,
    bands      integer[] NOT NULL, -- empty if the text is too short
    PRIMARY KEY (tree_id, message_id)
);
-- Writing 8 entries a message into the index would take an import as long as all
-- the rest. They wait in its list, and are sorted in later, many at once
-- (similar.KeepUp, and PostgreSQL's own vacuum).
CREATE INDEX sketches_by_band ON sketches USING gin (bands) WITH (gin_pending_list_limit = 262144);

-- How far the texts from before this migration have their sketches. The row goes
-- with the last of them.
CREATE TABLE sketch_backfill (
    only_row      boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    after_tree    uuid NOT NULL,
    after_message uuid NOT NULL
);
INSERT INTO sketch_backfill (after_tree, after_message)
SELECT '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000'
WHERE EXISTS (SELECT FROM messages);
