-- A command whose stream is not at the expected version (status 3) says which of its parts that is: the 0-based index is
-- in `version`. What else it was decided on may be as it was seen, and is not to be doubted for it.
CREATE OR REPLACE FUNCTION append_commands(
    p_command integer[], p_parts integer[], p_command_ids uuid[], p_fingerprints bytea[], p_types text[], p_ids text[],
    p_expected bigint[], p_counts integer[], p_follows integer[], p_record boolean[], p_outcomes text[],
    e_command integer[], e_type text[], e_id text[], e_sequence bigint[],
    e_event_id uuid[], e_event_type text[], e_event_version text[], e_payload text[], e_metadata text[]
) RETURNS TABLE (status smallint, "position" bigint, version bigint, outcome text, waited_us bigint)
LANGUAGE plpgsql
-- A plan made while the tables were small must not scan them when they are large, and what is forbidden is priced
-- so high that the server would compile it. Planning anew would be a fifth of what a small append costs.
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    started   timestamptz := clock_timestamp();
    now_at    timestamptz;
    head      bigint;
    next      bigint;
    found     record;
    verdict   smallint;
    part      integer;
    remaining integer;
    grown     bigint;
    reached   bigint;
    before    bigint;
    told      text;
    statuses  smallint[] := '{}';
    positions bigint[] := '{}';
    versions  bigint[] := '{}';
    results   text[] := '{}';
BEGIN
    SELECT h.position INTO STRICT head FROM log_head h FOR UPDATE;
    now_at := clock_timestamp();
    next := head;

    FOR found IN
        SELECT c.parts, c.fingerprint, c.expected, c.n, c.follows, c.outcome,
               known.fingerprint AS known_fingerprint, known.position AS known_position,
               known.version AS known_version, known.outcome::text AS known_outcome,
               coalesce(stream.sequence, 0) AS stream_version
        FROM unnest(p_parts, p_command_ids, p_fingerprints, p_types, p_ids, p_expected, p_counts, p_follows,
                    p_outcomes)
             WITH ORDINALITY AS c (parts, command_id, fingerprint, type, id, expected, n, follows, outcome, i)
        LEFT JOIN commands known ON known.command_id = c.command_id AND c.parts > 0
        LEFT JOIN LATERAL (
            SELECT e.sequence FROM events e
            WHERE e.aggregate_type = c.type AND e.aggregate_id = c.id
            ORDER BY e.sequence DESC LIMIT 1
        ) stream ON c.follows = 0
        ORDER BY c.i
    LOOP
        IF found.parts > 0 THEN
            verdict := CASE WHEN found.known_fingerprint IS NULL THEN 0
                            WHEN found.known_fingerprint = found.fingerprint THEN 1 ELSE 2 END;
            before := found.known_position;
            reached := CASE verdict WHEN 0 THEN found.expected + found.n ELSE found.known_version END;
            told := CASE verdict WHEN 0 THEN found.outcome ELSE found.known_outcome END;
            remaining := found.parts;
            part := 0;
            grown := 0;
        END IF;
        IF verdict IN (0, 4) THEN
            IF found.follows = 0 AND found.stream_version <> found.expected THEN
                verdict := 3;
                reached := part;
            ELSIF found.follows > 0 AND statuses[found.follows] <> 0 THEN
                verdict := 4;
            END IF;
        END IF;
        grown := grown + found.n;
        part := part + 1;
        remaining := remaining - 1;
        IF remaining = 0 THEN
            IF verdict = 0 THEN
                next := next + grown;
            END IF;
            statuses := statuses || verdict;
            positions := positions || CASE WHEN verdict IN (1, 2) THEN before ELSE next END;
            versions := versions || reached;
            results := results || told;
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
    SELECT c.command_id, c.fingerprint, c.type, c.id, versions[c.command], positions[c.command], c.outcome::json, now_at
    FROM unnest(p_command, p_parts, p_command_ids, p_fingerprints, p_types, p_ids, p_record, p_outcomes)
         AS c (command, parts, command_id, fingerprint, type, id, record, outcome)
    WHERE c.parts > 0 AND c.record AND statuses[c.command] = 0;

    RETURN QUERY
    SELECT r.status, r.position, r.version, r.outcome,
           (extract(epoch FROM now_at - started) * 1000000)::bigint
    FROM unnest(statuses, positions, versions, results) AS r (status, position, version, outcome);
END $$;
