-- +goose Up
-- Figures of the whole collection, which serve counts in the background
-- (store/insights): all of them in one snapshot of the database, and anew after changes.
-- No other table refers to them, and they may be emptied at any time.

CREATE TABLE insight_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    as_of    timestamptz NOT NULL, -- of the snapshot
    changes  bigint NOT NULL, -- rows written to what is counted, by the server's statistics
    seconds  double precision NOT NULL -- how long the count took
);

-- Outputs of classifiers, with sums of the values and of their squares.
CREATE TABLE insight_outputs (
    model_id smallint NOT NULL,
    output   text NOT NULL,
    lang     text NOT NULL,
    deleted  boolean NOT NULL,
    review   text NOT NULL, -- accepted, rejected or pending
    messages bigint NOT NULL,
    sum      double precision NOT NULL,
    squares  double precision NOT NULL,
    PRIMARY KEY (model_id, output, lang, deleted, review)
);

-- The same of the messages on each list.
CREATE TABLE insight_lists (
    list_id  uuid NOT NULL,
    model_id smallint NOT NULL,
    output   text NOT NULL,
    messages bigint NOT NULL,
    sum      double precision NOT NULL,
    squares  double precision NOT NULL,
    PRIMARY KEY (list_id, model_id, output)
);

-- Messages that have both an output (x) and a mean human label (y).
CREATE TABLE insight_pairs (
    model_id smallint NOT NULL,
    output   text NOT NULL,
    label    text NOT NULL,
    deleted  boolean NOT NULL,
    messages bigint NOT NULL,
    x        double precision NOT NULL, -- sums
    y        double precision NOT NULL,
    xx       double precision NOT NULL,
    yy       double precision NOT NULL,
    xy       double precision NOT NULL,
    PRIMARY KEY (model_id, output, label, deleted)
);

-- How many users wrote so many messages in a role and a time frame before as_of.
CREATE TABLE insight_authors (
    role     text NOT NULL, -- prompter, assistant or any
    frame    text NOT NULL,
    messages bigint NOT NULL, -- of each of the users
    users    bigint NOT NULL,
    PRIMARY KEY (role, frame, messages)
);

-- Those who wrote most.
CREATE TABLE insight_top (
    role     text NOT NULL,
    frame    text NOT NULL,
    place    integer NOT NULL,
    user_id  uuid NOT NULL,
    messages bigint NOT NULL,
    PRIMARY KEY (role, frame, place)
);
