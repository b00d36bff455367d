-- +goose Up
-- Waves: messages whose texts are alike, of any number of users (store/waves). They
-- are found in the background, in the order in which sketches were written. That
-- order is the number of the transaction that wrote a sketch: no counter is shared
-- by those who write, and all sketches below the oldest transaction that goes on
-- are known. Sketches from before have 0, and so come first.
ALTER TABLE sketches ADD COLUMN changed bigint NOT NULL DEFAULT 0;
ALTER TABLE sketches ALTER COLUMN changed SET DEFAULT pg_current_xact_id()::text::bigint;
-- New entries go to the end of this index, which costs little.
CREATE INDEX sketches_by_change ON sketches (changed, message_id);

-- How far the sketches were compared. Whoever compares the next ones locks the row.
CREATE TABLE wave_cursor (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    changed    bigint NOT NULL,
    message_id uuid NOT NULL
);
INSERT INTO wave_cursor (changed, message_id) VALUES (0, '00000000-0000-0000-0000-000000000000');

-- The words of the texts that were compared, by which texts are found that may be
-- alike (likeness.WordSketch). Those that are too short for a wave have no row.
CREATE TABLE word_sketches (
    tree_id    uuid NOT NULL,
    message_id uuid NOT NULL,
    bands      integer[] NOT NULL,
    PRIMARY KEY (tree_id, message_id)
);
-- Only the background writes here, and searches at once.
CREATE INDEX word_sketches_by_band ON word_sketches USING gin (bands) WITH (fastupdate = off);

-- The columns after the id are computed from the members whenever those change.
CREATE TABLE waves (
    wave_id  uuid PRIMARY KEY, -- the id of its oldest message, when it was found
    messages integer NOT NULL, -- deleted ones too
    users    integer NOT NULL,
    first    timestamptz NOT NULL,
    last     timestamptz NOT NULL,
    likeness double precision NOT NULL, -- the mean of the members
    langs    text[] NOT NULL
);
-- Waves of one user are kept, because another may join them, but not shown.
CREATE INDEX waves_by_last ON waves (last DESC, wave_id DESC) WHERE users >= 2;

CREATE TABLE wave_messages (
    tree_id    uuid NOT NULL,
    message_id uuid NOT NULL,
    wave_id    uuid NOT NULL,
    user_id    uuid,
    lang       text,
    at         timestamptz NOT NULL, -- when the message was written
    likeness   double precision NOT NULL, -- to the member that it is most like, of those compared
    PRIMARY KEY (tree_id, message_id)
);
CREATE INDEX wave_messages_by_wave ON wave_messages (wave_id, at, message_id);
