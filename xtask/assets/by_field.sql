-- The same, and by whether there is an order in it: every payload is sent and looked at.
--! projection by_field
--! version 1
--! reads ALL_TYPES

--! tables
CREATE TABLE by_field (day date, has_order boolean, events bigint, PRIMARY KEY (day, has_order));

--! on all
INSERT INTO by_field
SELECT (occurred_at AT TIME ZONE 'UTC')::date, payload ? 'order_id', count(*) FROM events GROUP BY 1, 2
ON CONFLICT (day, has_order) DO UPDATE SET events = by_field.events + excluded.events;
