//! Read models in Meilisearch: an index per version, with its checkpoint as one document among the others, so that both
//! are written by one task; nothing counts before its task has succeeded. Readers ask one index by name, and
//! a switch swaps what it holds. An index that was deleted is built again.
//!
//! Events that a read model does not read cost no task: only the register is told of them. The checkpoint in the index is
//! then behind, and whoever follows next reads them again.

use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use daybook_eventstore::{Checkpoint, EventHash, Position, begin_tx};
use meilisearch_sdk::client::{Client, SwapIndexes};
use meilisearch_sdk::documents::DocumentsQuery;
use meilisearch_sdk::errors::{Error, ErrorCode};
use meilisearch_sdk::indexes::IndexesQuery;
use meilisearch_sdk::settings::{FacetSortValue, PaginationSetting, Settings};
use meilisearch_sdk::task_info::TaskInfo;
use meilisearch_sdk::tasks::Task;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::compare::{Comparing, Comparison, compare_paged};
use super::error::{RuntimeError, TargetError};
use super::fold::{Folded, Keyed, Stored, by_key, fold_keys};
use super::model::ReadModel;
use super::request::{found, is_absent, within};
use super::target::{Applied, Batch, Purpose, Target};
use super::versions::{Status, Version};
use super::{parked, versions};

/// The id of the checkpoint's document; rows' keys are ids of aggregates.
pub(super) const CHECKPOINT: &str = "checkpoint";
/// More indexes than a server has.
const ALL: usize = 10_000;
/// Up to how many hits are counted and can be walked through; the server's own default is 1,000.
const MOST_HITS: usize = 1_000_000;
/// A batch that takes longer than this is too large. A task takes a good part of a second however small it is.
const SLOW: Duration = Duration::from_secs(5);
/// The smallest batch: a busy server takes as long for a smaller one.
const LEAST: usize = 500;
/// How far the checkpoint in the index may be behind: so many events are read again at once.
const BEHIND: Position = 10_000;
/// How often to ask whether a task is done.
const LOOK: Duration = Duration::from_millis(10);
/// How long a task may take.
const TASK: Duration = Duration::from_secs(30);

/// A read model that can be kept in a search engine.
pub trait Indexed: ReadModel {
    /// What of a row can be searched, filtered and counted.
    fn document(row: &Self::Row) -> Map<String, Value>;

    /// The attributes that are searched, the most important first.
    const SEARCHED: &'static [&'static str];

    /// The attributes that are filtered and counted.
    const FILTERED: &'static [&'static str];
}

/// The checkpoint's document.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Marker {
    id: String,
    pub(super) version: i32,
    epoch: Uuid,
    position: Position,
    hash: [u8; 32],
}

impl From<Marker> for Checkpoint {
    fn from(Marker { epoch, position, hash, .. }: Marker) -> Self {
        Self { epoch, position, hash: EventHash(hash) }
    }
}

/// A document, as far as it is read back to be folded on.
#[derive(Debug, Deserialize)]
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) position: Position,
    pub(super) row: String,
}

/// How far a follower is beyond the checkpoint in the index, with nothing to be written in between.
#[derive(Debug, Clone, Copy)]
struct Ahead {
    marker: Checkpoint,
    at: Checkpoint,
}

/// Where a batch is to be written.
struct Place {
    uid: String,
    /// The checkpoint in the index; nothing when the index is new.
    marker: Option<Checkpoint>,
}

/// A read model's indexes. Its versions and parked events are registered in the read database.
pub(crate) struct MeiliTarget<M> {
    name: &'static str,
    pub(super) client: Client,
    /// The index that readers ask; what all names of this read model's indexes begin with.
    live: String,
    register: PgPool,
    /// By version, as far as their followers here know.
    ahead: Mutex<HashMap<i32, Ahead>>,
    model: PhantomData<fn() -> M>,
}

impl<M: Indexed> MeiliTarget<M> {
    pub(crate) fn new(name: &'static str, client: Client, prefix: &str, register: PgPool) -> Self {
        let live = format!("{prefix}{name}");
        Self { name, client, live, register, ahead: Mutex::default(), model: PhantomData }
    }

    fn ahead(&self) -> MutexGuard<'_, HashMap<i32, Ahead>> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the follower of a version is, by the checkpoint in the index: when that is another one than it was, nothing
    /// is known of what comes after.
    fn reached(&self, version: i32, marker: Checkpoint) -> Checkpoint {
        let ahead = self.ahead().get(&version).copied();
        ahead.filter(|ahead| ahead.marker == marker).map_or(marker, |ahead| ahead.at)
    }

    /// The index that holds a version, and where the version stands. Swaps move versions between indexes, so the
    /// marker in the index tells, not its name.
    pub(super) async fn locate(&self, version: i32) -> Result<Option<(String, Checkpoint)>, TargetError> {
        let own = self.own(version);
        for uid in [self.live.clone(), own] {
            if let Some(at) = self.marker(&uid, version).await? {
                return Ok(Some((uid, at)));
            }
        }
        for index in within(IndexesQuery::new(&self.client).with_limit(ALL).execute()).await?.results {
            if index.uid.starts_with(&self.live)
                && let Some(at) = self.marker(&index.uid, version).await?
            {
                return Ok(Some((index.uid, at)));
            }
        }
        Ok(None)
    }

    /// Where a version is built.
    fn own(&self, version: i32) -> String {
        format!("{}-v{version}", self.live)
    }

    async fn marker(&self, uid: &str, version: i32) -> Result<Option<Checkpoint>, TargetError> {
        let index = self.client.index(uid);
        let marker: Option<Marker> = found(within(index.get_document(CHECKPOINT)).await)?;
        Ok(marker.filter(|marker| marker.version == version).map(Checkpoint::from))
    }

    /// Where the batch is to be written: only an index that stands where the batch begins.
    async fn place_at(&self, version: i32, from: &Checkpoint) -> Result<Place, TargetError> {
        match self.locate(version).await? {
            Some((uid, marker)) if self.reached(version, marker) == *from => {
                Ok(Place { uid, marker: Some(marker) })
            }
            Some(_) => Err(TargetError::Fenced),
            None if from.position == 0 => Ok(Place { uid: self.prepare(version).await?, marker: None }),
            None => Err(TargetError::Lost),
        }
    }

    /// Begins to write a batch: until the transaction ends, nobody switches or writes.
    async fn enter(
        &self,
        version: i32,
        from: &Checkpoint,
    ) -> Result<(Transaction<'static, Postgres>, Version, Place), TargetError> {
        let mut tx = begin_tx(&self.register).await?;
        let row = versions::lock(&mut tx, self.name, version).await?;
        let row = row.filter(|row| row.status != Status::Retired).ok_or(TargetError::Fenced)?;
        let place = self.place_at(version, from).await?;
        Ok((tx, row, place))
    }

    /// Goes on without writing: tells whether that will do for a batch with nothing to be written.
    fn pass(&self, version: i32, marker: Option<Checkpoint>, to: &Checkpoint) -> bool {
        let near = marker.filter(|marker| to.position - marker.position < BEHIND);
        let Some(marker) = near else { return false };
        self.ahead().insert(version, Ahead { marker, at: *to });
        true
    }

    async fn prepare(&self, version: i32) -> Result<String, TargetError> {
        let uid = self.own(version);
        if found(within(self.client.get_index(&uid)).await)?.is_some() {
            self.remove(&uid).await?;
        }
        // Tasks are done in order, so that the end of the next one is the end of this.
        within(self.client.create_index(&uid, Some("id"))).await?;
        let filtered = M::FILTERED.iter().copied().chain(["id"]);
        let settings = Settings::new()
            .with_searchable_attributes(M::SEARCHED)
            .with_filterable_attributes(filtered)
            .with_pagination(PaginationSetting { max_total_hits: MOST_HITS })
            .with_max_values_per_facet(1_000)
            // Where there are more values than that, the rarest are left out.
            .with_sort_facet_values_by(BTreeMap::from([("*".to_owned(), FacetSortValue::Count)]));
        self.done(self.client.index(&uid).set_settings(&settings)).await?;
        Ok(uid)
    }

    async fn remove(&self, uid: &str) -> Result<(), TargetError> {
        match self.done(self.client.delete_index(uid)).await {
            Err(TargetError::Search(error)) if is_absent(&error) => Ok(()),
            // The index was not there, told by the task.
            Err(TargetError::Task(ErrorCode::IndexNotFound, _)) => Ok(()),
            other => other,
        }
    }

    async fn load(&self, uid: &str, keyed: &[Keyed]) -> Result<HashMap<String, Stored>, TargetError> {
        if keyed.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<String> =
            keyed.iter().map(|keyed| Value::from(keyed.key.as_str()).to_string()).collect();
        let filter = format!("id IN [{}]", ids.join(", "));
        let index = self.client.index(uid);
        let mut query = DocumentsQuery::new(&index);
        query.with_filter(&filter).with_limit(keyed.len()).with_fields(["id", "position", "row"]);
        let documents = within(query.execute::<Kept>()).await?.results;
        let stored = |kept: Kept| (kept.id, Stored { position: kept.position, doc: kept.row });
        Ok(documents.into_iter().map(stored).collect())
    }

    async fn write(
        &self,
        (uid, version): (&str, i32),
        folded: &[Folded<'_, M::Row>],
        to: &Checkpoint,
    ) -> Result<(), TargetError> {
        let (mut documents, mut gone) = (Vec::new(), Vec::new());
        for key in folded {
            let Some(position) = key.position() else { continue };
            let Some(row) = &key.row else {
                gone.push(key.key);
                continue;
            };
            let mut document = M::document(row);
            document.insert("id".to_owned(), json!(key.key));
            document.insert("position".to_owned(), json!(position));
            document.insert("row".to_owned(), Value::String(serde_json::to_string(row)?));
            documents.push(Value::Object(document));
        }
        let index = self.client.index(uid);
        if !gone.is_empty() {
            self.done(index.delete_documents(&gone)).await?;
        }
        let Checkpoint { epoch, position, hash } = *to;
        let marker = Marker { id: CHECKPOINT.to_owned(), version, epoch, position, hash: hash.0 };
        documents.push(serde_json::to_value(marker)?);
        self.done(index.add_or_replace(&documents, Some("id"))).await
    }

    /// Puts a version into the index that readers ask, when it is not there already.
    async fn point(&self, version: i32) -> Result<(), TargetError> {
        let Some((uid, _)) = self.locate(version).await? else { return Ok(()) };
        if uid == self.live {
            return Ok(());
        }
        if found(within(self.client.get_index(&self.live)).await)?.is_none() {
            self.done(self.client.create_index(&self.live, Some("id"))).await?;
        }
        let swap = SwapIndexes { indexes: (self.live.clone(), uid.clone()), rename: None };
        self.done(self.client.swap_indexes([&swap])).await?;
        // Where nothing was live before, nothing worth keeping was swapped out.
        let marker: Option<Marker> = found(within(self.client.index(&uid).get_document(CHECKPOINT)).await)?;
        if marker.is_some() { Ok(()) } else { self.remove(&uid).await }
    }

    /// Waits until a task has succeeded: being accepted means nothing.
    async fn done(&self, task: impl Future<Output = Result<TaskInfo, Error>>) -> Result<(), TargetError> {
        let waiting = within(task).await?.wait_for_completion(&self.client, Some(LOOK), Some(TASK));
        match waiting.await? {
            Task::Succeeded { .. } => Ok(()),
            Task::Failed { content } => {
                Err(TargetError::Task(content.error.error_code, content.error.error_message))
            }
            Task::Enqueued { .. } | Task::Processing { .. } => Err(TargetError::TimedOut),
        }
    }
}

#[async_trait]
impl<M: Indexed> Target for MeiliTarget<M> {
    fn kind(&self) -> &'static str {
        "meilisearch"
    }

    fn revision(&self) -> i32 {
        M::REVISION
    }

    fn sources(&self) -> &'static [&'static str] {
        M::SOURCES
    }

    fn slow(&self) -> Duration {
        SLOW
    }

    fn least(&self) -> usize {
        LEAST
    }

    async fn create(&self, _tx: &mut PgConnection, version: i32) -> Result<(), TargetError> {
        // Another installation's, that used this server before.
        while let Some((uid, _)) = self.locate(version).await? {
            self.remove(&uid).await?;
        }
        Ok(())
    }

    async fn expose(&self, _tx: &mut PgConnection, version: i32) -> Result<(), TargetError> {
        self.point(version).await
    }

    async fn caught_up(&self, version: i32) -> Result<(), TargetError> {
        self.point(version).await
    }

    async fn discard(&self, _tx: &mut PgConnection, version: i32) -> Result<(), TargetError> {
        match self.locate(version).await? {
            Some((uid, _)) => self.remove(&uid).await,
            None => Ok(()),
        }
    }

    async fn checkpoint(&self, version: i32) -> Result<Option<Checkpoint>, TargetError> {
        Ok(self.locate(version).await?.map(|(_, marker)| self.reached(version, marker)))
    }

    fn forget(&self, version: i32) {
        self.ahead().remove(&version);
    }

    async fn apply(&self, version: i32, batch: Batch) -> Result<Applied, TargetError> {
        let id = (self.name, version);
        let (retrying, retried) = (batch.purpose == Purpose::Retry, batch.retried());
        let keyed = by_key::<M>(batch.events, &batch.upcasters);
        let (mut tx, row, mut place) = self.enter(version, &batch.from).await?;
        let is_sound = row.parked == 0 || retrying;
        let stops = if is_sound { HashMap::new() } else { parked::stops(&mut *tx, id, &keyed).await? };
        let stored = self.load(&place.uid, &keyed).await?;
        let folded = fold_keys::<M>(&keyed, &stored, &stops);
        let parked: Vec<_> = folded.iter().flat_map(|key| key.parked.iter().cloned()).collect();
        // Parked before the checkpoint passes them, freed after they are in their rows: a crash between repeats.
        if !parked.is_empty() && !retrying {
            parked::settle(&mut tx, id, &parked, &retried).await?;
            tx.commit().await?;
            (tx, _, place) = self.enter(version, &batch.from).await?;
        }
        if !folded.is_empty() || !self.pass(version, place.marker, &batch.to) {
            self.write((&place.uid, version), &folded, &batch.to).await?;
        }
        if retrying {
            // Whoever retries knows only the checkpoint in the index, and the register may be ahead of that.
            parked::settle(&mut tx, id, &parked, &retried).await?;
        } else {
            versions::record(&mut *tx, id, &batch.to).await?;
        }
        tx.commit().await?;
        Ok(Applied { keys: folded.len(), parked: parked.len() })
    }

    async fn compare(
        &self,
        versions: [&Version; 2],
        comparing: &Comparing<'_>,
    ) -> Result<Comparison, RuntimeError> {
        compare_paged::<M, Self>(self, comparing, versions).await
    }
}
