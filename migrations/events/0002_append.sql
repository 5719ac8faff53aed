-- Appends a batch of commands in one round trip. Order is decided by the lock on the head row, taken first
-- and held to the commit. Each command has its own outcome; one command's conflict never fails its neighbours.
--
-- Per command: its id, fingerprint, stream, expected version, whether its outcome is to be recorded, and the
-- outcome. `follows` is the 1-based index of the command in this batch whose result this one was decided on
-- (0: none); it takes effect only when that one does. Per event: the index of its command, and the event.
-- A command without events is a condition: it holds when the stream is at the expected version.
--
-- Status: 0 took effect, 1 had taken effect before (its stored result is returned), 2 the same id was used
-- with another input, 3 the stream is not at the expected version (`version` says where it is), 4 what it was
-- decided on did not take effect.
CREATE FUNCTION append_commands(
    p_command_ids uuid[], p_fingerprints bytea[], p_types text[], p_ids text[], p_expected bigint[],
    p_counts integer[], p_follows integer[], p_record boolean[], p_outcomes text[],
    e_command integer[], e_type text[], e_id text[], e_sequence bigint[],
    e_event_id uuid[], e_event_type text[], e_event_version text[], e_payload text[], e_metadata text[]
) RETURNS TABLE (status smallint, "position" bigint, version bigint, outcome text, waited_us bigint)
LANGUAGE plpgsql
-- A plan made while the tables were small must not scan them when they are large, and what is forbidden is priced
-- so high that the server would compile it.
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
    started   timestamptz := clock_timestamp();
    now_at    timestamptz;
    head      bigint;
    next      bigint;
    found     record;
    statuses  smallint[] := '{}';
    positions bigint[] := '{}';
    versions  bigint[] := '{}';
    results   text[] := '{}';
BEGIN
    SELECT h.position INTO STRICT head FROM log_head h FOR UPDATE;
    now_at := clock_timestamp();
    next := head;

    FOR found IN
        SELECT c.i, c.fingerprint, c.expected, c.n, c.follows, c.outcome,
               known.fingerprint AS known_fingerprint, known.position AS known_position,
               known.version AS known_version, known.outcome::text AS known_outcome,
               coalesce(stream.sequence, 0) AS stream_version
        FROM unnest(p_command_ids, p_fingerprints, p_types, p_ids, p_expected, p_counts, p_follows, p_outcomes)
             WITH ORDINALITY AS c (command_id, fingerprint, type, id, expected, n, follows, outcome, i)
        LEFT JOIN commands known ON known.command_id = c.command_id
        LEFT JOIN LATERAL (
            SELECT e.sequence FROM events e
            WHERE e.aggregate_type = c.type AND e.aggregate_id = c.id
            ORDER BY e.sequence DESC LIMIT 1
        ) stream ON c.follows = 0
        ORDER BY c.i
    LOOP
        IF found.known_fingerprint IS NOT NULL THEN
            statuses := statuses || (CASE WHEN found.known_fingerprint = found.fingerprint THEN 1 ELSE 2 END)::smallint;
            positions := positions || found.known_position;
            versions := versions || found.known_version;
            results := results || found.known_outcome;
        ELSIF (found.follows = 0 AND found.stream_version = found.expected)
           OR (found.follows > 0 AND statuses[found.follows] = 0) THEN
            next := next + found.n;
            statuses := statuses || 0::smallint;
            positions := positions || next;
            versions := versions || (found.expected + found.n);
            results := results || found.outcome;
        ELSE
            statuses := statuses || (CASE WHEN found.follows = 0 THEN 3 ELSE 4 END)::smallint;
            positions := positions || next;
            versions := versions || found.stream_version;
            results := results || NULL::text;
        END IF;
    END LOOP;

    IF next > head THEN
        INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                            position, event_id, recorded_at)
        SELECT e.type, e.id, e.sequence, e.event_type, e.event_version, e.payload::json, e.metadata::json,
               head + row_number() OVER (ORDER BY e.i), e.event_id, now_at
        FROM unnest(e_command, e_type, e_id, e_sequence, e_event_id, e_event_type, e_event_version, e_payload,
                    e_metadata)
             WITH ORDINALITY AS e (command, type, id, sequence, event_id, event_type, event_version, payload,
                                   metadata, i)
        WHERE statuses[e.command] = 0
        ORDER BY e.i;
        UPDATE log_head h SET position = next;
        PERFORM pg_notify('daybook_events', next::text);
    END IF;

    INSERT INTO commands (command_id, fingerprint, aggregate_type, aggregate_id, version, position, outcome,
                          recorded_at)
    SELECT c.command_id, c.fingerprint, c.type, c.id, c.version, c.position, c.outcome::json, now_at
    FROM unnest(p_command_ids, p_fingerprints, p_types, p_ids, p_record, p_outcomes, statuses, positions, versions)
         AS c (command_id, fingerprint, type, id, record, outcome, status, position, version)
    WHERE c.status = 0 AND c.record;

    RETURN QUERY
    SELECT r.status, r.position, r.version, r.outcome,
           (extract(epoch FROM now_at - started) * 1000000)::bigint
    FROM unnest(statuses, positions, versions, results) AS r (status, position, version, outcome);
END $$;
