-- +goose Up
-- Lists of messages that data leads gather before a release. An item is a
-- message id, and may name a message that is not here: the list says so. The
-- rows are no part of a tree, so they are not spread by tree_id.

CREATE TABLE lists (
    list_id      uuid PRIMARY KEY,
    name         text NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('bad', 'good', 'custom')),
    note         text NOT NULL DEFAULT '',
    owner_id     uuid REFERENCES users,
    created_date timestamptz NOT NULL,
    archived     boolean NOT NULL DEFAULT false,
    -- The creation was undone, or is not finished.
    removed      boolean NOT NULL DEFAULT false,
    items        bigint NOT NULL DEFAULT 0,
    version      integer NOT NULL DEFAULT 1
);
CREATE INDEX lists_by_date ON lists (created_date DESC, list_id DESC) WHERE NOT removed;
CREATE INDEX lists_by_owner ON lists (owner_id);

-- Who audited a list when, and the number of items by state then.
CREATE TABLE list_audits (
    list_id uuid NOT NULL REFERENCES lists,
    at      timestamptz NOT NULL,
    by      uuid REFERENCES users,
    counts  jsonb NOT NULL,
    PRIMARY KEY (list_id, at)
);
CREATE INDEX list_audits_by_person ON list_audits (by);

CREATE SEQUENCE list_item_ids;
CREATE TABLE list_items (
    list_id    uuid NOT NULL REFERENCES lists,
    message_id uuid NOT NULL,
    -- Orders the items as they were added.
    item_id    bigint NOT NULL DEFAULT nextval('list_item_ids'),
    note       text NOT NULL DEFAULT '',
    added_by   uuid REFERENCES users,
    added_at   timestamptz NOT NULL,
    action_id  bigint NOT NULL,
    -- The MD5 of the text when it was added; null if the message was not here.
    text_md5   uuid,
    PRIMARY KEY (list_id, message_id)
);
CREATE UNIQUE INDEX list_items_in_order ON list_items (list_id, item_id);
CREATE INDEX list_items_by_message ON list_items (message_id);
CREATE INDEX list_items_by_person ON list_items (added_by);
