-- What was paid and paid back, by day (in UTC) and country.
--! projection revenue
--! version 1
--! reads OrderPlaced, PaymentCaptured, PaymentRefunded
--! shows revenue

--! tables
-- A payment does not say where its order goes.
CREATE TABLE orders (order_id text PRIMARY KEY, country text NOT NULL);
CREATE TABLE revenue (
    day      date   NOT NULL,
    country  text   NOT NULL,
    currency text   NOT NULL,
    payments bigint NOT NULL,
    captured bigint NOT NULL,
    refunded bigint NOT NULL,
    PRIMARY KEY (day, country, currency)
);

--! on OrderPlaced
INSERT INTO orders SELECT aggregate_id, payload->'quote'->>'country' FROM events;

--! on PaymentCaptured, PaymentRefunded
INSERT INTO revenue
SELECT
    (occurred_at AT TIME ZONE 'UTC')::date,
    country,
    payload->'amount'->>'currency',
    count(*) FILTER (WHERE event_type = 'PaymentCaptured'),
    coalesce(sum((payload->'amount'->>'minor')::bigint) FILTER (WHERE event_type = 'PaymentCaptured'), 0),
    coalesce(sum((payload->'amount'->>'minor')::bigint) FILTER (WHERE event_type = 'PaymentRefunded'), 0)
FROM events JOIN orders ON order_id = payload->>'order_id'
GROUP BY 1, 2, 3
ON CONFLICT (day, country, currency) DO UPDATE SET
    payments = revenue.payments + excluded.payments,
    captured = revenue.captured + excluded.captured,
    refunded = revenue.refunded + excluded.refunded;
