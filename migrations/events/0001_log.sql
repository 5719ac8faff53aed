-- The log: every event in one dense order, and every command that ever took effect.
-- `events` is a superset of the table of the postgres-es crate, which can read it as it stands.

CREATE TABLE log_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- Renewed by a restore or an unclean promotion, so that nobody carries on from a future that is gone.
    epoch    uuid    NOT NULL,
    -- The position of the last event; appends take this row's lock, and so commit in the order of positions.
    position bigint  NOT NULL CHECK (position >= 0)
) WITH (fillfactor = 10);
INSERT INTO log_head (epoch, position) VALUES (gen_random_uuid(), 0);

CREATE TABLE events (
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    sequence       bigint      NOT NULL CHECK (sequence >= 1),
    event_type     text        NOT NULL,
    event_version  text        NOT NULL,
    -- json, not jsonb: the bytes are kept as they were written, since they are hashed.
    payload        json        NOT NULL,
    metadata       json        NOT NULL,
    position       bigint      NOT NULL,
    event_id       uuid        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence)
);
CREATE UNIQUE INDEX events_position ON events (position);

CREATE TABLE commands (
    command_id     uuid        PRIMARY KEY,
    -- SHA-256 of the command's input: the same id with another input is refused.
    fingerprint    bytea       NOT NULL,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    -- The stream's version and the log's position when the command had taken effect.
    version        bigint      NOT NULL,
    position       bigint      NOT NULL,
    outcome        json        NOT NULL,
    recorded_at    timestamptz NOT NULL
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER events_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER commands_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON commands
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The state of an aggregate at a version, to spare loading its events; never truth.
CREATE TABLE snapshots (
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    version        bigint      NOT NULL,
    -- The version of the code's state; a snapshot of another one is not used.
    state_version  integer     NOT NULL,
    state          json        NOT NULL,
    taken_at       timestamptz NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id)
);

-- How far each process that follows the log is, with the hash of the event it stands on.
CREATE TABLE checkpoints (
    name       text  PRIMARY KEY,
    epoch      uuid  NOT NULL,
    position   bigint NOT NULL,
    event_hash bytea NOT NULL
);
