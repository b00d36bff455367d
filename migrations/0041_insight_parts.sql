-- +goose Up
-- What figures of the collection (store/insights) count by tree follows each change within
-- seconds: the trees that changed are counted again, by parts of the collection.

-- Trees in which something changed that figures count. Who writes adds a row in the same
-- transaction; who counts deletes it. A row that is too much does no harm.
CREATE TABLE insight_changes (
    tree_id uuid NOT NULL
);

-- What each part of the collection adds to the figures. A part is the trees after the
-- last one of the part before, in the order of their ids.
CREATE TABLE insight_parts (
    last    uuid PRIMARY KEY,
    trees   integer NOT NULL,
    figures bytea NOT NULL, -- as the program encodes them
    -- The lowest and the highest value of each output in the part.
    models  smallint[] NOT NULL,
    outputs text[] NOT NULL,
    lows    double precision[] NOT NULL,
    highs   double precision[] NOT NULL
);

-- The messages of each user in a role and a time frame before as_of. It takes the place of
-- counts that were made of all users at once.
CREATE TABLE insight_writers (
    role     text NOT NULL, -- prompter, assistant or any
    frame    text NOT NULL,
    user_id  uuid NOT NULL,
    messages bigint NOT NULL,
    PRIMARY KEY (role, frame, user_id)
);
DROP TABLE insight_authors;
DROP TABLE insight_top;

-- The groups of messages in which a user wrote. Users by group do not add up by tree, so
-- that users of changed trees are read again one by one.
CREATE TABLE insight_user_groups (
    user_id uuid NOT NULL,
    lang    text NOT NULL, -- of the message
    state   text NOT NULL, -- of its tree
    review  text NOT NULL,
    month   text NOT NULL,
    frames  integer NOT NULL, -- the time frames with messages: 1 for the first one, 2, 4 and so on
    PRIMARY KEY (user_id, lang, state, review, month)
);

-- Users whose groups are to be read again. A row that is too much does no harm.
CREATE TABLE insight_changed_users (
    user_id uuid NOT NULL
);

-- When parts were last counted again, and how long that took; null after a whole count.
ALTER TABLE insight_state ADD COLUMN updated_at timestamptz, ADD COLUMN update_seconds double precision;

-- Serve counts at once, so that there are parts.
DELETE FROM insight_state;
