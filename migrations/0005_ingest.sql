-- +goose Up
-- The events that front ends sent and that were taken in, so that one that is
-- sent again counts once.
CREATE TABLE ingest_events (
    event_id text PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT now()
);
