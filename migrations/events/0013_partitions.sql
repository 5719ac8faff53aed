-- Old events in partitions by position, which can leave the database and come back, without a position being changed.
--
-- A partition is a child of the table of events and has the events of a range of positions; who reads the table reads
-- the partitions too. New events go to the table itself, so appends pay nothing for them.
CREATE TABLE log_partitions (
    last           bigint  PRIMARY KEY,
    first          bigint  NOT NULL CHECK (first <= last),
    -- Those that are not, the oldest, are in files only (eventstore/src/partition/archive).
    attached       boolean NOT NULL DEFAULT true,
    -- SHA-256 of the table of contents of its file; without one it has no file.
    archive_sha256 bytea,
    -- How often it has left or come back.
    changes        integer NOT NULL DEFAULT 0,
    CHECK (attached OR archive_sha256 IS NOT NULL)
);

-- The streams that have events in partitions, so that an append knows their versions wherever the events are.
CREATE TABLE partitioned_streams (
    aggregate_type text   NOT NULL COLLATE "C",
    aggregate_id   text   NOT NULL COLLATE "C",
    -- The sequence of the last of these events, and of the last that is in a file only; 0 without one.
    version        bigint NOT NULL,
    detached       bigint NOT NULL DEFAULT 0,
    -- The blocks of 4,096 positions of which files have events of the stream.
    blocks         bigint[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (aggregate_type, aggregate_id)
);

-- An event may be deleted where it lies in a partition too, byte for byte, and nowhere else. From a partition none may be.
CREATE FUNCTION refuse_loss() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    part  log_partitions;
    kept  bigint := 0;
    there bigint;
BEGIN
    FOR part IN
        SELECT p.* FROM log_partitions p, (SELECT min(position) AS first, max(position) AS last FROM gone) g
        WHERE p.attached AND p.first <= g.last AND p.last >= g.first
    LOOP
        EXECUTE format(
            'SELECT count(*) FROM gone g JOIN %I.%I e ON e.position = g.position AND e.event_id = g.event_id '
            'AND e.aggregate_type = g.aggregate_type AND e.aggregate_id = g.aggregate_id AND e.sequence = g.sequence '
            'AND e.event_type = g.event_type AND e.event_version = g.event_version AND e.recorded_at = g.recorded_at '
            'AND e.payload::text = g.payload::text AND e.metadata::text = g.metadata::text',
            TG_TABLE_SCHEMA, log_partition_name(part.first, part.last)) INTO there;
        kept := kept + there;
    END LOOP;
    IF kept < (SELECT count(*) FROM gone) THEN
        RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
-- Nobody's temporary tables stand for the log's.
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION refuse_loss() SET search_path = %I, pg_temp', current_schema());
END $$;
DROP TRIGGER events_are_immutable ON events;
CREATE TRIGGER events_are_immutable BEFORE UPDATE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER events_are_not_lost AFTER DELETE ON events REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_loss();

CREATE FUNCTION log_partition_name(first bigint, last bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT format('events_%s_%s', first, last) $$;

-- One at a time keeps the partitions.
CREATE FUNCTION keep_log_partitions() RETURNS void LANGUAGE sql AS
    $$ SELECT pg_advisory_xact_lock(hashtext('daybook partitions')) $$;

-- Makes an empty partition that readers look into, in place of one that was made before and never filled. It is to be
-- committed, and everybody who reads meanwhile waited for, before it is filled: whoever has a plan without it would see
-- neither the events that were moved nor where they are now.
CREATE FUNCTION create_log_partition(p_first bigint, p_last bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    part   text := log_partition_name(p_first, p_last);
    unused regclass;
BEGIN
    PERFORM keep_log_partitions();
    FOR unused IN
        SELECT i.inhrelid::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'events'::regclass AND NOT EXISTS (
            SELECT FROM log_partitions p WHERE p.attached AND log_partition_name(p.first, p.last) = c.relname)
    LOOP
        EXECUTE format('ALTER TABLE %s NO INHERIT events', unused);
        EXECUTE format('DROP TABLE %s', unused);
    END LOOP;
    EXECUTE format('CREATE TABLE %I (LIKE events INCLUDING CONSTRAINTS, CHECK (position >= %s AND position <= %s), '
                   'PRIMARY KEY (aggregate_type, aggregate_id, sequence), UNIQUE (position))', part, p_first, p_last);
    EXECUTE format('CREATE TRIGGER events_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
                   'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', part);
    EXECUTE format('ALTER TABLE %I INHERIT events', part);
END $$;

-- Refuses a partition that does not have every event of its range.
CREATE FUNCTION check_log_partition(p_first bigint, p_last bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    rows bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %I', log_partition_name(p_first, p_last)) INTO rows;
    IF rows <> p_last - p_first + 1 THEN
        RAISE EXCEPTION 'the partition has % of the events % to %', rows, p_first, p_last;
    END IF;
END $$;

-- Moves the events after the last partition, up to and with this position, into the empty one for them. Appends go on
-- meanwhile.
CREATE FUNCTION cut_log_partition(p_first bigint, p_last bigint) RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off SET jit = off AS $$
DECLARE
    part text := log_partition_name(p_first, p_last);
BEGIN
    PERFORM keep_log_partitions();
    IF p_last % 4096 <> 0 OR p_last < p_first OR p_last > (SELECT d.position FROM event_directory_head d)
       OR p_first <> (SELECT coalesce(max(p.last), 0) + 1 FROM log_partitions p) THEN
        RAISE EXCEPTION 'a partition goes on after the last one to the end of a full block, unlike % to %', p_first, p_last
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    EXECUTE format('INSERT INTO %I SELECT * FROM ONLY events e WHERE e.position >= %s AND e.position <= %s '
                   'ORDER BY e.position', part, p_first, p_last);
    PERFORM check_log_partition(p_first, p_last);
    EXECUTE format('INSERT INTO partitioned_streams (aggregate_type, aggregate_id, version) '
                   'SELECT aggregate_type, aggregate_id, max(sequence) FROM %I GROUP BY aggregate_type, aggregate_id '
                   'ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE SET version = EXCLUDED.version', part);
    INSERT INTO log_partitions (first, last) VALUES (p_first, p_last);
    DELETE FROM ONLY events e WHERE e.position >= p_first AND e.position <= p_last;
END $$;

-- Takes the oldest partition that is there out of the log: its events are in its file only, which is the one that this
-- digest vouches for.
CREATE FUNCTION detach_log_partition(p_last bigint, p_archive bytea) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    part text;
BEGIN
    PERFORM keep_log_partitions();
    SELECT log_partition_name(p.first, p.last) INTO part FROM log_partitions p
    WHERE p.last = p_last AND p.attached AND p.archive_sha256 = p_archive
      AND NOT EXISTS (SELECT FROM log_partitions older WHERE older.attached AND older.last < p.last)
      AND EXISTS (SELECT FROM ONLY events);
    IF part IS NULL THEN
        RAISE EXCEPTION 'only the oldest partition can leave, when it has a file and newer events stay'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    EXECUTE format('UPDATE partitioned_streams s SET detached = m.version, blocks = s.blocks || m.blocks '
                   'FROM (SELECT aggregate_type, aggregate_id, max(sequence) AS version, '
                   'array_agg(DISTINCT (position - 1) / 4096) AS blocks FROM %I GROUP BY aggregate_type, aggregate_id) m '
                   'WHERE s.aggregate_type = m.aggregate_type AND s.aggregate_id = m.aggregate_id', part);
    UPDATE log_partitions SET attached = false, changes = changes + 1 WHERE last = p_last;
    EXECUTE format('ALTER TABLE %I NO INHERIT events', part);
    EXECUTE format('DROP TABLE %I', part);
END $$;

-- Makes the newest partition that is not there part of the log again, after it was filled from its file.
CREATE FUNCTION attach_log_partition(p_last bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    part log_partitions;
BEGIN
    PERFORM keep_log_partitions();
    SELECT p.* INTO part FROM log_partitions p
    WHERE p.last = p_last AND NOT p.attached
      AND NOT EXISTS (SELECT FROM log_partitions newer WHERE NOT newer.attached AND newer.last > p.last);
    IF part.last IS NULL THEN
        RAISE EXCEPTION 'only the newest partition that is not there can come back'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM check_log_partition(part.first, part.last);
    EXECUTE format('UPDATE partitioned_streams s SET detached = m.version - 1, '
                   'blocks = ARRAY(SELECT b FROM unnest(s.blocks) b WHERE b < (%s - 1) / 4096) '
                   'FROM (SELECT aggregate_type, aggregate_id, min(sequence) AS version FROM %I '
                   'GROUP BY aggregate_type, aggregate_id) m '
                   'WHERE s.aggregate_type = m.aggregate_type AND s.aggregate_id = m.aggregate_id',
                   part.first, log_partition_name(part.first, part.last));
    UPDATE log_partitions SET attached = true, changes = changes + 1 WHERE last = p_last;
END $$;

-- As before (0011_append_by_exception.sql), but a stream whose events are all in partitions has their version.
--
-- Appends a batch of commands in one round trip. Order is decided by the lock on the head row, taken first and held to
-- the commit. Each command has its own outcome; one command's conflict never fails its neighbours.
--
-- c_: a row a command, in the order they are to take effect in: its id, its input's fingerprint, how many events there
--     are up to its last one, the version its first stream will have, and the outcome; without one it is not recorded.
-- s_: a row a version that a stream must be at, with the 1-based index of the command.
-- d_: a row a command that takes effect only when an earlier one of this batch does, in the order of the commands.
-- e_: a row an event, in the order they are to have in the log, with the index of its command.
--
-- Returns where the log stood before. Every command took effect but those in x_, and those that depend on one of these.
-- x_status: 1 it had taken effect before (with this position, version and outcome), 2 its id was used with another
-- input, 3 a stream is not at the expected version (x_version is the 1-based index of it in s_). A command may be in x_
-- several times.
--
-- Arrays are unnested side by side in a select list, which keeps no rows, and not in FROM, which keeps them all.
-- To be called with the planner's settings of the appender's own connection (eventstore/src/append/line.rs).
CREATE OR REPLACE FUNCTION append_commands(
    c_id uuid[], c_fingerprint bytea[], c_reach bigint[], c_version bigint[], c_outcome text[],
    s_command integer[], s_type text[], s_id text[], s_version bigint[],
    d_command integer[], d_on integer[],
    e_command integer[], e_type text[], e_stream text[], e_sequence bigint[], e_id uuid[], e_event_type text[],
    e_event_version text[], e_payload text[], e_metadata text[],
    OUT head bigint, OUT waited_us bigint, OUT x_command integer[], OUT x_status integer[], OUT x_position bigint[],
    OUT x_version bigint[], OUT x_outcome text[]
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    started constant timestamptz := clock_timestamp();
    grown   constant bigint := cardinality(e_id);
    taken   timestamptz;
    tell    boolean := false;
    holds   boolean[];
    one     integer;
    kept    bigint;
BEGIN
    IF grown > 0 THEN
        UPDATE log_head h
        SET position = h.position + grown,
            notified_at = CASE WHEN clock_timestamp() < h.notified_at + '4 ms' THEN h.notified_at
                               ELSE clock_timestamp() END
        RETURNING h.position - grown, h.notified_at >= started INTO STRICT head, tell;
    ELSIF array_length(array_remove(c_outcome, NULL), 1) > 0 THEN
        SELECT h.position INTO STRICT head FROM log_head h FOR UPDATE;
    ELSE
        -- Conditions alone: they hold now or not, and leave nothing behind.
        SELECT h.position INTO STRICT head FROM log_head h;
    END IF;
    taken := clock_timestamp();
    waited_us := extract(epoch FROM taken - started) * 1000000;

    WITH exceptions AS MATERIALIZED (
        SELECT c.i AS command, CASE WHEN known.fingerprint = c.fingerprint THEN 1 ELSE 2 END AS status,
               known.position, known.version, known.outcome::text AS outcome
        FROM (
            SELECT unnest(c_id) AS id, unnest(c_fingerprint) AS fingerprint, generate_series(1, cardinality(c_id)) AS i
        ) c
        JOIN commands known ON known.command_id = c.id
        UNION ALL
        SELECT s.command, 3, NULL, s.i, NULL
        FROM (
            SELECT unnest(s_command) AS command, unnest(s_type) AS type, unnest(s_id) AS id,
                   unnest(s_version) AS version, generate_series(1, cardinality(s_command)) AS i
        ) s
        LEFT JOIN LATERAL (
            SELECT e.sequence FROM ONLY events e
            WHERE e.aggregate_type = s.type AND e.aggregate_id = s.id
            ORDER BY e.sequence DESC LIMIT 1
        ) stream ON true
        WHERE coalesce(stream.sequence, (
            SELECT p.version FROM partitioned_streams p
            WHERE p.aggregate_type = s.type AND p.aggregate_id = s.id
        ), 0) <> s.version
    ), written AS (
        INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                            position, event_id, recorded_at)
        SELECT e.type, e.stream, e.sequence, e.event_type, e.event_version, e.payload::json, e.metadata::json,
               head + e.i, e.id, taken
        FROM (
            SELECT unnest(e_type) AS type, unnest(e_stream) AS stream, unnest(e_sequence) AS sequence,
                   unnest(e_id) AS id, unnest(e_event_type) AS event_type, unnest(e_event_version) AS event_version,
                   unnest(e_payload) AS payload, unnest(e_metadata) AS metadata, generate_series(1, grown) AS i
        ) e
        WHERE NOT EXISTS (SELECT FROM exceptions)
    ), recorded AS (
        INSERT INTO commands (command_id, fingerprint, version, position, outcome, recorded_at)
        SELECT c.id, c.fingerprint, c.version, head + c.reach, c.outcome::json, taken
        FROM (
            SELECT unnest(c_id) AS id, unnest(c_fingerprint) AS fingerprint, unnest(c_version) AS version,
                   unnest(c_reach) AS reach, unnest(c_outcome) AS outcome
        ) c
        WHERE c.outcome IS NOT NULL AND NOT EXISTS (SELECT FROM exceptions)
    )
    SELECT array_agg(x.command), array_agg(x.status), array_agg(x.position), array_agg(x.version), array_agg(x.outcome)
    INTO x_command, x_status, x_position, x_version, x_outcome
    FROM exceptions x;

    IF x_command IS NOT NULL THEN
        holds := array_fill(true, ARRAY[cardinality(c_id)]);
        FOREACH one IN ARRAY x_command LOOP
            holds[one] := false;
        END LOOP;
        FOR one IN 1 .. cardinality(d_command) LOOP
            IF NOT holds[d_on[one]] THEN
                holds[d_command[one]] := false;
            END IF;
        END LOOP;

        INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                            position, event_id, recorded_at)
        SELECT e.type, e.stream, e.sequence, e.event_type, e.event_version, e.payload::json, e.metadata::json,
               head + row_number() OVER (ORDER BY e.i), e.id, taken
        FROM unnest(e_command, e_type, e_stream, e_sequence, e_id, e_event_type, e_event_version, e_payload, e_metadata)
             WITH ORDINALITY
             AS e (command, type, stream, sequence, id, event_type, event_version, payload, metadata, i)
        WHERE holds[e.command]
        ORDER BY e.i;
        GET DIAGNOSTICS kept = ROW_COUNT;
        -- Only who has changed the head row holds its lock.
        IF kept < grown THEN
            UPDATE log_head h SET position = head + kept;
        END IF;

        INSERT INTO commands (command_id, fingerprint, version, position, outcome, recorded_at)
        SELECT c.id, c.fingerprint, c.version, head + c.reach, c.outcome::json, taken
        FROM (
            SELECT c.*, sum(CASE WHEN holds[c.i] THEN c.events ELSE 0 END) OVER (ORDER BY c.i) AS reach
            FROM (
                SELECT c.*, c.sent - lag(c.sent, 1, 0) OVER (ORDER BY c.i) AS events
                FROM unnest(c_id, c_fingerprint, c_version, c_reach, c_outcome)
                     WITH ORDINALITY AS c (id, fingerprint, version, sent, outcome, i)
            ) c
        ) c
        WHERE c.outcome IS NOT NULL AND holds[c.i];
    END IF;

    IF tell THEN
        PERFORM pg_notify('daybook_events', (head + coalesce(kept, grown))::text);
    END IF;
END $$;

-- The same for a batch of one command with one event, which is what a quiet hour has: an executor for rows costs more
-- than one row. Returns where the log stood before; nothing when the command cannot take effect, and then nothing was
-- done: append_commands says why.
CREATE OR REPLACE FUNCTION append_command(
    c_id uuid, c_fingerprint bytea, c_outcome text, s_type text, s_id text, s_version bigint,
    e_id uuid, e_event_type text, e_event_version text, e_payload text, e_metadata text,
    OUT head bigint, OUT waited_us bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    started constant timestamptz := clock_timestamp();
    taken   timestamptz;
    tell    boolean;
    stood   bigint;
    version bigint;
BEGIN
    UPDATE log_head h
    SET position = h.position + 1,
        notified_at = CASE WHEN clock_timestamp() < h.notified_at + '4 ms' THEN h.notified_at
                           ELSE clock_timestamp() END
    RETURNING h.position - 1, h.notified_at >= started INTO STRICT stood, tell;
    taken := clock_timestamp();
    waited_us := extract(epoch FROM taken - started) * 1000000;
    SELECT e.sequence INTO version FROM ONLY events e
    WHERE e.aggregate_type = s_type AND e.aggregate_id = s_id
    ORDER BY e.sequence DESC LIMIT 1;
    IF version IS NULL THEN
        SELECT p.version INTO version FROM partitioned_streams p
        WHERE p.aggregate_type = s_type AND p.aggregate_id = s_id;
    END IF;
    IF coalesce(version, 0) <> s_version OR EXISTS (SELECT FROM commands known WHERE known.command_id = c_id) THEN
        UPDATE log_head h SET position = stood;
    ELSE
        INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                            position, event_id, recorded_at)
        VALUES (s_type, s_id, s_version + 1, e_event_type, e_event_version, e_payload::json, e_metadata::json,
                stood + 1, e_id, taken);
        IF c_outcome IS NOT NULL THEN
            INSERT INTO commands (command_id, fingerprint, version, position, outcome, recorded_at)
            VALUES (c_id, c_fingerprint, s_version + 1, stood + 1, c_outcome::json, taken);
        END IF;
        head := stood;
    END IF;

    IF tell THEN
        PERFORM pg_notify('daybook_events', coalesce(head + 1, stood)::text);
    END IF;
END $$;
