-- +goose Up
-- Exports that people ordered from the page or by the API (store/exportjobs). The job
-- with the same id tells how far each is, and who ordered it.
CREATE TABLE exports (
    export_id  uuid PRIMARY KEY REFERENCES jobs,
    file       text NOT NULL, -- its name
    -- The seed of the anonymized ids, as long as the job is open.
    seed       text,
    -- How often the job was begun. Only the chunks of the last attempt count.
    attempt    integer NOT NULL DEFAULT 0,
    bytes      bigint,      -- of the whole file
    sha256     text,
    manifest   text,        -- as it stands beside the file
    removed_at timestamptz -- since then the file is gone
);

-- The files, in chunks of 1 MiB; the last one may be shorter.
CREATE TABLE export_chunks (
    export_id uuid NOT NULL REFERENCES exports,
    attempt   integer NOT NULL,
    part      integer NOT NULL, -- from 0 on
    content   bytea NOT NULL,
    PRIMARY KEY (export_id, attempt, part)
);
-- Most files are compressed already.
ALTER TABLE export_chunks ALTER COLUMN content SET STORAGE EXTERNAL;
