-- +goose Up
-- The check of a foreign key locks the row that it refers to. Each output of a classifier
-- wrote a lock into its message, which cost five times as much as the output itself. Who
-- writes an output has locked its tree, and has read or inserted the message and the model in
-- the same transaction; messages and models are never removed. "audit verify" looks for
-- outputs without them.
ALTER TABLE classifier_outputs
    DROP CONSTRAINT classifier_outputs_tree_id_message_id_fkey,
    DROP CONSTRAINT classifier_outputs_model_id_fkey;
