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
        Ok(Self { partitions: detached(database).await?, archives, open: None })
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

impl LogReader {
    /// Adds to the next events of some streams, at most `limit` of each, those before them of the streams that are
    /// `gone`: that have some which have left the database.
    pub(crate) async fn with_detached(
        &self,
        aggregate_type: &str,
        after: &[(&str, i64)],
        gone: &[String],
        events: Vec<RecordedEvent>,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let stream =
            |id: &String| StreamId { aggregate_type: aggregate_type.to_owned(), aggregate_id: id.clone() };
        let streams: Vec<StreamId> = gone.iter().map(stream).collect();
        let versions: HashMap<&str, i64> = after.iter().copied().collect();
        let mut detached = Detached::now(&self.pool, self.archives.clone()).await?;
        let mut all: BTreeMap<(String, i64), RecordedEvent> = BTreeMap::new();
        for block in blocks_of(&self.pool, &streams).await? {
            let wanted = detached.events(block).await?.into_iter().filter(|event| {
                event.aggregate_type == aggregate_type
                    && gone.contains(&event.aggregate_id)
                    && versions
                        .get(event.aggregate_id.as_str())
                        .is_some_and(|version| event.sequence > *version)
            });
            all.extend(wanted.map(by_stream));
        }
        all.extend(events.into_iter().map(by_stream));
        let mut taken: HashMap<String, usize> = HashMap::new();
        let within = |event: &RecordedEvent| {
            let taken = taken.entry(event.aggregate_id.clone()).or_default();
            *taken += 1;
            *taken <= limit
        };
        Ok(all.into_values().filter(within).collect())
    }
}

fn by_stream(event: RecordedEvent) -> ((String, i64), RecordedEvent) {
    ((event.aggregate_id.clone(), event.sequence), event)
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
