-- +goose Up
-- An event's id belongs to its sender (the user of a key; the zero UUID: the command
-- line) and to its content. Events from before have no digest: their sender is not
-- known, and their ids count as known for everybody.
ALTER TABLE ingest_events
    ADD sender uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    ADD digest uuid,
    DROP CONSTRAINT ingest_events_pkey,
    ADD PRIMARY KEY (event_id, sender);
ALTER TABLE ingest_events ALTER sender DROP DEFAULT;

-- Names that front ends send are kept at any length, and an entry of an index has at
-- most 2,704 bytes: lists are in the order of a name's first 100 characters.
DROP INDEX users_by_name;
CREATE INDEX users_by_name ON users (left(lower(display_name), 100), user_id);

-- Each batch of an import asks for the users who were erased.
CREATE INDEX users_erased ON users (user_id) WHERE erased_at IS NOT NULL;
