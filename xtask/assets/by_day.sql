-- How many events of each type there were on each day: of every event, and of nothing that is in it.
--! projection by_day
--! version 1
--! reads ALL_TYPES

--! tables
CREATE TABLE by_day (day date, event_type text, events bigint, PRIMARY KEY (day, event_type));

--! on all
INSERT INTO by_day
SELECT (occurred_at AT TIME ZONE 'UTC')::date, event_type, count(*) FROM events GROUP BY 1, 2
ON CONFLICT (day, event_type) DO UPDATE SET events = by_day.events + excluded.events;
