-- +goose Up
-- How many actions the log has by hour and by day, person and kind, counted in the
-- transaction of the action (store/chain). What is undone later is counted at the time of
-- its action.
CREATE TABLE action_counts (
    step    text NOT NULL, -- hour or day
    start   timestamptz NOT NULL, -- of the hour or day, UTC
    actor   uuid NOT NULL, -- zeros for the command line and the program itself
    kind    text NOT NULL,
    actions bigint NOT NULL,
    undone  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (step, start, actor, kind)
);

-- The actions from before.
INSERT INTO action_counts (step, start, actor, kind, actions, undone)
SELECT s.step, date_trunc(s.step, a.at, 'UTC'), coalesce(a.actor_id, '00000000-0000-0000-0000-000000000000'), a.kind,
    count(*), count(u.id)
FROM actions a LEFT JOIN actions u ON u.undoes = a.id CROSS JOIN (VALUES ('hour'), ('day')) s(step) GROUP BY 1, 2, 3, 4;
