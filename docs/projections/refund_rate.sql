-- How much of each product comes back: units sold and returned, and what they were paid.
--! projection refund_rate
--! version 1
--! reads OrderPlaced, OrderReturned
--! shows refund_rate

--! tables
-- What was sold, by order: a return names the order and the variant, and not the price.
CREATE TABLE sold (
    order_id   uuid   NOT NULL,
    variant_id uuid   NOT NULL,
    sku        text   NOT NULL,
    title      text   NOT NULL,
    units      bigint NOT NULL,
    paid       bigint NOT NULL,
    PRIMARY KEY (order_id, variant_id)
);
CREATE TABLE returned (
    order_id   uuid   NOT NULL,
    variant_id uuid   NOT NULL,
    units      bigint NOT NULL,
    PRIMARY KEY (order_id, variant_id)
);
-- Of products that were sold a hundred times or more. Money is whole pennies, gross; rates are in thousandths.
CREATE VIEW refund_rate AS
SELECT
    min(sku) AS sku,
    max(title) AS title,
    sum(sold.units) AS sold,
    sum(coalesce(returned.units, 0)) AS returned,
    round(1000 * sum(coalesce(returned.units, 0)) / sum(sold.units)) AS per_mille,
    sum(paid) AS paid,
    sum(round(paid * coalesce(returned.units, 0)::numeric / sold.units)) AS paid_for_returned
FROM sold LEFT JOIN returned USING (order_id, variant_id)
GROUP BY variant_id
HAVING count(*) >= 100
ORDER BY per_mille DESC, returned DESC, min(sku) COLLATE "C";

--! on OrderPlaced
INSERT INTO sold
SELECT
    aggregate_id::uuid,
    (line->>'variant_id')::uuid,
    min(line->>'sku'),
    max(line->>'title'),
    sum((line->>'quantity')::bigint),
    sum((line->'gross'->>'minor')::bigint)
FROM events CROSS JOIN jsonb_array_elements(payload->'quote'->'lines') AS line
GROUP BY 1, 2;

--! on OrderReturned
INSERT INTO returned
SELECT aggregate_id::uuid, (payload->>'variant_id')::uuid, sum((payload->>'quantity')::bigint)
FROM events
GROUP BY 1, 2
ON CONFLICT (order_id, variant_id) DO UPDATE SET units = returned.units + excluded.units;
