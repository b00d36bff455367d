-- +goose Up
-- Messages that came in several versions in one import, with a digest of the line that
-- holds: the last one. When the same file comes again, its other lines about them do
-- not count as news.
CREATE TABLE import_versions (
    message_id uuid PRIMARY KEY,
    digest     uuid NOT NULL
);
