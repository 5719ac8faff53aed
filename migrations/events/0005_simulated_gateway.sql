-- The books of the simulated payment gateway: an outside system, as far as the shop is concerned, that happens to
-- keep them here. Nothing of the shop reads or writes this schema; with a real gateway it stays empty.

CREATE SCHEMA simulated_gateway;

-- Every request that was ever taken, with its answer: the same key is answered the same, and done once.
CREATE TABLE simulated_gateway.requests (
    idempotency_key text PRIMARY KEY,
    input           text NOT NULL,
    answer          text NOT NULL
);

CREATE TABLE simulated_gateway.charges (
    reference      text   PRIMARY KEY,
    payment_id     uuid   NOT NULL UNIQUE,
    order_id       uuid   NOT NULL,
    correlation_id uuid   NOT NULL,
    card           text   NOT NULL,
    status         text   NOT NULL CHECK (status IN ('authorised', 'declined', 'action_required')),
    currency       text   NOT NULL,
    -- What is held, or would be after the second step; minor units, as all amounts here.
    amount         bigint NOT NULL,
    captured       bigint NOT NULL DEFAULT 0 CHECK (captured >= 0),
    voided         bigint NOT NULL DEFAULT 0 CHECK (voided >= 0),
    refunded       bigint NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND captured),
    failed_refunds bigint NOT NULL DEFAULT 0,
    CHECK (captured + voided <= amount),
    CHECK (captured = 0 OR status = 'authorised')
);
CREATE INDEX charges_order_id ON simulated_gateway.charges (order_id);

-- Webhooks to be delivered. A row goes when the shop has taken it.
CREATE TABLE simulated_gateway.webhooks (
    event_id uuid        NOT NULL,
    -- The same notice may be told several times.
    copy     integer     NOT NULL,
    body     text        NOT NULL,
    due_at   timestamptz NOT NULL,
    attempts integer     NOT NULL DEFAULT 0,
    PRIMARY KEY (event_id, copy)
);
CREATE INDEX webhooks_due_at ON simulated_gateway.webhooks (due_at);
