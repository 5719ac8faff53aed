-- The W3C trace context that came with an authorisation: it comes back with every notice about the payment, as its
-- correlation id does.

ALTER TABLE simulated_gateway.charges ADD COLUMN traceparent text;
