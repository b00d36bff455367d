-- +goose Up
-- How many messages, trees and users there are by language, tree state, review and month.
CREATE TABLE insight_collection (
    of      text NOT NULL, -- messages, trees or users
    by      text NOT NULL, -- lang, state, review or month; all for the one group of everything
    key     text NOT NULL, -- the group; empty for all
    lang    text NOT NULL, -- only of this language; empty for all of them
    frame   text NOT NULL, -- only of this time frame before as_of
    n       bigint NOT NULL,
    deleted bigint NOT NULL, -- messages, or trees whose prompt is; 0 for users
    PRIMARY KEY (of, by, lang, frame, key)
);

-- Serve counts at once, so that the new figures are not missing until something changes.
DELETE FROM insight_state;
