-- +goose Up
-- What the order of the queue needs of the message of an open case: its language, and
-- its toxicity by the highest of the classifiers, else by the labels of its file. They
-- follow the message while the case is open (store/cases), so that the queue reads the
-- cases of an author without their messages.
ALTER TABLE cases
    ADD lang text,
    ADD toxicity double precision;

UPDATE cases c SET lang = m.lang, toxicity = coalesce(
        (SELECT max(o.toxicity) FROM classifier_outputs o WHERE o.tree_id = c.tree_id AND o.message_id = c.message_id),
        (SELECT l.toxicity FROM label_aggregates l WHERE l.tree_id = c.tree_id AND l.message_id = c.message_id))
FROM messages m WHERE m.tree_id = c.tree_id AND m.message_id = c.message_id;
