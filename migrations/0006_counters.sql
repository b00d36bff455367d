-- +goose Up
-- Most of what user_signals counts is nothing for most users: null stands for
-- 0 and takes no room, so that the rows are a third as long.
ALTER TABLE user_signals
    ALTER red_flags DROP NOT NULL, ALTER upvotes DROP NOT NULL, ALTER downvotes DROP NOT NULL, ALTER spam_labels DROP NOT NULL,
    ALTER spam_prompts DROP NOT NULL, ALTER rejected DROP NOT NULL, ALTER lang_mismatch DROP NOT NULL, ALTER not_appropriate DROP NOT NULL,
    ALTER pii DROP NOT NULL, ALTER hate_speech DROP NOT NULL, ALTER sexual_content DROP NOT NULL, ALTER political_content DROP NOT NULL,
    ALTER toxic_messages DROP NOT NULL, ALTER deleted DROP NOT NULL,
    ALTER ref_red_flags DROP NOT NULL, ALTER ref_upvotes DROP NOT NULL, ALTER ref_downvotes DROP NOT NULL, ALTER ref_spam_labels DROP NOT NULL,
    ALTER ref_spam_prompts DROP NOT NULL, ALTER ref_rejected DROP NOT NULL, ALTER ref_lang_mismatch DROP NOT NULL, ALTER ref_not_appropriate DROP NOT NULL,
    ALTER ref_pii DROP NOT NULL, ALTER ref_hate_speech DROP NOT NULL, ALTER ref_sexual_content DROP NOT NULL, ALTER ref_political_content DROP NOT NULL,
    ALTER ref_toxic_messages DROP NOT NULL, ALTER ref_deleted DROP NOT NULL,
    ALTER messages DROP NOT NULL, ALTER toxicity_sum DROP NOT NULL, ALTER toxicity_count DROP NOT NULL,
    ALTER label_toxicity_sum DROP NOT NULL, ALTER label_toxicity_count DROP NOT NULL;

-- Boards are read by user; only once an hour is it asked whose hours and days
-- are over, which is worth no index that every new row has to enter.
DROP INDEX user_signals_by_time;

-- A row changes often and by little: room in its page keeps the change there.
ALTER TABLE user_signals SET (fillfactor = 80);

-- What the counters were counted with: the classifier's toxicity from which a
-- message counts as toxic. Who counts with another begins again.
CREATE TABLE counted_with (
    single     boolean PRIMARY KEY DEFAULT true CHECK (single),
    toxic_from double precision NOT NULL
);
INSERT INTO counted_with (toxic_from) VALUES (0.5);
