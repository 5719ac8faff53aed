-- How long customers wait from paying to the parcel's leaving, by month and country.
--! projection dispatch_time
--! version 1
--! reads OrderPlaced, PaymentAuthorised, ShipmentDispatched
--! shows dispatch_time

--! tables
CREATE TABLE orders (
    order_id   text        PRIMARY KEY,
    country    text        NOT NULL,
    paid       timestamptz,
    dispatched timestamptz
);
CREATE VIEW dispatch_time AS
SELECT
    date_trunc('month', paid AT TIME ZONE 'UTC')::date AS month,
    country,
    count(*) AS paid,
    count(dispatched) AS dispatched,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM dispatched - paid)::bigint) AS median_seconds,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM dispatched - paid)::bigint) AS p95_seconds,
    max(extract(epoch FROM dispatched - paid)::bigint) AS longest_seconds
FROM orders
WHERE paid IS NOT NULL
GROUP BY 1, 2
ORDER BY month, country COLLATE "C";

--! on OrderPlaced
INSERT INTO orders SELECT aggregate_id, payload->'quote'->>'country' FROM events;

--! on PaymentAuthorised
UPDATE orders SET paid = events.occurred_at FROM events WHERE orders.order_id = events.payload->>'order_id';

-- Of several parcels the first counts.
--! on ShipmentDispatched
UPDATE orders SET dispatched = least(orders.dispatched, first.at)
FROM (SELECT payload->>'order_id' AS order_id, min(occurred_at) AS at FROM events GROUP BY 1) first
WHERE orders.order_id = first.order_id;
