//! The event store on Postgres: append, load, read by position, snapshots, upcasting, the vault and the relay to JetStream.
