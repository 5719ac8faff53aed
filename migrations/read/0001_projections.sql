-- The read models' own book-keeping. Each version of a read model lives in a schema of its own, made by its
-- projector (`orders_v1`); readers name only the views in `live`, which a switch replaces in one transaction.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE SCHEMA live;

CREATE TABLE projections (
    name              text        NOT NULL,
    version           integer     NOT NULL CHECK (version >= 1),
    status            text        NOT NULL CHECK (status IN ('building', 'live', 'retired')),
    -- The revision of the code that folds it; code of another revision builds a version of its own.
    revision          integer     NOT NULL,
    -- Where it stands in the log, with the log's epoch and the hash of the event there.
    epoch             uuid        NOT NULL,
    position          bigint      NOT NULL DEFAULT 0 CHECK (position >= 0),
    event_hash        bytea       NOT NULL,
    -- Whether it takes over from the live version by itself once it has caught up.
    switch_when_ready boolean     NOT NULL DEFAULT false,
    -- The log is no longer the one it was built from: it is not followed any further.
    diverged          boolean     NOT NULL DEFAULT false,
    -- How many of its events are parked.
    parked            bigint      NOT NULL DEFAULT 0,
    updated_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version)
) WITH (fillfactor = 10);
CREATE UNIQUE INDEX projections_one_live ON projections (name) WHERE status = 'live';

-- Events that could not be applied, and those of the same key that came after.
CREATE TABLE parked_events (
    name      text        NOT NULL,
    version   integer     NOT NULL,
    key       text        NOT NULL,
    position  bigint      NOT NULL,
    error     text        NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version, position),
    FOREIGN KEY (name, version) REFERENCES projections ON DELETE CASCADE
);
