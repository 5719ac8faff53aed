//! One batch: its arrays, its statement, its outcomes.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{Append, Appended, Part};
use crate::error::StoreError;

const APPEND: &str = "SELECT status, position, version, outcome, waited_us FROM append_commands(\
     $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)";

/// The arguments of the append function, column by column: a row a part, then a row an event.
#[derive(Default)]
struct Columns<'a> {
    command: Vec<i32>,
    parts: Vec<i32>,
    command_ids: Vec<Uuid>,
    fingerprints: Vec<&'a [u8]>,
    types: Vec<&'a str>,
    ids: Vec<&'a str>,
    expected: Vec<i64>,
    counts: Vec<i32>,
    follows: Vec<i32>,
    record: Vec<bool>,
    outcomes: Vec<&'a str>,
    event_command: Vec<i32>,
    event_stream_type: Vec<&'a str>,
    event_stream_id: Vec<&'a str>,
    event_sequence: Vec<i64>,
    event_id: Vec<Uuid>,
    event_type: Vec<&'a str>,
    event_version: Vec<&'a str>,
    event_payload: Vec<&'a str>,
    event_metadata: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(batch: &[&'a Append]) -> Self {
        let mut columns = Self::default();
        // The last command of each chain so far that changes something, by the chain's address.
        let mut chains: HashMap<usize, i32> = HashMap::new();
        for (index, append) in (1_i32..).zip(batch) {
            let mut parts = i32::try_from(append.parts.len()).unwrap_or(i32::MAX);
            for part in &append.parts {
                let chain = part.chain.address();
                let follows = chains.get(&chain).copied().unwrap_or(0);
                if !part.is_condition() {
                    chains.insert(chain, index);
                }
                columns.push(index, std::mem::take(&mut parts), follows, append, part);
            }
        }
        columns
    }

    fn push(&mut self, index: i32, parts: i32, follows: i32, append: &'a Append, part: &'a Part) {
        self.command.push(index);
        self.parts.push(parts);
        self.command_ids.push(append.command_id.uuid());
        self.fingerprints.push(&append.fingerprint.0);
        self.types.push(&part.stream.aggregate_type);
        self.ids.push(&part.stream.aggregate_id);
        self.expected.push(part.expected);
        self.counts.push(i32::try_from(part.events.len()).unwrap_or(i32::MAX));
        self.follows.push(follows);
        self.record.push(append.outcome.is_some());
        self.outcomes.push(append.outcome.as_deref().unwrap_or("null"));
        for (sequence, event) in (part.expected + 1..).zip(&part.events) {
            self.event_command.push(index);
            self.event_stream_type.push(&part.stream.aggregate_type);
            self.event_stream_id.push(&part.stream.aggregate_id);
            self.event_sequence.push(sequence);
            self.event_id.push(event.event_id);
            self.event_type.push(&event.event_type);
            self.event_version.push(&event.event_version);
            self.event_payload.push(&event.payload);
            self.event_metadata.push(&event.metadata);
        }
    }
}

/// Appends the batch in one commit and returns an outcome for each of its commands.
pub(super) async fn append(
    connection: &mut PgConnection,
    batch: &[&Append],
) -> Result<Vec<Appended>, StoreError> {
    let columns = Columns::of(batch);
    let statement = sqlx::query(APPEND)
        .bind(&columns.command)
        .bind(&columns.parts)
        .bind(&columns.command_ids)
        .bind(&columns.fingerprints)
        .bind(&columns.types)
        .bind(&columns.ids)
        .bind(&columns.expected)
        .bind(&columns.counts)
        .bind(&columns.follows)
        .bind(&columns.record)
        .bind(&columns.outcomes)
        .bind(&columns.event_command)
        .bind(&columns.event_stream_type)
        .bind(&columns.event_stream_id)
        .bind(&columns.event_sequence)
        .bind(&columns.event_id)
        .bind(&columns.event_type)
        .bind(&columns.event_version)
        .bind(&columns.event_payload)
        .bind(&columns.event_metadata);
    let rows = statement.fetch_all(connection).await?;
    if let Some(row) = rows.first() {
        let waited = u64::try_from(row.try_get::<i64, _>(4)?).unwrap_or(0);
        metrics::histogram!("daybook_append_head_wait_seconds").record(Duration::from_micros(waited));
    }
    rows.iter().map(outcome).collect()
}

fn outcome(row: &sqlx::postgres::PgRow) -> Result<Appended, StoreError> {
    let (position, version) = (row.try_get(1)?, row.try_get(2)?);
    Ok(match row.try_get::<i16, _>(0)? {
        0 => Appended::Done { position, version },
        1 => Appended::Replayed { position, version, outcome: row.try_get(3)? },
        2 => Appended::Mismatch,
        3 => Appended::Conflict { part: usize::try_from(version).unwrap_or(usize::MAX) },
        _ => Appended::Unfounded,
    })
}
