-- +goose Up
-- The figures of what staff did read the log by time.
CREATE INDEX actions_by_time ON actions (at);
