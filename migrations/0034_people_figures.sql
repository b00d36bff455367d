-- +goose Up
-- The figures of what staff did read the log by time.
CREATE INDEX actions_by_time ON actions (at);

-- How far the raters of the same message agree (store/insights): sums over the votes of
-- the messages with two votes or more. It may be emptied at any time.
CREATE TABLE insight_raters (
    label    text NOT NULL,
    lang     text NOT NULL, -- of the message
    messages bigint NOT NULL,
    votes    bigint NOT NULL,
    sum      double precision NOT NULL, -- of the values
    squares  double precision NOT NULL,
    within   double precision NOT NULL, -- over messages, of n times the variance of its n votes
    PRIMARY KEY (label, lang)
);
