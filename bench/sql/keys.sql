-- NOT VALID: enforced from here on, without looking at the rows that are there.
ALTER TABLE "user" ADD FOREIGN KEY (api_client_id) REFERENCES api_client NOT VALID;
ALTER TABLE message ADD FOREIGN KEY (user_id) REFERENCES "user" NOT VALID;
ALTER TABLE message ADD FOREIGN KEY (api_client_id) REFERENCES api_client NOT VALID;
ALTER TABLE message_tree_state ADD FOREIGN KEY (message_tree_id) REFERENCES message NOT VALID;
ALTER TABLE message_emoji ADD FOREIGN KEY (message_id) REFERENCES message ON DELETE CASCADE NOT VALID;
ALTER TABLE message_emoji ADD FOREIGN KEY (user_id) REFERENCES "user" ON DELETE CASCADE NOT VALID;
ALTER TABLE text_labels ADD FOREIGN KEY (user_id) REFERENCES "user" NOT VALID;
ALTER TABLE text_labels ADD FOREIGN KEY (api_client_id) REFERENCES api_client NOT VALID;
ALTER TABLE text_labels ADD FOREIGN KEY (message_id) REFERENCES message NOT VALID;
ALTER TABLE message_toxicity ADD FOREIGN KEY (message_id) REFERENCES message NOT VALID;
ALTER TABLE troll_stats ADD FOREIGN KEY (user_id) REFERENCES "user" ON DELETE CASCADE NOT VALID;
