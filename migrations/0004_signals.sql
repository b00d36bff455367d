-- +goose Up
-- Counters of signals: for each author, how often each signal was given in
-- all (grain 0, at '-infinity'), on each day (1, UTC), and in each hour of the
-- last two days (2), as both ways of counting have it. They are written in the
-- transaction that changes what they count (store/tally.go), so that a board
-- sums few rows and is never late. Rows carry user_id in every key: in a
-- distributed PostgreSQL they are spread by it.
CREATE TABLE user_signals (
    user_id uuid NOT NULL REFERENCES users,
    grain   smallint NOT NULL CHECK (grain IN (0, 1, 2)),
    at      timestamptz NOT NULL,
    -- As the formula treewarden counts.
    red_flags bigint NOT NULL, upvotes bigint NOT NULL, downvotes bigint NOT NULL, spam_labels bigint NOT NULL,
    spam_prompts bigint NOT NULL, rejected bigint NOT NULL, lang_mismatch bigint NOT NULL, not_appropriate bigint NOT NULL,
    pii bigint NOT NULL, hate_speech bigint NOT NULL, sexual_content bigint NOT NULL, political_content bigint NOT NULL,
    toxic_messages bigint NOT NULL, deleted bigint NOT NULL,
    -- As the old console counted.
    ref_red_flags bigint NOT NULL, ref_upvotes bigint NOT NULL, ref_downvotes bigint NOT NULL, ref_spam_labels bigint NOT NULL,
    ref_spam_prompts bigint NOT NULL, ref_rejected bigint NOT NULL, ref_lang_mismatch bigint NOT NULL, ref_not_appropriate bigint NOT NULL,
    ref_pii bigint NOT NULL, ref_hate_speech bigint NOT NULL, ref_sexual_content bigint NOT NULL, ref_political_content bigint NOT NULL,
    ref_toxic_messages bigint NOT NULL, ref_deleted bigint NOT NULL,
    -- Messages written, and what makes the mean toxicity of a classifier and of
    -- human labels: sums in units of 10^-12, so that adding and taking away
    -- never drifts.
    messages bigint NOT NULL,
    toxicity_sum bigint NOT NULL, toxicity_count bigint NOT NULL,
    label_toxicity_sum bigint NOT NULL, label_toxicity_count bigint NOT NULL,
    PRIMARY KEY (user_id, grain, at)
);
CREATE INDEX user_signals_by_time ON user_signals (grain, at);

-- How many messages a user wrote in each language.
CREATE TABLE user_languages (
    user_id  uuid NOT NULL REFERENCES users,
    lang     text NOT NULL,
    messages bigint NOT NULL,
    PRIMARY KEY (user_id, lang)
);
