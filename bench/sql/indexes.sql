-- Exactly the indexes that Open-Assistant has: none on message.parent_id, none on
-- text_labels.user_id, none on troll_stats (time_frame, rank).
ALTER TABLE api_client ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON api_client (api_key);
ALTER TABLE "user" ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON "user" (api_client_id, username, auth_method);
CREATE UNIQUE INDEX ON "user" (display_name, id);
ALTER TABLE message ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON message (api_client_id, frontend_message_id);
CREATE INDEX ON message (message_tree_id);
CREATE INDEX ON message (task_id);
CREATE INDEX ON message (user_id);
CREATE INDEX ON message (created_date);
CREATE INDEX ON message USING gin (search_vector);
ALTER TABLE message_tree_state ADD PRIMARY KEY (message_tree_id);
CREATE INDEX ON message_tree_state (state, lang);
CREATE INDEX ON message_tree_state (active);
ALTER TABLE message_emoji ADD PRIMARY KEY (message_id, user_id, emoji);
CREATE INDEX ON message_emoji (user_id, message_id);
ALTER TABLE text_labels ADD PRIMARY KEY (id);
CREATE INDEX ON text_labels (created_date);
CREATE INDEX ON text_labels (message_id);
CREATE INDEX ON text_labels (task_id);
ALTER TABLE message_toxicity ADD PRIMARY KEY (message_id, model);
ALTER TABLE troll_stats ADD PRIMARY KEY (user_id, time_frame);
CREATE UNIQUE INDEX ON troll_stats (time_frame, user_id);
