-- A batch asks which of its keys stand still, and from where on: however many others do.
CREATE INDEX parked_events_by_key ON parked_events (name, version, key, position);
