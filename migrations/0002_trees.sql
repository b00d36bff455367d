-- +goose Up
-- Trees and everything that hangs on a message. Every primary and unique key
-- here holds tree_id and no table has a trigger, so that all of it can be
-- distributed by tree_id (store/schema_test.go holds this). Dates that a file
-- did not bring are '-infinity': they sort last and belong to no time frame
-- but the whole.

CREATE TABLE trees (
    tree_id            uuid PRIMARY KEY,
    state              text NOT NULL,
    active             boolean NOT NULL DEFAULT false,
    goal_tree_size     integer,
    max_depth          integer,
    max_children_count integer,
    origin             text,
    lang               text,
    created_date       timestamptz NOT NULL DEFAULT '-infinity',
    user_id            uuid REFERENCES users,
    -- What a halt replaced, so that resume can put it back.
    halted_state       text,
    halted_active      boolean,
    -- Set once staff decided on the state: imports leave it alone from then on.
    state_by_staff     boolean NOT NULL DEFAULT false,
    version            integer NOT NULL DEFAULT 1
);
CREATE INDEX trees_by_date ON trees (created_date DESC, tree_id DESC);
CREATE INDEX trees_by_state ON trees (state, created_date DESC, tree_id DESC);
CREATE INDEX trees_by_lang ON trees (lang, created_date DESC, tree_id DESC);
CREATE INDEX trees_by_author ON trees (user_id, created_date DESC, tree_id DESC);

CREATE TABLE messages (
    tree_id           uuid NOT NULL REFERENCES trees,
    message_id        uuid NOT NULL,
    parent_id         uuid,
    user_id           uuid REFERENCES users,
    created_date      timestamptz NOT NULL DEFAULT '-infinity',
    role              text NOT NULL CHECK (role IN ('prompter', 'assistant')),
    lang              text,
    text              text NOT NULL,
    depth             integer NOT NULL DEFAULT 0,
    review_count      integer,
    review_result     boolean,
    rank              integer,
    synthetic         boolean NOT NULL DEFAULT false,
    model_name        text,
    edited            boolean NOT NULL DEFAULT false,
    deleted           boolean NOT NULL DEFAULT false,
    -- The delete that took the message: when, by which action (null: it came
    -- deleted), and the message that was aimed at. Undelete gives back what
    -- carries the same action and root.
    deleted_at        timestamptz,
    deleted_action    bigint,
    deleted_root      uuid,
    deletion_by_staff boolean NOT NULL DEFAULT false,
    review_by_staff   boolean NOT NULL DEFAULT false,
    -- When staff last set review_result; null: reviewers did, or nobody.
    review_at         timestamptz,
    -- What an export calls events, kept word by word.
    events            json,
    version           integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tree_id, message_id)
);
CREATE INDEX messages_by_parent ON messages (tree_id, parent_id);
CREATE INDEX messages_by_user ON messages (user_id, created_date DESC, message_id DESC);
CREATE INDEX messages_by_date ON messages (created_date DESC, message_id DESC);
CREATE INDEX messages_taken ON messages (deleted_action) WHERE deleted_action IS NOT NULL;

-- Finds the tree of a bare message id, and keeps a message id from living in
-- two trees. Distributed by message_id.
CREATE TABLE message_trees (
    message_id uuid PRIMARY KEY,
    tree_id    uuid NOT NULL
);

-- What a file said of all reactions together. A row that exists means that
-- the message had a reaction record, even an empty one: the reference's score
-- leaves out messages without one.
CREATE TABLE emoji_aggregates (
    tree_id    uuid NOT NULL,
    message_id uuid NOT NULL,
    upvotes    integer NOT NULL DEFAULT 0,
    downvotes  integer NOT NULL DEFAULT 0,
    red_flags  integer NOT NULL DEFAULT 0,
    -- The other emojis ({name: count}), which no score sums.
    other      jsonb,
    PRIMARY KEY (tree_id, message_id),
    FOREIGN KEY (tree_id, message_id) REFERENCES messages
);

-- What a file said of all labels together: the mean and the number of people.
-- A label that nobody gave is null in both; a row that exists means that the
-- message had a label record, even an empty one.
CREATE TABLE label_aggregates (
    tree_id    uuid NOT NULL,
    message_id uuid NOT NULL,
    spam double precision,              spam_count integer,
    fails_task double precision,        fails_task_count integer,
    lang_mismatch double precision,     lang_mismatch_count integer,
    pii double precision,               pii_count integer,
    not_appropriate double precision,   not_appropriate_count integer,
    hate_speech double precision,       hate_speech_count integer,
    sexual_content double precision,    sexual_content_count integer,
    moral_judgement double precision,   moral_judgement_count integer,
    political_content double precision, political_content_count integer,
    quality double precision,           quality_count integer,
    toxicity double precision,          toxicity_count integer,
    humor double precision,             humor_count integer,
    helpfulness double precision,       helpfulness_count integer,
    creativity double precision,        creativity_count integer,
    violence double precision,          violence_count integer,
    -- Labels of other names ({name: {value, count}}), which no score sums.
    other      jsonb,
    PRIMARY KEY (tree_id, message_id),
    FOREIGN KEY (tree_id, message_id) REFERENCES messages
);

-- One person's labels of one message, 0 to 1 each; a second vote replaces the
-- first. They add to what a file brought.
CREATE TABLE label_votes (
    tree_id    uuid NOT NULL,
    message_id uuid NOT NULL,
    user_id    uuid NOT NULL REFERENCES users,
    at         timestamptz NOT NULL,
    spam double precision,
    fails_task double precision,
    lang_mismatch double precision,
    pii double precision,
    not_appropriate double precision,
    hate_speech double precision,
    sexual_content double precision,
    moral_judgement double precision,
    political_content double precision,
    quality double precision,
    toxicity double precision,
    humor double precision,
    helpfulness double precision,
    creativity double precision,
    violence double precision,
    other      jsonb,
    PRIMARY KEY (tree_id, message_id, user_id),
    FOREIGN KEY (tree_id, message_id) REFERENCES messages
);
CREATE INDEX label_votes_by_user ON label_votes (user_id, at DESC);

-- One person's reactions.
CREATE TABLE reactions (
    tree_id    uuid NOT NULL,
    message_id uuid NOT NULL,
    user_id    uuid NOT NULL REFERENCES users,
    emoji      text NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (tree_id, message_id, user_id, emoji),
    FOREIGN KEY (tree_id, message_id) REFERENCES messages
);
CREATE INDEX reactions_by_user ON reactions (user_id, at DESC);

CREATE SEQUENCE report_ids;
CREATE TABLE reports (
    tree_id    uuid NOT NULL,
    message_id uuid NOT NULL,
    report_id  bigint NOT NULL DEFAULT nextval('report_ids'),
    user_id    uuid NOT NULL REFERENCES users,
    reason     text NOT NULL,
    at         timestamptz NOT NULL,
    status     text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'upheld', 'dismissed', 'withdrawn')),
    PRIMARY KEY (tree_id, message_id, report_id),
    FOREIGN KEY (tree_id, message_id) REFERENCES messages
);
-- A person has one open report of a message: more reasons join it.
CREATE UNIQUE INDEX reports_open ON reports (tree_id, message_id, user_id) WHERE status = 'open';
CREATE INDEX reports_by_user ON reports (user_id, at DESC);
CREATE INDEX reports_open_by_date ON reports (at DESC, report_id DESC) WHERE status = 'open';

-- Classifier outputs of any model. A model's outputs are kept as an array in
-- the order of classifier_models.outputs (only ever appended to); toxicity
-- stands in its own column too, because scores sum it.
CREATE TABLE classifier_models (
    model_id smallint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name     text NOT NULL UNIQUE,
    outputs  text[] NOT NULL DEFAULT '{}'
);
CREATE TABLE classifier_outputs (
    tree_id    uuid NOT NULL,
    message_id uuid NOT NULL,
    model_id   smallint NOT NULL REFERENCES classifier_models,
    toxicity   double precision,
    scores     double precision[] NOT NULL,
    at         timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (tree_id, message_id, model_id),
    FOREIGN KEY (tree_id, message_id) REFERENCES messages
);

-- Every text that a message had, the first one included once it was edited.
CREATE SEQUENCE revision_ids;
CREATE TABLE revisions (
    tree_id     uuid NOT NULL,
    message_id  uuid NOT NULL,
    revision_id bigint NOT NULL DEFAULT nextval('revision_ids'),
    text        text NOT NULL,
    user_id     uuid REFERENCES users,
    at          timestamptz NOT NULL,
    action_id   bigint,
    PRIMARY KEY (tree_id, message_id, revision_id),
    FOREIGN KEY (tree_id, message_id) REFERENCES messages
);

-- Imported messages whose parent has not come yet.
CREATE TABLE import_orphans (
    message_id uuid PRIMARY KEY,
    parent_id  uuid NOT NULL,
    record     json NOT NULL,
    at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX import_orphans_by_parent ON import_orphans (parent_id);
