-- +goose Up
-- Second looks: a sample of a list or of decisions, which another person judges
-- without seeing the first judgement.

CREATE TABLE samples (
    sample_id    uuid PRIMARY KEY,
    -- The list that was drawn from; null for decisions.
    list_id      uuid REFERENCES lists,
    -- remove: should this message go? belongs: does it belong on the list?
    question     text NOT NULL CHECK (question IN ('remove', 'belongs')),
    since        timestamptz,
    until        timestamptz,
    strata       text NOT NULL CHECK (strata IN ('', 'lang', 'kind', 'actor')),
    seed         bigint NOT NULL,
    population   bigint NOT NULL,
    size         integer NOT NULL,
    created_by   uuid REFERENCES users,
    created_date timestamptz NOT NULL
);
CREATE INDEX samples_by_date ON samples (created_date DESC, sample_id DESC);
CREATE INDEX samples_by_list ON samples (list_id);
CREATE INDEX samples_by_person ON samples (created_by);

-- The first judgement of a message as it was when the sample was drawn, and the
-- second one. A judgement answers the sample's question: true is yes.
CREATE TABLE sample_items (
    sample_id  uuid NOT NULL REFERENCES samples,
    message_id uuid NOT NULL,
    place      integer NOT NULL,
    lang       text NOT NULL,
    kind       text NOT NULL,
    actor_id   uuid REFERENCES users,
    reason     text NOT NULL,
    action_id  bigint NOT NULL,
    decided_at timestamptz NOT NULL,
    first      boolean NOT NULL,
    -- Who has the item before them, and since when.
    shown_to   uuid REFERENCES users,
    shown_at   timestamptz,
    second     boolean,
    judged_by  uuid REFERENCES users,
    judged_at  timestamptz,
    note       text NOT NULL DEFAULT '',
    -- What a third person decided where the two differ.
    settled    boolean,
    settled_by uuid REFERENCES users,
    settled_at timestamptz,
    PRIMARY KEY (sample_id, message_id)
);
CREATE UNIQUE INDEX sample_items_in_order ON sample_items (sample_id, place);
CREATE INDEX sample_items_by_actor ON sample_items (actor_id);
CREATE INDEX sample_items_by_reader ON sample_items (shown_to);
CREATE INDEX sample_items_by_judge ON sample_items (judged_by);
CREATE INDEX sample_items_by_settler ON sample_items (settled_by);
