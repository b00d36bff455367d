-- +goose Up
-- What counts as Open-Assistant counted is called legacy everywhere.
ALTER TABLE user_signals RENAME ref_red_flags TO legacy_red_flags;
ALTER TABLE user_signals RENAME ref_upvotes TO legacy_upvotes;
ALTER TABLE user_signals RENAME ref_downvotes TO legacy_downvotes;
ALTER TABLE user_signals RENAME ref_spam_labels TO legacy_spam_labels;
ALTER TABLE user_signals RENAME ref_spam_prompts TO legacy_spam_prompts;
ALTER TABLE user_signals RENAME ref_rejected TO legacy_rejected;
ALTER TABLE user_signals RENAME ref_lang_mismatch TO legacy_lang_mismatch;
ALTER TABLE user_signals RENAME ref_not_appropriate TO legacy_not_appropriate;
ALTER TABLE user_signals RENAME ref_pii TO legacy_pii;
ALTER TABLE user_signals RENAME ref_hate_speech TO legacy_hate_speech;
ALTER TABLE user_signals RENAME ref_sexual_content TO legacy_sexual_content;
ALTER TABLE user_signals RENAME ref_political_content TO legacy_political_content;
ALTER TABLE user_signals RENAME ref_toxic_messages TO legacy_toxic_messages;
ALTER TABLE user_signals RENAME ref_deleted TO legacy_deleted;
