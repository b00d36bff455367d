-- +goose Up
-- The figures of the queue, counted as decisions happen (store/figures).
-- waited are the seconds from the first report or red flag of a person to the first
-- decision. Null: nobody has decided yet, or the case had only red flags of files, whose
-- date is the message's own. An undo leaves it: the first decision stays the first.
ALTER TABLE cases ADD waited bigint;

-- The decisions of an hour, a moderator, a language and an outcome. What is undone later
-- is counted in the hour of its decision. The others are about the cases that were
-- decided for the first time: the sum of their seconds, and how many waited up to a
-- limit and longer than the limit before it.
CREATE TABLE queue_hours (
    hour           timestamptz NOT NULL, -- its start, UTC
    moderator      uuid NOT NULL, -- zeros for the program itself
    lang           text NOT NULL,
    outcome        text NOT NULL,
    decided        bigint NOT NULL DEFAULT 0,
    undone         bigint NOT NULL DEFAULT 0,
    waited_seconds bigint NOT NULL DEFAULT 0,
    waited_5m      bigint NOT NULL DEFAULT 0,
    waited_15m     bigint NOT NULL DEFAULT 0,
    waited_1h      bigint NOT NULL DEFAULT 0,
    waited_4h      bigint NOT NULL DEFAULT 0,
    waited_12h     bigint NOT NULL DEFAULT 0,
    waited_1d      bigint NOT NULL DEFAULT 0,
    waited_3d      bigint NOT NULL DEFAULT 0,
    waited_7d      bigint NOT NULL DEFAULT 0,
    waited_more    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (hour, moderator, lang, outcome)
);

-- The decisions from before that stand. Those that were undone had no figures.
UPDATE cases SET waited = greatest(0, floor(extract(epoch FROM decided_at - opened_at)))::bigint
WHERE status = 'decided' AND imported_flags = 0;

INSERT INTO queue_hours (hour, moderator, lang, outcome, decided, waited_seconds, waited_5m, waited_15m, waited_1h,
    waited_4h, waited_12h, waited_1d, waited_3d, waited_7d, waited_more)
SELECT date_trunc('hour', decided_at, 'UTC'), coalesce(decided_by, '00000000-0000-0000-0000-000000000000'),
    coalesce(nullif(lang, ''), 'und'), outcome, count(*), coalesce(sum(waited), 0),
    count(*) FILTER (WHERE waited <= 300),
    count(*) FILTER (WHERE waited > 300 AND waited <= 900),
    count(*) FILTER (WHERE waited > 900 AND waited <= 3600),
    count(*) FILTER (WHERE waited > 3600 AND waited <= 14400),
    count(*) FILTER (WHERE waited > 14400 AND waited <= 43200),
    count(*) FILTER (WHERE waited > 43200 AND waited <= 86400),
    count(*) FILTER (WHERE waited > 86400 AND waited <= 259200),
    count(*) FILTER (WHERE waited > 259200 AND waited <= 604800),
    count(*) FILTER (WHERE waited > 604800)
FROM cases WHERE status = 'decided' GROUP BY 1, 2, 3, 4;
