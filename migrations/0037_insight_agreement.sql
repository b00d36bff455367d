-- +goose Up
-- How far outputs of classifiers agree with what people said of the same messages
-- (store/insights). Both tables may be emptied at any time.

-- The lowest and the highest value of each output.
CREATE TABLE insight_ranges (
    model_id smallint NOT NULL,
    output   text NOT NULL,
    low      double precision NOT NULL,
    high     double precision NOT NULL,
    PRIMARY KEY (model_id, output)
);

-- The outputs whose values are all from 0 to 1.
CREATE TABLE insight_agreement (
    reference text NOT NULL, -- toxicity or spam: the mean human label; staff: what staff decided
    output    text NOT NULL,
    model_id  smallint NOT NULL,
    lang      text NOT NULL, -- of the message
    positives integer[] NOT NULL, -- messages by bin of the output: those that people found bad
    negatives integer[] NOT NULL, -- and the others
    PRIMARY KEY (reference, output, model_id, lang)
);

-- Serve counts at once, so that the new figures are not missing until something changes.
DELETE FROM insight_state;
