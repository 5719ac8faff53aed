//! The history of a round: the log and the store's memory as the database has them, and what everybody wrote down.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use daybook_eventstore::RecordedEvent;
use futures::TryStreamExt as _;
use serde::Deserialize;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use super::Failed;
use super::history::{Attempt, Logged, Recorded};
use super::scribe;
use super::watch::digest;
use super::writer::order::{LEDGER, fingerprint, metadata, name, payload};
use super::writer::tally::TallyEvent;

/// The log, read without any of the store's own code.
pub(crate) async fn log(pool: &PgPool) -> Result<Vec<Logged>, Failed> {
    let mut rows = sqlx::query(
        "SELECT position, event_id, aggregate_type, aggregate_id, sequence, event_type, event_version, \
         payload::text AS payload, metadata::text AS metadata, recorded_at FROM events ORDER BY position",
    )
    .fetch(pool);
    let mut log = Vec::new();
    while let Some(row) = rows.try_next().await? {
        log.push(logged(&recorded(&row)?)?);
    }
    Ok(log)
}

fn recorded(row: &PgRow) -> Result<RecordedEvent, sqlx::Error> {
    Ok(RecordedEvent {
        position: row.try_get("position")?,
        event_id: row.try_get("event_id")?,
        aggregate_type: row.try_get("aggregate_type")?,
        aggregate_id: row.try_get("aggregate_id")?,
        sequence: row.try_get("sequence")?,
        event_type: row.try_get("event_type")?,
        event_version: row.try_get("event_version")?,
        payload: row.try_get("payload")?,
        metadata: row.try_get("metadata")?,
        recorded_at: row.try_get::<DateTime<Utc>, _>("recorded_at")?,
    })
}

fn logged(event: &RecordedEvent) -> Result<Logged, Failed> {
    /// All that is needed of the metadata.
    #[derive(Deserialize)]
    struct Cause {
        command_id: Uuid,
    }
    let command = serde_json::from_str::<Cause>(&event.metadata)?.command_id;
    let (mut intact, mut saw) = (true, Vec::new());
    if event.aggregate_type == LEDGER {
        intact = event.payload == payload(event.event_id) && event.metadata == metadata(command)?;
    } else {
        TallyEvent::Noted { saw } = serde_json::from_str(&event.payload)?;
    }
    Ok(Logged {
        position: event.position,
        event: event.event_id,
        digest: digest(&event.hash()),
        stream: name(&event.aggregate_type, &event.aggregate_id),
        sequence: event.sequence,
        command,
        intact,
        saw,
    })
}

/// What the store remembers of commands.
pub(crate) async fn memory(pool: &PgPool) -> Result<Vec<Recorded>, Failed> {
    let statement = "SELECT command_id, fingerprint, outcome::text, version, position FROM commands";
    let rows: Vec<(Uuid, Vec<u8>, String, i64, i64)> = sqlx::query_as(statement).fetch_all(pool).await?;
    let recorded = rows.into_iter().map(|(command, stored, outcome, version, position)| {
        let input = outcome.parse().ok().filter(|input| fingerprint(*input).0 == stored.as_slice());
        Recorded { command, input, version, position }
    });
    Ok(recorded.collect())
}

/// What was asked for and answered, by everybody who wrote it down.
pub(crate) fn attempts(files: &[PathBuf]) -> Result<Vec<Attempt>, Failed> {
    let mut attempts = Vec::new();
    for file in files.iter().filter(|file| file.exists()) {
        attempts.extend(scribe::read(file)?);
    }
    Ok(attempts)
}
