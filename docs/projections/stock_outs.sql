-- When stock items had nothing left to sell, for how long, and which orders were lost for want of stock.
--! projection stock_outs
--! version 1
--! reads InventoryReceived, InventoryAdjusted, InventorySafetyStockSet, InventoryReserved, InventoryReservationExpired, InventoryAllocated, InventoryReleased, InventoryReturned, OrderPlaced, OrderCancelled
--! shows stock_outs, lost_demand

--! tables
-- What is left to sell of each item, and what is kept back: to be known when the next batch begins.
CREATE TABLE items (
    item      text   PRIMARY KEY,
    available bigint NOT NULL,
    safety    bigint NOT NULL
);
-- Each change that emptied an item, or ended that; the last one of an item may have no end yet.
CREATE TABLE changes (
    item     text        NOT NULL,
    position bigint      NOT NULL,
    at       timestamptz NOT NULL,
    is_empty boolean     NOT NULL,
    PRIMARY KEY (item, position)
);
CREATE TABLE orders (order_id uuid NOT NULL, variant_id uuid NOT NULL, sku text NOT NULL, units bigint NOT NULL,
                     gross bigint NOT NULL);
CREATE INDEX ON orders (order_id);
CREATE TABLE lost (order_id uuid PRIMARY KEY, at timestamptz NOT NULL);

CREATE VIEW stock_outs AS
WITH spans AS (
    SELECT item, at AS began, is_empty, lead(at) OVER (PARTITION BY item ORDER BY position) AS ended FROM changes
)
SELECT
    item,
    count(*) AS times,
    count(*) FILTER (WHERE ended IS NULL) AS is_out,
    coalesce(sum(extract(epoch FROM ended - began))::bigint, 0) AS seconds_out
FROM spans
WHERE is_empty
GROUP BY item
ORDER BY times DESC, item COLLATE "C";

CREATE VIEW lost_demand AS
SELECT sku, count(*) AS orders, sum(units) AS units, sum(gross) AS gross
FROM lost JOIN orders USING (order_id)
GROUP BY sku
ORDER BY gross DESC, sku COLLATE "C";

-- The order of these matters from type to type, so they are taken together.
--! on InventoryReceived, InventoryAdjusted, InventorySafetyStockSet, InventoryReserved, InventoryReservationExpired, InventoryAllocated, InventoryReleased, InventoryReturned
WITH
    moves AS (
        SELECT
            aggregate_id AS item, position, occurred_at AS at,
            CASE event_type
                WHEN 'InventoryReceived' THEN (payload->>'quantity')::bigint
                WHEN 'InventoryReturned' THEN (payload->>'quantity')::bigint
                WHEN 'InventoryReservationExpired' THEN (payload->>'quantity')::bigint
                WHEN 'InventoryAdjusted' THEN (payload->>'delta')::bigint
                WHEN 'InventoryReleased' THEN (payload->>'reserved')::bigint + (payload->>'allocated')::bigint
                WHEN 'InventoryReserved' THEN -(payload->>'quantity')::bigint
                -- What was held already is promised now.
                WHEN 'InventoryAllocated' THEN
                    CASE WHEN (payload->>'from_reservation')::boolean THEN 0 ELSE -(payload->>'quantity')::bigint END
                ELSE 0
            END AS moved,
            CASE event_type WHEN 'InventorySafetyStockSet' THEN (payload->>'quantity')::bigint END AS safety
        FROM events
    ),
    numbered AS (
        -- The safety stock that holds: the last one that was set.
        SELECT *, count(safety) OVER (PARTITION BY item ORDER BY position) AS setting FROM moves
    ),
    running AS (
        SELECT
            item, numbered.position, at,
            coalesce(items.available + items.safety, 0)
                + sum(moved) OVER (PARTITION BY item ORDER BY numbered.position) AS sellable,
            coalesce(max(numbered.safety) OVER (PARTITION BY item, setting), items.safety, 0) AS kept,
            -- An item that nobody has heard of has nothing, and has not run out.
            items.available IS NULL AND row_number() OVER (PARTITION BY item ORDER BY numbered.position) = 1 AS is_new,
            items.available AS before
        FROM numbered LEFT JOIN items USING (item)
    ),
    steps AS (
        SELECT
            item, position, at, kept, sellable - kept AS available, is_new,
            coalesce(lag(sellable - kept) OVER (PARTITION BY item ORDER BY position), before) AS before
        FROM running
    ),
    last AS (
        INSERT INTO items
        SELECT DISTINCT ON (item) item, available, kept FROM steps ORDER BY item, position DESC
        ON CONFLICT (item) DO UPDATE SET available = excluded.available, safety = excluded.safety
    )
INSERT INTO changes
SELECT item, position, at, available <= 0
FROM steps
WHERE NOT is_new AND (available <= 0) <> (before <= 0);

--! on OrderPlaced
INSERT INTO orders
SELECT
    aggregate_id::uuid, (line->>'variant_id')::uuid, line->>'sku', (line->>'quantity')::bigint,
    (line->'gross'->>'minor')::bigint
FROM events CROSS JOIN jsonb_array_elements(payload->'quote'->'lines') AS line;

--! on OrderCancelled
INSERT INTO lost SELECT aggregate_id::uuid, occurred_at FROM events WHERE payload->>'reason' = 'out_of_stock';
