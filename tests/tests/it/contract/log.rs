//! What the database has, in every column but the time.

use std::collections::HashMap;

use daybook_domain::CommandId;
use daybook_eventstore::{Fingerprint, NewEvent, Position, StreamId};
use sqlx::{PgPool, Row};
use uuid::Uuid;

/// An event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Logged {
    stream: StreamId,
    pub(super) sequence: i64,
    event_type: String,
    event_version: String,
    payload: String,
    metadata: String,
    pub(super) position: Position,
    pub(super) event_id: Uuid,
}

impl Logged {
    pub(super) fn new(stream: &StreamId, sequence: i64, event: &NewEvent, position: Position) -> Self {
        let NewEvent { event_id, event_type, event_version, payload, metadata } = event.clone();
        let stream = stream.clone();
        Self { stream, sequence, event_type, event_version, payload, metadata, position, event_id }
    }

    /// Whether it is of a stream with such an id.
    pub(super) fn is_of(&self, kind: &str) -> bool {
        self.stream.aggregate_id.starts_with(kind)
    }
}

/// A command that took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) fingerprint: Fingerprint,
    pub(super) position: Position,
    pub(super) version: i64,
    pub(super) outcome: String,
}

/// The log, in its order, and where its head says that it ends.
pub(super) async fn events(pool: &PgPool) -> (Vec<Logged>, Position) {
    let query = "SELECT aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text, \
        metadata::text, position, event_id FROM events ORDER BY position";
    let rows = sqlx::query(query).fetch_all(pool).await.expect("the log");
    let events = rows.iter().map(|row| Logged {
        stream: StreamId { aggregate_type: row.get(0), aggregate_id: row.get(1) },
        sequence: row.get(2),
        event_type: row.get(3),
        event_version: row.get(4),
        payload: row.get(5),
        metadata: row.get(6),
        position: row.get(7),
        event_id: row.get(8),
    });
    let head = sqlx::query_scalar("SELECT position FROM log_head").fetch_one(pool).await.expect("its head");
    (events.collect(), head)
}

pub(super) async fn commands(pool: &PgPool) -> HashMap<CommandId, Command> {
    let query = "SELECT command_id, fingerprint, position, version, outcome::text FROM commands";
    let rows = sqlx::query(query).fetch_all(pool).await.expect("the commands");
    let command = |row: &sqlx::postgres::PgRow| Command {
        fingerprint: Fingerprint(row.get::<Vec<u8>, _>(1).try_into().expect("32 bytes")),
        position: row.get(2),
        version: row.get(3),
        outcome: row.get(4),
    };
    rows.iter().map(|row| (CommandId::new(row.get(0)), command(row))).collect()
}
