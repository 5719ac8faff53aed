-- A snapshot stands on the event that its version was reached with, and is passed over when the log has another one
-- there, or none: it may be of a log that was restored to an earlier moment since. Those taken before name no event.
ALTER TABLE snapshots ADD event_id uuid;
