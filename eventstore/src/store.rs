//! The event store of one process: a pool on the primary, the appender, ids and upcasters.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use daybook_domain::{CommandId, IdSource};
use futures::Stream;
use sqlx::{PgPool, Row};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::append::{Append, Appender, Fingerprint};
use crate::bounded::bounded;
use crate::error::StoreError;
use crate::event::{RecordedEvent, StreamId};
use crate::import::Import;
use crate::memory::{Memory, Remembered};
use crate::partition::Archives;
use crate::reader::{COLUMNS, Gone, LogReader, decode};
use crate::upcast::Upcasters;

/// How long a read of streams may take.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How many events of a stream are read at once.
const PAGE: usize = 1_000;
/// How often a load begins anew because events left the database or came back meanwhile.
const TRIES: u32 = 5;
/// How many snapshots are written at once: few, since they take connections that loads want too.
const SNAPSHOTTING: usize = 2;

/// The event store. Cloning shares everything.
#[derive(Clone)]
pub struct EventStore {
    pool: PgPool,
    appender: Appender,
    ids: Arc<dyn IdSource>,
    upcasters: Upcasters,
    archives: Option<Archives>,
    memory: Memory,
    snapshotting: Arc<Semaphore>,
}

impl std::fmt::Debug for EventStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventStore").field("appender", &self.appender).finish_non_exhaustive()
    }
}

impl EventStore {
    /// A store on this primary database. Decisions are made on what it says, so it must not be a replica.
    pub fn new(pool: PgPool, ids: Arc<dyn IdSource>, upcasters: Upcasters) -> Self {
        let appender = Appender::start(&pool.connect_options());
        let (memory, snapshotting) = (Memory::default(), Arc::new(Semaphore::new(SNAPSHOTTING)));
        Self { pool, appender, ids, upcasters, archives: None, memory, snapshotting }
    }

    /// The same store, which reads what has left the database from these archives. Without them that is an error.
    #[must_use]
    pub fn with_archives(self, archives: Option<Archives>) -> Self {
        Self { archives, ..self }
    }

    /// The same store with another bound on what its repositories remember together, in bytes; 64 MiB without this. It is
    /// for those that are made afterwards. What commands are just decided on is remembered beyond the bound.
    #[must_use]
    pub fn remembering(self, bytes: u64) -> Self {
        Self { memory: Memory::of(bytes), ..self }
    }

    /// How much its repositories remember now.
    pub fn remembered(&self) -> Remembered {
        self.memory.remembered()
    }

    pub(crate) const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The right to write a snapshot now; nothing when enough are being written.
    pub(crate) fn snapshot_turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.snapshotting).try_acquire_owned().ok()
    }

    /// The process's way to append.
    pub const fn appender(&self) -> &Appender {
        &self.appender
    }

    /// Imports history: has many commands take effect one after another, in large chunks. Each comes to what the
    /// [`Appender`] would have answered, had it been given one after another, and is recorded as of now. Live appends go
    /// on meanwhile, between the chunks.
    pub fn import<S: Stream<Item = Append> + Unpin>(&self, commands: S) -> Import<S> {
        Import::of(&self.pool.connect_options(), commands)
    }

    /// The primary.
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Where new ids come from.
    pub fn ids(&self) -> &dyn IdSource {
        self.ids.as_ref()
    }

    /// What brings events to today's shape.
    pub const fn upcasters(&self) -> &Upcasters {
        &self.upcasters
    }

    /// A reader of the log by position.
    pub fn reader(&self) -> LogReader {
        LogReader::new(self.pool.clone()).with_archives(self.archives.clone())
    }

    /// The events of a stream after `version`, in order and in today's shape.
    ///
    /// # Errors
    /// When the database fails or an event cannot be brought to today's shape.
    pub async fn stream(&self, stream: &StreamId, version: i64) -> Result<Vec<RecordedEvent>, StoreError> {
        let mut events = Vec::new();
        loop {
            let after = events.last().map_or(version, |event: &RecordedEvent| event.sequence);
            let page = self.streams(&stream.aggregate_type, &[(&stream.aggregate_id, after)], PAGE).await?;
            let complete = page.len() < PAGE;
            events.extend(page);
            if complete {
                return Ok(events);
            }
        }
    }

    /// The next events of several streams of one type, at most `limit` of each after the version given, in one
    /// statement; ordered by stream and sequence.
    pub(crate) async fn streams(
        &self,
        aggregate_type: &str,
        after: &[(&str, i64)],
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let mut tries = 0;
        let events = loop {
            let (events, gone) = self.streams_here(aggregate_type, after, limit).await?;
            if gone.is_empty() {
                break events;
            }
            tries += 1;
            match bounded(self.reader().archived(aggregate_type, &gone, limit)).await {
                Ok(mut archived) => {
                    for events in archived.values_mut() {
                        let old = std::mem::take(events).into_iter();
                        *events = old.map(|event| self.todays(event)).collect::<Result<_, _>>()?;
                    }
                    break together(archived, events, &gone, limit);
                }
                // Some have come back since they were missed.
                Err(StoreError::LogDiverged { .. } | StoreError::NotArchived { .. }) if tries < TRIES => {}
                Err(error) => return Err(error),
            }
        };
        Ok(events)
    }

    /// Those of them that are in the database, and the streams of which earlier ones have left it.
    pub(crate) async fn streams_here(
        &self,
        aggregate_type: &str,
        after: &[(&str, i64)],
        limit: usize,
    ) -> Result<(Vec<RecordedEvent>, Vec<Gone>), StoreError> {
        let (ids, versions): (Vec<&str>, Vec<i64>) = after.iter().copied().unzip();
        // An event without a position stands for those that have left, from one sequence to another.
        let statement = format!(
            "SELECT {COLUMNS}, NULL::bigint AS until FROM unnest($2::text[], $3::bigint[]) AS wanted (id, version) \
             CROSS JOIN LATERAL (SELECT * FROM events WHERE aggregate_type = $1 AND aggregate_id = wanted.id \
             AND sequence > wanted.version ORDER BY sequence LIMIT $4) AS next \
             UNION ALL SELECT NULL, NULL, s.aggregate_type, s.aggregate_id, wanted.version, NULL, NULL, NULL, NULL, NULL, \
             s.detached FROM unnest($2::text[], $3::bigint[]) AS wanted (id, version) \
             JOIN partitioned_streams s ON s.aggregate_type = $1 AND s.aggregate_id = wanted.id \
             AND s.detached > wanted.version ORDER BY aggregate_id, sequence"
        );
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let query = sqlx::query(&statement).bind(aggregate_type).bind(ids).bind(versions).bind(most);
        let rows = tokio::time::timeout(READ_TIMEOUT, query.fetch_all(&self.pool))
            .await
            .map_err(|_elapsed| StoreError::TimedOut)??;
        let (mut events, mut gone) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in &rows {
            if let Some(until) = row.try_get(10)? {
                gone.push(Gone { aggregate_id: row.try_get(3)?, after: row.try_get(4)?, until });
            } else {
                events.push(self.todays(decode(row)?)?);
            }
        }
        Ok((events, gone))
    }

    fn todays(&self, event: RecordedEvent) -> Result<RecordedEvent, StoreError> {
        Ok(self.upcasters.upcast(&event)?.unwrap_or(event))
    }

    /// Those of these commands that took effect, with the fingerprints of their inputs: one statement for what would
    /// be replayed one by one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn known_commands(
        &self,
        ids: &[CommandId],
    ) -> Result<HashMap<CommandId, Fingerprint>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let query =
            sqlx::query("SELECT command_id, fingerprint FROM commands WHERE command_id = ANY($1)").bind(ids);
        let rows = tokio::time::timeout(READ_TIMEOUT, query.fetch_all(&self.pool))
            .await
            .map_err(|_elapsed| StoreError::TimedOut)??;
        let mut known = HashMap::with_capacity(rows.len());
        for row in rows {
            // A fingerprint of another length is no command's input.
            let fingerprint = row.try_get::<Vec<u8>, _>(1)?.try_into().unwrap_or_default();
            known.insert(CommandId::new(row.try_get(0)?), Fingerprint(fingerprint));
        }
        Ok(known)
    }

    /// Answers when the primary does.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").fetch_one(&self.pool).await?.try_get::<i32, _>(0)?;
        Ok(())
    }
}

/// What has left the database and what has not, in the order of streams and sequences, and at most `limit` of each stream.
fn together(
    archived: BTreeMap<String, Vec<RecordedEvent>>,
    here: Vec<RecordedEvent>,
    gone: &[Gone],
    limit: usize,
) -> Vec<RecordedEvent> {
    let mut all = archived;
    for event in here {
        // A page of what has left may end before what has not.
        let follows = |events: &Vec<RecordedEvent>| {
            events.last().is_none_or(|last| last.sequence + 1 == event.sequence)
        };
        let events = all.entry(event.aggregate_id.clone()).or_default();
        if events.len() < limit
            && (follows(events) || !gone.iter().any(|one| one.aggregate_id == event.aggregate_id))
        {
            events.push(event);
        }
    }
    all.into_values().flatten().collect()
}
