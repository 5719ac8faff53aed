-- The key that a subject's key is wrapped by has a name, so that there can be several: one that wraps, and others that
-- only unwrap. An empty name is that of programs before this, which had one key.
ALTER TABLE vault_keys ADD COLUMN key_id text NOT NULL DEFAULT '';
CREATE INDEX vault_keys_by_key ON vault_keys (key_id) WHERE wrapped_key IS NOT NULL;

-- Secrets of the vault itself, wrapped like subjects' keys. They outlive every key that wraps them.
CREATE TABLE vault_secrets (
    name       text        PRIMARY KEY,
    wrapped    bytea       NOT NULL,
    key_id     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
