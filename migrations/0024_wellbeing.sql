-- +goose Up
-- What a person sets for their own wellbeing in the queue; 0 is off. Nobody else sees it.
ALTER TABLE users
    -- Minutes of work in the queue after which they are reminded to take a break.
    ADD break_after        integer NOT NULL DEFAULT 0 CHECK (break_after = 0 OR break_after BETWEEN 15 AND 240),
    -- When they last dismissed the reminder; null is never.
    ADD break_dismissed_at timestamptz,
    -- The most toxic cases that they are offered within an hour.
    ADD toxic_per_hour     integer NOT NULL DEFAULT 0 CHECK (toxic_per_hour BETWEEN 0 AND 200);

-- When the person opened the case, anew if they come back to it after a break: without
-- one, they looked at it from opened_at to seen_at. Null if they only skipped it.
ALTER TABLE case_views ADD opened_at timestamptz;
UPDATE case_views SET opened_at = seen_at;
CREATE INDEX case_views_seen ON case_views (user_id, seen_at);
