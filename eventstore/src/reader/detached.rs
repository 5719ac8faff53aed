//! What has left the database: which positions those are, and their events from the archives.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::{Executor, Postgres, Row};

use super::LogReader;
use super::directory::BLOCK;
use super::selection::{SLICED, Slice};
use crate::error::StoreError;
use crate::event::{Position, RecordedEvent, StreamId};
use crate::partition::{Archive, Archives, Partition, detached};

/// The events that are in archives only: the oldest, up to a position.
#[derive(Debug)]
pub(super) struct Detached {
    partitions: Vec<Partition>,
    changes: i64,
    archives: Option<Archives>,
    /// The archive that was read last.
    open: Option<(Position, Archive)>,
}

impl Detached {
    /// As the database has it now.
    pub(super) async fn now(
        database: impl Executor<'_, Database = Postgres>,
        archives: Option<Archives>,
    ) -> Result<Self, StoreError> {
        let (partitions, changes) = detached(database).await?;
        Ok(Self { partitions, changes, archives, open: None })
    }

    /// How often anything has left or come back.
    pub(super) const fn changes(&self) -> i64 {
        self.changes
    }

    /// The position of the last of them; 0 when there is none.
    pub(super) fn reaches(&self) -> Position {
        self.partitions.last().map_or(0, |newest| newest.last)
    }

    /// The events of a block.
    ///
    /// # Errors
    /// [`StoreError::Archived`] when nobody told where the archives are, [`StoreError::Archive`] when its cannot be read.
    pub(super) async fn events(&mut self, block: i64) -> Result<Vec<RecordedEvent>, StoreError> {
        let position = block * BLOCK + 1;
        if let Some((last, archive)) = &self.open
            && *last >= position
            && archive.has(block)
        {
            return archive.events(block).await;
        }
        let archives = self.archives.as_ref().ok_or(StoreError::Archived { position })?;
        let partition = self.partitions.iter().find(|one| one.last >= position);
        let partition = partition.ok_or(StoreError::NotArchived { position })?;
        let archive = archives.open(partition).await?;
        let events = archive.events(block).await;
        self.open = Some((partition.last, archive));
        events
    }
}

/// A stream some of whose events have left the database.
#[derive(Debug)]
pub(crate) struct Gone {
    pub(crate) aggregate_id: String,
    /// The version after which its events are wanted.
    pub(crate) after: i64,
    /// The sequence of the last event that has left.
    pub(crate) until: i64,
}

impl LogReader {
    /// The next events, at most `limit` of each, of streams of one type that have left the database, by stream and sequence.
    ///
    /// # Errors
    /// [`StoreError::LogDiverged`] and [`StoreError::NotArchived`] when some have come back meanwhile.
    pub(crate) async fn archived(
        &self,
        aggregate_type: &str,
        gone: &[Gone],
        limit: usize,
    ) -> Result<BTreeMap<String, Vec<RecordedEvent>>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let stream = |one: &Gone| StreamId {
            aggregate_type: aggregate_type.to_owned(),
            aggregate_id: one.aggregate_id.clone(),
        };
        let streams: Vec<StreamId> = gone.iter().map(stream).collect();
        let mut detached = Detached::now(&self.pool, self.archives.clone()).await?;
        let mut found: BTreeMap<String, Vec<RecordedEvent>> = BTreeMap::new();
        // The next sequence that is wanted of each, and the last.
        let mut wanted: HashMap<&str, (i64, i64)> = gone
            .iter()
            .map(|one| {
                (one.aggregate_id.as_str(), (one.after + 1, one.until.min(one.after.saturating_add(limit))))
            })
            .collect();
        for block in blocks_of(&self.pool, &streams).await? {
            if wanted.is_empty() {
                break;
            }
            for event in detached.events(block).await? {
                if event.aggregate_type != aggregate_type {
                    continue;
                }
                let Some((next, last)) = wanted.get_mut(event.aggregate_id.as_str()) else { continue };
                if event.sequence == *next {
                    *next += 1;
                    if *next > *last {
                        wanted.remove(event.aggregate_id.as_str());
                    }
                    found.entry(event.aggregate_id.clone()).or_default().push(event);
                }
            }
        }
        match wanted.into_keys().next() {
            Some(id) => Err(StoreError::LogDiverged { name: format!("{aggregate_type} {id}"), position: 0 }),
            None => Ok(found),
        }
    }
}

/// In which blocks these streams have events that have left the database, in order.
pub(super) async fn blocks_of(
    database: impl Executor<'_, Database = Postgres>,
    streams: &[StreamId],
) -> Result<Vec<i64>, StoreError> {
    let types: Vec<&str> = streams.iter().map(|stream| stream.aggregate_type.as_str()).collect();
    let ids: Vec<&str> = streams.iter().map(|stream| stream.aggregate_id.as_str()).collect();
    let query = "SELECT DISTINCT unnest(s.blocks) AS block FROM unnest($1::text[], $2::text[]) AS wanted (type, id) \
         JOIN partitioned_streams s ON s.aggregate_type = wanted.type AND s.aggregate_id = wanted.id ORDER BY block";
    Ok(sqlx::query_scalar(query).bind(types).bind(ids).fetch_all(database).await?)
}

/// Which of the aggregates of these events are in the slice: the database's opinion, as for its own events.
pub(super) async fn in_slice(
    database: impl Executor<'_, Database = Postgres>,
    events: &[RecordedEvent],
    slice: Slice,
) -> Result<HashSet<String>, StoreError> {
    let ids: HashSet<&str> = events.iter().map(|event| event.aggregate_id.as_str()).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let query =
        format!("SELECT aggregate_id FROM unnest($1::text[]) AS e (aggregate_id) WHERE {SLICED} % $2 = $3");
    let query = sqlx::query(&query).bind(ids).bind(slice.of()).bind(slice.number());
    query.fetch_all(database).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
