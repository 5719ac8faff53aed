-- Turns the table of the postgres-es crate into a log, once: docs/from-postgres-es.md says when. Its tables are expected
-- in the schema before_daybook, and this program's, still empty, in the schema that comes first.
--
-- The old table knows no order between streams. They are put into the order in which rows lie in it, which is nearly
-- that in which they came; within a stream the order is exact.
BEGIN;

LOCK TABLE before_daybook.events IN SHARE MODE;
LOCK TABLE log_head IN EXCLUSIVE MODE;

DO $$ BEGIN
    IF (SELECT position FROM log_head) > 0 THEN
        RAISE EXCEPTION 'the log is not empty: nothing was moved';
    END IF;
END $$;

INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position,
                    event_id, recorded_at)
SELECT aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
       row_number() OVER (ORDER BY place, aggregate_type, aggregate_id, sequence), gen_random_uuid(), now()
FROM (
    SELECT *, max(lies) OVER (PARTITION BY aggregate_type, aggregate_id ORDER BY sequence) AS place
    FROM (SELECT *, row_number() OVER (ORDER BY ctid) AS lies FROM before_daybook.events) AS rows
) AS ordered
ORDER BY place, aggregate_type, aggregate_id, sequence;

UPDATE log_head SET position = (SELECT count(*) FROM events);

SELECT extend_event_directory(2147483647);

COMMIT;

ANALYZE events;
