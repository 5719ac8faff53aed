-- One key for each person, wrapped by the master key. Forgetting a person is destroying the key.
CREATE TABLE vault_keys (
    subject_id   uuid        PRIMARY KEY,
    wrapped_key  bytea,
    created_at   timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    CHECK ((wrapped_key IS NULL) = (destroyed_at IS NOT NULL))
);
