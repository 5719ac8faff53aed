-- What an append can find out while another batch of the same process is being written, it finds out then, and not under the
-- lock on the head row, where everybody waits for it: one looks up, and has its payloads checked, while the other writes.

-- Who appended last, and from where to where nobody else did. Who appends without telling (append_command, import_chunk)
-- moves the position alone, and that is seen too.
ALTER TABLE log_head
    ADD writer      bigint,
    ADD alone_since bigint NOT NULL DEFAULT 0,
    ADD alone_until bigint NOT NULL DEFAULT 0;

-- Appends a batch of commands in one round trip. Order is decided by the lock on the head row, which is held from before
-- the first row is written to the commit. Each command has its own outcome; one command's conflict never fails its
-- neighbours.
--
-- p_writer: whose batch it is: of one writer, no two that are on their way at once change the same stream, or share a
--     command id.
-- p_early: whether command ids and versions may be looked up before the head row is locked. What was found is used when
--     nobody but this writer has appended since, and is looked up again otherwise. Not for a batch with a command that only
--     looks at a stream, which another batch of this writer may change meanwhile, nor with one that is not recorded, since
--     a command without events is recorded without a sign on the head row: keys would refuse neither.
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
-- What comes before the expected version need not be looked at: without an event from there on, the stream is either in
-- partitions up to that version, or not there yet, or in conflict.
-- Arrays are unnested side by side in a select list, which keeps no rows, and not in FROM, which keeps them all. JSON comes
-- as JSON, so that it is checked as it arrives, before the lock.
-- To be called with the planner's settings of the appender's own connection (eventstore/src/append/line.rs).
CREATE FUNCTION append_commands(
    p_writer bigint, p_early boolean,
    c_id uuid[], c_fingerprint bytea[], c_reach bigint[], c_version bigint[], c_outcome json[],
    s_command integer[], s_type text[], s_id text[], s_version bigint[],
    d_command integer[], d_on integer[],
    e_command integer[], e_type text[], e_stream text[], e_sequence bigint[], e_id uuid[], e_event_type text[],
    e_event_version text[], e_payload json[], e_metadata json[],
    OUT head bigint, OUT waited_us bigint, OUT x_command integer[], OUT x_status integer[], OUT x_position bigint[],
    OUT x_version bigint[], OUT x_outcome text[]
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    started timestamptz;
    grown   constant bigint := cardinality(e_id);
    taken   timestamptz;
    tell    boolean := false;
    looked  boolean := false;
    seen    bigint;
    since   bigint;
    holds   boolean[];
    one     integer;
    kept    bigint;
BEGIN
    LOOP
        IF p_early AND NOT looked THEN
            SELECT h.position INTO STRICT seen FROM log_head h;
        ELSE
            started := clock_timestamp();
            IF grown > 0 THEN
                UPDATE log_head h
                SET position = h.position + grown,
                    writer = p_writer,
                    alone_since = CASE WHEN h.writer = p_writer AND h.alone_until = h.position THEN h.alone_since
                                       ELSE h.position END,
                    alone_until = h.position + grown,
                    notified_at = CASE WHEN clock_timestamp() < h.notified_at + '4 ms' THEN h.notified_at
                                       ELSE clock_timestamp() END
                RETURNING h.position - grown, h.alone_since, h.notified_at >= started INTO STRICT head, since, tell;
            ELSIF array_length(array_remove(c_outcome::text[], NULL), 1) > 0 THEN
                SELECT h.position INTO STRICT head FROM log_head h FOR UPDATE;
            ELSE
                -- Conditions alone: they hold now or not, and leave nothing behind.
                SELECT h.position INTO STRICT head FROM log_head h;
            END IF;
            taken := clock_timestamp();
            waited_us := extract(epoch FROM taken - started) * 1000000;
            EXIT WHEN looked AND since <= seen;
        END IF;

        SELECT array_agg(x.command), array_agg(x.status), array_agg(x.position), array_agg(x.version),
               array_agg(x.outcome)
        INTO x_command, x_status, x_position, x_version, x_outcome
        FROM (
            SELECT c.i AS command, CASE WHEN known.fingerprint = c.fingerprint THEN 1 ELSE 2 END AS status,
                   known.position, known.version, known.outcome::text AS outcome
            FROM (
                SELECT unnest(c_id) AS id, unnest(c_fingerprint) AS fingerprint,
                       generate_series(1, cardinality(c_id)) AS i
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
                WHERE e.aggregate_type = s.type AND e.aggregate_id = s.id AND e.sequence >= s.version
                ORDER BY e.sequence DESC LIMIT 1
            ) stream ON true
            WHERE coalesce(stream.sequence, (
                SELECT p.version FROM partitioned_streams p
                WHERE p.aggregate_type = s.type AND p.aggregate_id = s.id
            ), 0) <> s.version
        ) x;
        EXIT WHEN head IS NOT NULL;
        looked := true;
    END LOOP;

    IF x_command IS NULL THEN
        INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                            position, event_id, recorded_at)
        SELECT unnest(e_type), unnest(e_stream), unnest(e_sequence), unnest(e_event_type), unnest(e_event_version),
               unnest(e_payload), unnest(e_metadata), generate_series(head + 1, head + grown), unnest(e_id), taken;
        INSERT INTO commands (command_id, fingerprint, version, position, outcome, recorded_at)
        SELECT c.id, c.fingerprint, c.version, head + c.reach, c.outcome, taken
        FROM (
            SELECT unnest(c_id) AS id, unnest(c_fingerprint) AS fingerprint, unnest(c_version) AS version,
                   unnest(c_reach) AS reach, unnest(c_outcome) AS outcome
        ) c
        WHERE c.outcome IS NOT NULL;
    ELSE
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
        SELECT e.type, e.stream, e.sequence, e.event_type, e.event_version, e.payload, e.metadata,
               head + row_number() OVER (ORDER BY e.i), e.id, taken
        FROM unnest(e_command, e_type, e_stream, e_sequence, e_id, e_event_type, e_event_version, e_payload, e_metadata)
             WITH ORDINALITY
             AS e (command, type, stream, sequence, id, event_type, event_version, payload, metadata, i)
        WHERE holds[e.command]
        ORDER BY e.i;
        GET DIAGNOSTICS kept = ROW_COUNT;
        -- Only who has changed the head row holds its lock.
        IF kept < grown THEN
            UPDATE log_head h SET position = head + kept, alone_until = head + kept;
        END IF;

        INSERT INTO commands (command_id, fingerprint, version, position, outcome, recorded_at)
        SELECT c.id, c.fingerprint, c.version, head + c.reach, c.outcome, taken
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
    WHERE e.aggregate_type = s_type AND e.aggregate_id = s_id AND e.sequence >= s_version
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

-- For programs of before, which go on beside those of today until they are replaced.
CREATE OR REPLACE FUNCTION append_commands(
    c_id uuid[], c_fingerprint bytea[], c_reach bigint[], c_version bigint[], c_outcome text[],
    s_command integer[], s_type text[], s_id text[], s_version bigint[],
    d_command integer[], d_on integer[],
    e_command integer[], e_type text[], e_stream text[], e_sequence bigint[], e_id uuid[], e_event_type text[],
    e_event_version text[], e_payload text[], e_metadata text[],
    OUT head bigint, OUT waited_us bigint, OUT x_command integer[], OUT x_status integer[], OUT x_position bigint[],
    OUT x_version bigint[], OUT x_outcome text[]
) LANGUAGE plpgsql AS $$
BEGIN
    SELECT a.* INTO head, waited_us, x_command, x_status, x_position, x_version, x_outcome
    FROM append_commands(NULL, false, c_id, c_fingerprint, c_reach, c_version, c_outcome::json[], s_command, s_type, s_id,
                         s_version, d_command, d_on, e_command, e_type, e_stream, e_sequence, e_id, e_event_type,
                         e_event_version, e_payload::json[], e_metadata::json[]) a;
END $$;
