-- Which products are bought together more often than by chance.
--! projection basket_pairs
--! version 1
--! reads OrderPlaced
--! shows basket_pairs

--! tables
CREATE TABLE baskets (
    order_id uuid NOT NULL,
    sku      text NOT NULL,
    title    text NOT NULL,
    PRIMARY KEY (order_id, sku)
);
-- Of products that are in a hundred baskets or more, and pairs that are too. `lift` is how many times as often
-- as by chance, in hundredths; `share` is how many of the baskets with the first product have the second, in thousandths.
CREATE VIEW basket_pairs AS
WITH
    popular AS (
        SELECT sku, max(title) AS title, count(*) AS baskets FROM baskets GROUP BY sku HAVING count(*) >= 100
    ),
    chosen AS MATERIALIZED (SELECT order_id, sku FROM baskets JOIN popular USING (sku)),
    pairs AS (
        SELECT one.sku AS one, two.sku AS two, count(*) AS baskets
        FROM chosen one JOIN chosen two ON two.order_id = one.order_id AND two.sku COLLATE "C" > one.sku COLLATE "C"
        GROUP BY one.sku, two.sku
        HAVING count(*) >= 100
    )
SELECT
    pairs.one,
    one.title AS title,
    pairs.two,
    two.title AS with_title,
    pairs.baskets,
    round(1000 * pairs.baskets::numeric / one.baskets) AS share,
    round(100 * pairs.baskets::numeric * (SELECT count(DISTINCT order_id) FROM baskets) / (one.baskets * two.baskets))
        AS lift
FROM pairs JOIN popular one ON one.sku = pairs.one JOIN popular two ON two.sku = pairs.two
ORDER BY pairs.baskets DESC, pairs.one COLLATE "C", pairs.two COLLATE "C";

--! on OrderPlaced
INSERT INTO baskets
SELECT aggregate_id::uuid, line->>'sku', max(line->>'title')
FROM events CROSS JOIN jsonb_array_elements(payload->'quote'->'lines') AS line
GROUP BY 1, 2;
