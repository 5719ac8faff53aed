-- How far each import of a file is. Everything up to `lines_done` has taken effect, so an import that was
-- interrupted goes on there; that nothing is doubled rests on the command ids, not on this.
CREATE TABLE imports (
    source      text        NOT NULL,
    -- Of the file's content, uncompressed.
    file_sha256 bytea       NOT NULL,
    lines_done  bigint      NOT NULL CHECK (lines_done >= 0),
    started_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, file_sha256)
);
