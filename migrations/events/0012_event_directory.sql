-- Where the events of each type are, so that a reader of rare ones does not look at all the others. An index on the
-- events would cost every append a tenth; this is written a block of the log at a time when the block is full, off the
-- appends' path, and has a byte or two an event.
CREATE TABLE event_directory (
    event_type     text     NOT NULL COLLATE "C",
    -- The events at the positions block * 4,096 + 1 to block * 4,096 + 4,096.
    block          bigint   NOT NULL,
    aggregate_type text     NOT NULL COLLATE "C",
    -- Which of them, in any order: position - block * 4,096 - 1.
    offsets        smallint[] NOT NULL,
    PRIMARY KEY (event_type, block, aggregate_type)
);
CREATE INDEX event_directory_of_aggregates ON event_directory (aggregate_type, block);

-- How far it reaches: to the end of a block. Events beyond are found by looking.
CREATE TABLE event_directory_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint  NOT NULL CHECK (position >= 0 AND position % 4096 = 0)
);
INSERT INTO event_directory_head (position) VALUES (0);

-- Enters at most so many full blocks of the log that are not in the directory yet, and returns how many full ones there
-- are beyond; nothing when somebody else is at it. In no order: to sort costs more than all the rest, and who reads several
-- types sorts anyhow.
CREATE FUNCTION extend_event_directory(blocks integer) RETURNS bigint LANGUAGE plpgsql
SET enable_seqscan = off SET enable_sort = off SET jit = off AS $$
DECLARE
    first bigint;
    full_to bigint;
    upto  bigint;
BEGIN
    SELECT d.position / 4096 INTO first FROM event_directory_head d FOR UPDATE SKIP LOCKED;
    IF first IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT h.position / 4096 INTO STRICT full_to FROM log_head h;
    upto := greatest(first, least(full_to, first + blocks));
    FOR one IN first .. upto - 1 LOOP
        INSERT INTO event_directory (event_type, block, aggregate_type, offsets)
        SELECT e.event_type, one, e.aggregate_type, array_agg((e.position - one * 4096 - 1)::smallint)
        FROM events e
        WHERE e.position > one * 4096 AND e.position <= (one + 1) * 4096
        GROUP BY e.event_type, e.aggregate_type;
    END LOOP;
    IF upto > first THEN
        UPDATE event_directory_head d SET position = upto * 4096;
    END IF;
    RETURN greatest(full_to - upto, 0);
END $$;

-- What is there already.
SELECT extend_event_directory(2147483647);
