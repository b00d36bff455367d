-- Open-Assistant's tables, as far as its board, its refresh and its delete touch
-- them. Keys, indexes and foreign keys come after the rows (indexes.sql,
-- keys.sql), so that they load quickly.
CREATE TABLE api_client (
  id uuid NOT NULL, api_key varchar(512) NOT NULL, description varchar(256) NOT NULL,
  admin_email varchar(256), enabled boolean NOT NULL DEFAULT true, trusted boolean NOT NULL DEFAULT false,
  frontend_type varchar(256));

CREATE TABLE "user" (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  username varchar(128) NOT NULL, auth_method varchar(128) NOT NULL, display_name varchar(256) NOT NULL,
  created_date timestamptz NOT NULL DEFAULT now(), api_client_id uuid NOT NULL,
  enabled boolean NOT NULL DEFAULT true, notes varchar(1024) NOT NULL DEFAULT '',
  deleted boolean NOT NULL DEFAULT false, show_on_leaderboard boolean NOT NULL DEFAULT true,
  streak_last_day_date timestamptz DEFAULT now(), streak_days integer,
  last_activity_date timestamptz DEFAULT now(), tos_acceptance_date timestamptz);

CREATE TABLE message (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  parent_id uuid, message_tree_id uuid NOT NULL, task_id uuid, user_id uuid,
  role varchar(128) NOT NULL, api_client_id uuid NOT NULL, frontend_message_id varchar(200) NOT NULL,
  created_date timestamptz NOT NULL DEFAULT now(), payload_type varchar(200) NOT NULL, payload jsonb,
  lang varchar(32) NOT NULL DEFAULT 'en', depth integer NOT NULL DEFAULT 0, children_count integer NOT NULL DEFAULT 0,
  deleted boolean NOT NULL DEFAULT false, search_vector tsvector,
  review_count integer NOT NULL DEFAULT 0, review_result boolean, ranking_count integer NOT NULL DEFAULT 0,
  rank integer, synthetic boolean NOT NULL DEFAULT false, edited boolean NOT NULL DEFAULT false,
  model_name varchar(1024),
  emojis jsonb);

CREATE TABLE message_tree_state (
  message_tree_id uuid NOT NULL, goal_tree_size integer NOT NULL, max_depth integer NOT NULL,
  max_children_count integer NOT NULL, state varchar(128) NOT NULL, active boolean NOT NULL,
  origin varchar(1024), won_prompt_lottery_date timestamptz, lang varchar(32) NOT NULL);

CREATE TABLE message_emoji (
  message_id uuid NOT NULL, user_id uuid NOT NULL, emoji varchar(128) NOT NULL,
  created_date timestamptz NOT NULL DEFAULT now());

CREATE TABLE text_labels (
  id uuid NOT NULL DEFAULT gen_random_uuid(), user_id uuid NOT NULL,
  created_date timestamptz NOT NULL DEFAULT now(), api_client_id uuid NOT NULL,
  text varchar(65536) NOT NULL, message_id uuid, labels jsonb, task_id uuid);

CREATE TABLE message_toxicity (
  message_id uuid NOT NULL, model varchar(256) NOT NULL, score double precision, label varchar(256) NOT NULL,
  created_date timestamptz NOT NULL DEFAULT now());

CREATE TABLE troll_stats (
  time_frame varchar NOT NULL, user_id uuid NOT NULL, base_date timestamptz,
  troll_score integer NOT NULL, modified_date timestamptz NOT NULL DEFAULT now(), rank integer,
  red_flags integer NOT NULL, upvotes integer NOT NULL, downvotes integer NOT NULL, spam_prompts integer NOT NULL,
  quality double precision, humor double precision, toxicity double precision, violence double precision,
  helpfulness double precision,
  spam integer NOT NULL, lang_mismach integer NOT NULL, not_appropriate integer NOT NULL, pii integer NOT NULL,
  hate_speech integer NOT NULL, sexual_content integer NOT NULL, political_content integer NOT NULL);
