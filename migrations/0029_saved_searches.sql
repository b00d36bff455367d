-- +goose Up
-- Searches of messages that people saved (store/searches).
CREATE TABLE saved_searches (
    search_id    uuid PRIMARY KEY,
    owner_id     uuid NOT NULL REFERENCES users,
    name         text NOT NULL,
    query        text NOT NULL, -- a query line, as it was typed
    shared       boolean NOT NULL,
    created_date timestamptz NOT NULL,
    UNIQUE (owner_id, name)
);
CREATE INDEX saved_searches_by_date ON saved_searches (created_date DESC, search_id DESC);

-- When a person last looked at the results of a search, their own or a shared one.
CREATE TABLE saved_search_looks (
    search_id uuid NOT NULL REFERENCES saved_searches ON DELETE CASCADE,
    user_id   uuid NOT NULL REFERENCES users,
    looked_at timestamptz NOT NULL,
    PRIMARY KEY (search_id, user_id)
);
CREATE INDEX saved_search_looks_by_person ON saved_search_looks (user_id);
