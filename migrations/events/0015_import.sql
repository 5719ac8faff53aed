-- History comes in by chunks (eventstore/src/import). The events of one are copied into a table of the session's own
-- first, where nobody waits for them, and moved into the log by this, under the lock on the head row. The server does that
-- alone: a copy straight into the log would hold the lock for as long as the client takes to send, and for good when the
-- client stands still.
--
-- p_head:  where the log stands when what follows still holds without a second look; null when it is to be looked at.
-- p_grown: how many events the chunk appends.
-- s_: a row a version that a stream must be at.
-- c_: a row a command that takes effect: its id must be unknown. The rest is as in append_commands.
-- e_place: for each event of pg_temp.import_staged, by its number, which of the appended ones it is, or 0 when its command
--     does not take effect; null when all do, in the order of their numbers.
--
-- Returns where the log stood before. Raises a serialization_failure, and does nothing, when a version or a command is not
-- as the caller saw it.
CREATE FUNCTION import_chunk(
    p_head bigint, p_grown bigint,
    s_type text[], s_id text[], s_version bigint[],
    c_id uuid[], c_fingerprint bytea[], c_reach bigint[], c_version bigint[], c_outcome text[],
    e_place integer[],
    OUT head bigint, OUT waited_us bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    started constant timestamptz := clock_timestamp();
    taken   timestamptz;
    moved   bigint;
BEGIN
    UPDATE log_head h
    SET position = h.position + p_grown,
        notified_at = CASE WHEN p_grown > 0 THEN clock_timestamp() ELSE h.notified_at END
    RETURNING h.position - p_grown INTO STRICT head;
    taken := clock_timestamp();
    waited_us := extract(epoch FROM taken - started) * 1000000;

    -- A command without events leaves the head where it is: of that, the key of its id tells, unless it is not to be
    -- recorded.
    IF EXISTS (
        SELECT FROM (SELECT unnest(c_id) AS id, unnest(c_outcome) AS outcome) c
        JOIN commands known ON known.command_id = c.id
        WHERE c.outcome IS NULL OR head IS DISTINCT FROM p_head
    ) OR (
        head IS DISTINCT FROM p_head AND EXISTS (
            SELECT FROM (
                SELECT unnest(s_type) AS type, unnest(s_id) AS id, unnest(s_version) AS version
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
        )
    ) THEN
        RAISE EXCEPTION 'what a chunk rests on has changed' USING ERRCODE = 'serialization_failure';
    END IF;

    IF e_place IS NULL THEN
        INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                            position, event_id, recorded_at)
        SELECT e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version, e.payload, e.metadata,
               head + e.number, e.event_id, taken
        FROM pg_temp.import_staged e;
    ELSE
        INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                            position, event_id, recorded_at)
        SELECT e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version, e.payload, e.metadata,
               head + e_place[e.number], e.event_id, taken
        FROM pg_temp.import_staged e
        WHERE e_place[e.number] > 0;
    END IF;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> p_grown THEN
        RAISE EXCEPTION 'a chunk of % events has %', p_grown, moved USING ERRCODE = 'data_corrupted';
    END IF;

    INSERT INTO commands (command_id, fingerprint, version, position, outcome, recorded_at)
    SELECT c.id, c.fingerprint, c.version, head + c.reach, c.outcome::json, taken
    FROM (
        SELECT unnest(c_id) AS id, unnest(c_fingerprint) AS fingerprint, unnest(c_version) AS version,
               unnest(c_reach) AS reach, unnest(c_outcome) AS outcome
    ) c
    WHERE c.outcome IS NOT NULL;

    IF p_grown > 0 THEN
        PERFORM pg_notify('daybook_events', (head + p_grown)::text);
    END IF;
END $$;
