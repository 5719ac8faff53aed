-- What the notary makes of the log: the tiles of its Merkle tree (docs/proof.md), and the heads that were signed. It is no
-- read model with versions: of one log there is one tree, whatever code computes it.

-- Where it stands in the log, with the log's epoch and the hash of the event there; so many entries the tiles have.
CREATE TABLE notary (
    there_is_one boolean PRIMARY KEY DEFAULT true CHECK (there_is_one),
    epoch        uuid   NOT NULL,
    position     bigint NOT NULL CHECK (position >= 0),
    event_hash   bytea  NOT NULL
);

-- Of each tile the hashes there are yet. A hash is never changed, unless the log was restored to before it; none of those was
-- signed.
CREATE TABLE notary_tiles (
    level  smallint NOT NULL,
    number bigint   NOT NULL,
    hashes bytea    NOT NULL,
    PRIMARY KEY (level, number)
);
-- Nothing in them can be compressed.
ALTER TABLE notary_tiles ALTER hashes SET STORAGE EXTERNAL;

-- The heads that were signed, as notes, with all signatures there are.
CREATE TABLE notary_checkpoints (
    size      bigint      PRIMARY KEY,
    note      text        NOT NULL,
    signed_at timestamptz NOT NULL
);
