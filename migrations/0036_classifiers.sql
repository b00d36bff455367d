-- +goose Up
-- The classifiers that the program runs itself (store/classify).
ALTER TABLE classifier_models
    ADD active boolean NOT NULL DEFAULT false, -- new and edited messages are queued for it
    ADD languages text[] NOT NULL DEFAULT '{}'; -- that it is run on; empty is all

-- text_hash is the beginning of the SHA-256 of the text that the model saw. It is null for
-- an output from outside, of a text that was never edited since. Such an output is never
-- overwritten: only those with run_here are the program's own.
ALTER TABLE classifier_outputs
    ADD text_hash bytea,
    ADD run_here boolean NOT NULL DEFAULT false;

-- The new and edited messages that a classifier has yet to see. The transaction that
-- writes a text adds its rows; the one that writes the output removes them.
CREATE TABLE classifier_queue (
    model_id   smallint NOT NULL REFERENCES classifier_models,
    tree_id    uuid NOT NULL,
    message_id uuid NOT NULL,
    queued_at  timestamptz NOT NULL DEFAULT now(),
    due_at     timestamptz NOT NULL DEFAULT now(), -- a process may take it from then on
    PRIMARY KEY (model_id, tree_id, message_id)
);
CREATE INDEX classifier_queue_by_due ON classifier_queue (model_id, due_at);

-- The texts that a classifier refuses, so that they are not sent again and again.
CREATE TABLE classifier_failures (
    model_id   smallint NOT NULL REFERENCES classifier_models,
    tree_id    uuid NOT NULL,
    message_id uuid NOT NULL,
    text_hash  bytea NOT NULL,
    error      text NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model_id, tree_id, message_id)
);
