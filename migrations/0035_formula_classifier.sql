-- +goose Up
-- The names of the models whose toxicity counts, separated by ", ": the highest of
-- them. The empty string means the highest of all models, where the embedded model
-- counts only for messages that no other model has a toxicity of.
ALTER TABLE formula_versions ADD COLUMN classifier text NOT NULL DEFAULT '';

-- The counters are counted by these models. Transactions that counted by others are
-- retried.
ALTER TABLE counted_with ADD COLUMN classifier text NOT NULL DEFAULT '';
