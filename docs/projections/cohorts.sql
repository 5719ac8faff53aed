-- Whether customers come back: those of each month, how many of them buy again in the months after, and for how much.
--! projection cohorts
--! version 1
--! reads OrderPlaced
--! shows cohorts

--! tables
CREATE TABLE activity (
    customer_id uuid   NOT NULL,
    month       date   NOT NULL,
    orders      bigint NOT NULL,
    spent       bigint NOT NULL,
    PRIMARY KEY (customer_id, month)
);
-- `cohort` is the month of a customer's first order, `later` how many months later, `share` those who bought then of all of
-- the cohort, in thousandths.
CREATE VIEW cohorts AS
WITH
    first AS (SELECT customer_id, min(month) AS cohort FROM activity GROUP BY customer_id),
    size AS (SELECT cohort, count(*) AS customers FROM first GROUP BY cohort),
    later AS (
        SELECT
            cohort,
            ((extract(year FROM month) - extract(year FROM cohort)) * 12
                + extract(month FROM month) - extract(month FROM cohort))::integer AS later,
            count(*) AS bought, sum(orders) AS orders, sum(spent) AS spent
        FROM activity JOIN first USING (customer_id)
        GROUP BY 1, 2
    )
SELECT cohort, customers, later, bought, round(1000 * bought::numeric / customers) AS share, orders, spent
FROM later JOIN size USING (cohort)
ORDER BY cohort, later;

-- Guests have no customer number, and cannot be told apart.
--! on OrderPlaced
INSERT INTO activity
SELECT
    (payload->>'customer_id')::uuid,
    date_trunc('month', occurred_at AT TIME ZONE 'UTC')::date,
    count(*),
    sum((payload->'quote'->'total'->>'minor')::bigint)
FROM events
WHERE payload->>'customer_id' IS NOT NULL
GROUP BY 1, 2
ON CONFLICT (customer_id, month) DO UPDATE SET
    orders = activity.orders + excluded.orders,
    spent = activity.spent + excluded.spent;
