//! What the database has, in every column but the time.

use std::collections::HashMap;

use daybook_domain::CommandId;
use daybook_eventstore::{Appended, Fingerprint, NewEvent, Position, StreamId};
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

    /// The stream and the position, when it is the beginning of a contested one.
    pub(super) fn of_contest(&self) -> Option<(String, Position)> {
        let id = &self.stream.aggregate_id;
        (id.starts_with("contested") && self.sequence == 1).then(|| (id.clone(), self.position))
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

/// The log after a position, which counts as its beginning, in its order; and where its head says that it ends.
pub(super) async fn events_after(pool: &PgPool, base: Position) -> (Vec<Logged>, Position) {
    let query = "SELECT aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text, \
        metadata::text, position - $1, event_id FROM events WHERE position > $1 ORDER BY position";
    let rows = sqlx::query(query).bind(base).fetch_all(pool).await.expect("the log");
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
    (events.collect(), head(pool).await - base)
}

/// Where the log ends.
pub(super) async fn head(pool: &PgPool) -> Position {
    sqlx::query_scalar("SELECT position FROM log_head").fetch_one(pool).await.expect("the head")
}

/// What is recorded of the commands of a series, whose log began after a position.
pub(super) async fn commands_after(
    pool: &PgPool,
    base: Position,
    series: u128,
) -> HashMap<CommandId, Command> {
    let query = "SELECT command_id, fingerprint, position - $1, version, outcome::text FROM commands \
        WHERE command_id BETWEEN $2 AND $3";
    let (first, last) = (Uuid::from_u128(series << 32), Uuid::from_u128((series + 1) << 32));
    let query = sqlx::query(query).bind(base).bind(first).bind(last);
    let rows = query.fetch_all(pool).await.expect("the commands");
    let command = |row: &sqlx::postgres::PgRow| Command {
        fingerprint: Fingerprint(row.get::<Vec<u8>, _>(1).try_into().expect("32 bytes")),
        position: row.get(2),
        version: row.get(3),
        outcome: row.get(4),
    };
    rows.iter().map(|row| (CommandId::new(row.get(0)), command(row))).collect()
}

/// The same outcome, with the positions counted from there.
pub(super) fn since(base: Position, mut outcome: Appended) -> Appended {
    if let Appended::Done { position, .. } | Appended::Replayed { position, .. } = &mut outcome {
        *position -= base;
    }
    outcome
}
