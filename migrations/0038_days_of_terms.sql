-- +goose Up
-- The term of its day stands among the terms of each message (search.DayTerm), so that a
-- search for common words reads those of the newest days alone. Beside them stands which
-- words follow each other (search.Pairs), so that a search for a phrase reads few texts that
-- have its words apart. Rewriting rows costs more than deriving them anew, which serve does
-- in short transactions.
TRUNCATE message_terms;
ALTER TABLE message_terms ADD pairs bytea NOT NULL;

DELETE FROM text_backfill;
INSERT INTO text_backfill (after_tree, after_message)
SELECT '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000'
WHERE EXISTS (SELECT FROM messages);
