-- +goose Up
-- A case is what the queue hands out: one message with its open reports and red flags.
-- What staff decided about a red flag; null while nobody did. Dismissed ones do not count.
ALTER TABLE reactions ADD decision text CHECK (decision IN ('upheld', 'dismissed'));
-- Of the imported red flags: those that a case was decided about, and of these those
-- that were dismissed.
ALTER TABLE emoji_aggregates
    ADD decided_flags integer NOT NULL DEFAULT 0,
    ADD dismissed_flags integer NOT NULL DEFAULT 0;

CREATE SEQUENCE case_ids;
CREATE TABLE cases (
    tree_id        uuid NOT NULL,
    message_id     uuid NOT NULL,
    case_id        bigint NOT NULL DEFAULT nextval('case_ids'),
    user_id        uuid, -- the message's author
    status         text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'decided', 'withdrawn')),
    opened_at      timestamptz NOT NULL, -- the first of its flags
    -- The open flags: everybody who reported or flagged the message, once; how many
    -- reported it; how many gave a red flag; red flags of files.
    reporters      uuid[] NOT NULL,
    reports        integer NOT NULL,
    red_flags      integer NOT NULL,
    imported_flags integer NOT NULL,
    -- Nobody is asked about the case before this time; null is now.
    later_until    timestamptz,
    -- Who looks at the case. After the time, and if they may no longer work in the
    -- queue, it is free.
    claimed_by     uuid,
    claimed_until  timestamptz,
    outcome        text, -- dismiss, delete, reject, halt or ban
    decided_by     uuid,
    decided_at     timestamptz,
    action_id      bigint,
    PRIMARY KEY (tree_id, message_id, case_id),
    FOREIGN KEY (tree_id, message_id) REFERENCES messages,
    CHECK ((status = 'decided') = (outcome IS NOT NULL AND action_id IS NOT NULL))
);
CREATE UNIQUE INDEX cases_open ON cases (tree_id, message_id) WHERE status = 'open';
CREATE INDEX cases_by_id ON cases (case_id);
CREATE INDEX cases_by_author ON cases (user_id) WHERE status = 'open';
CREATE INDEX cases_claimed ON cases (claimed_by) WHERE claimed_by IS NOT NULL;
CREATE INDEX cases_decided ON cases (decided_at DESC, case_id DESC) WHERE status = 'decided';
CREATE INDEX cases_decided_by ON cases (decided_by, decided_at DESC) WHERE status = 'decided';
CREATE INDEX cases_decided_on ON cases USING gin (reporters) WHERE status = 'decided';

-- What a member of staff did with a case: when they last opened it, and when they
-- skipped it. Skipped cases are not offered to them until they ask for them again.
CREATE TABLE case_views (
    user_id    uuid NOT NULL,
    case_id    bigint NOT NULL,
    seen_at    timestamptz NOT NULL,
    skipped_at timestamptz,
    PRIMARY KEY (user_id, case_id)
);
CREATE INDEX case_views_skipped ON case_views (user_id) WHERE skipped_at IS NOT NULL;

-- Messages with open reports and red flags from before (store/cases opens others).
INSERT INTO cases (tree_id, message_id, user_id, opened_at, reporters, reports, red_flags, imported_flags)
SELECT m.tree_id, m.message_id, m.user_id, min(f.at), coalesce(array_agg(DISTINCT f.user_id)
        FILTER (WHERE f.user_id IS NOT NULL), '{}'), sum(f.reports), sum(f.red_flags), sum(f.imported)
FROM (
    SELECT tree_id, message_id, user_id, at, 1 AS reports, 0 AS red_flags, 0 AS imported
        FROM reports WHERE status = 'open'
    UNION ALL SELECT tree_id, message_id, user_id, at, 0, 1, 0 FROM reactions WHERE emoji = 'red_flag'
    UNION ALL SELECT e.tree_id, e.message_id, NULL,
            CASE WHEN n.created_date = '-infinity' THEN now() ELSE n.created_date END, 0, 0, e.red_flags
        FROM emoji_aggregates e JOIN messages n ON n.tree_id = e.tree_id AND n.message_id = e.message_id
        WHERE e.red_flags > 0 AND NOT n.deleted
) f JOIN messages m ON m.tree_id = f.tree_id AND m.message_id = f.message_id
GROUP BY m.tree_id, m.message_id;
