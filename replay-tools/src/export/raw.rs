//! Every event as it was written, and the log's tree.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use daybook_domain::Timestamp;
use daybook_eventstore::process::Failure;
use daybook_eventstore::proof::{Facts, Frontier};
use daybook_eventstore::{EventHash, EventView, Position};
use serde::Deserialize;
use tokio::sync::mpsc::Receiver;
use uuid::Uuid;

use super::chunk::Sent;
use super::dataset::{Dataset, Month, OPEN};
use super::manifest::Written;
use super::schema;

/// The dataset's name.
const NAME: &str = "events";
/// How many bytes are gathered before they are written.
const GATHERED: usize = 1 << 20;

/// When an event happened, if its metadata can be read.
pub(super) fn occurred_at(metadata: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Moment {
        occurred_at: Timestamp,
    }
    // As it is written; in a string the quotes would be escaped, so this is no part of one.
    let written = metadata.split_once(r#""occurred_at":""#).and_then(|(_, rest)| rest.split_once('"'));
    match written.and_then(|(moment, _)| chrono::DateTime::parse_from_rfc3339(moment).ok()) {
        Some(moment) => Some(moment.into()),
        None => serde_json::from_str(metadata).ok().map(|moment: Moment| moment.occurred_at),
    }
}

/// What was written of a chunk.
pub(super) struct Raw {
    pub(super) files: Vec<Written>,
    pub(super) frontier: Frontier,
    pub(super) last: Option<(Position, EventHash)>,
}

/// Events of a month on their way.
#[derive(Default)]
struct Rows {
    position: Int64Builder,
    event_id: StringBuilder,
    event_type: StringBuilder,
    event_version: StringBuilder,
    aggregate_type: StringBuilder,
    aggregate_id: StringBuilder,
    sequence: Int64Builder,
    occurred_at: TimestampMicrosecondBuilder,
    recorded_at: TimestampMicrosecondBuilder,
    payload: StringBuilder,
    metadata: StringBuilder,
    bytes: usize,
    /// The position of the last one.
    last: Position,
}

impl Rows {
    fn push(&mut self, event: EventView<'_>, occurred_at: Option<Timestamp>) -> Result<(), Failure> {
        let (payload, metadata) = (event.payload()?, event.metadata()?);
        self.position.append_value(event.position()?);
        let mut event_id = Uuid::encode_buffer();
        self.event_id.append_value(event.event_id()?.hyphenated().encode_lower(&mut event_id));
        self.event_type.append_value(event.event_type()?);
        self.event_version.append_value(event.event_version()?);
        self.aggregate_type.append_value(event.aggregate_type()?);
        self.aggregate_id.append_value(event.aggregate_id()?);
        self.sequence.append_value(event.sequence()?);
        self.occurred_at.append_option(occurred_at.map(|at| at.timestamp_micros()));
        self.recorded_at.append_value(event.recorded_at()?.timestamp_micros());
        self.payload.append_value(payload);
        self.metadata.append_value(metadata);
        self.last = event.position()?;
        self.bytes += payload.len() + metadata.len() + 200;
        Ok(())
    }

    /// Takes what there is, in the order of the columns.
    fn take(&mut self) -> Result<RecordBatch, Failure> {
        self.bytes = 0;
        let time = |builder: &mut TimestampMicrosecondBuilder| -> ArrayRef {
            Arc::new(builder.finish().with_timezone(schema::ZONE))
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.position.finish()),
            Arc::new(self.event_id.finish()),
            Arc::new(self.event_type.finish()),
            Arc::new(self.event_version.finish()),
            Arc::new(self.aggregate_type.finish()),
            Arc::new(self.aggregate_id.finish()),
            Arc::new(self.sequence.finish()),
            time(&mut self.occurred_at),
            time(&mut self.recorded_at),
            Arc::new(self.payload.finish()),
            Arc::new(self.metadata.finish()),
        ];
        Ok(RecordBatch::try_new(schema::raw(), columns)?)
    }
}

/// Writes what comes, and takes the log's tree further by it; nothing when the export was given up.
pub(super) fn write(
    folder: &Path,
    first: Position,
    mut frontier: Frontier,
    mut batches: Receiver<Sent>,
) -> Result<Option<Raw>, Failure> {
    let mut dataset = Dataset::new(folder, NAME, first, schema::raw());
    let (mut months, mut last): (BTreeMap<Month, Rows>, _) = (BTreeMap::new(), None);
    loop {
        let batch = match batches.blocking_recv() {
            Some(Some(batch)) => batch,
            Some(None) => break,
            None => return Ok(None),
        };
        let mut newest = None;
        for event in batch.events() {
            frontier.push(Facts::of(event)?.hash(), |_, _| {});
            let occurred_at = occurred_at(event.metadata()?);
            let month = Month::of(occurred_at.map_or_else(|| event.recorded_at(), Ok)?);
            let rows = months.entry(month).or_default();
            rows.push(event, occurred_at)?;
            if rows.bytes > GATHERED {
                dataset.write(month, &rows.take()?)?;
            } else if months.len() > OPEN
                // The month that nothing came of for longest.
                && let Some(month) = months.iter().min_by_key(|(_, rows)| rows.last).map(|(month, _)| *month)
                && let Some(mut rows) = months.remove(&month)
            {
                dataset.write(month, &rows.take()?)?;
            }
            newest = Some(event);
        }
        last = newest.map(EventView::to_recorded).transpose()?.map(|event| (event.position, event.hash()));
    }
    for (month, mut rows) in months {
        if rows.bytes > 0 {
            dataset.write(month, &rows.take()?)?;
        }
    }
    Ok(Some(Raw { files: dataset.close()?, frontier, last }))
}
