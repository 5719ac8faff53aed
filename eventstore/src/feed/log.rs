//! The log as a feed reads it: never another log than the one the feed began with.

use std::vec::IntoIter;

use crate::bounded::bounded;
use crate::checkpoint::Checkpoint;
use crate::error::StoreError;
use crate::event::{Position, RecordedEvent};
use crate::reader::{EventView, Filter, LogHead, LogReader, Scan, Selection};

/// How far a search goes, so that the checkpoint moves on though nothing is found.
const SEARCHED: Position = 1_000_000;
/// How often in a row a search may lack what should be there, as when events leave the database or come back just then.
const LOST: u32 = 3;

/// A log that is compared with the follower's checkpoint whenever it may have been exchanged.
#[derive(Debug)]
pub(super) struct Log {
    reader: LogReader,
    follower: String,
    head: Position,
    /// Whether the log may have become another one since it was last compared.
    in_doubt: bool,
    /// What is wanted of the log, while it is searched for that.
    search: Option<Search>,
    /// How often in a row a search lacked something.
    lost: u32,
}

/// A search of the log up to where it stood when it began.
#[derive(Debug)]
struct Search {
    scan: Scan,
    /// What was found and not given yet.
    found: IntoIter<RecordedEvent>,
    until: Checkpoint,
}

impl Log {
    /// The log, if it is the one the checkpoint was taken of.
    pub(super) async fn open(reader: LogReader, follower: &str, at: &Checkpoint) -> Result<Self, StoreError> {
        let head = at.verify(&reader, follower).await?.position;
        Ok(Self { reader, follower: follower.to_owned(), head, in_doubt: false, search: None, lost: 0 })
    }

    /// Where the log stood when it was last asked.
    pub(super) const fn head(&self) -> Position {
        self.head
    }

    /// At most `max` events after the checkpoint.
    pub(super) async fn read(
        &mut self,
        at: &Checkpoint,
        max: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let head = self.compare(at).await?;
        let events = bounded(self.reader.read(at.position, max)).await?;
        if head.epoch != at.epoch || head.position < at.position || !follow(at.position, &events) {
            return Err(self.diverged(at));
        }
        self.in_doubt = false;
        self.head = head.position;
        Ok(events)
    }

    /// Whether [`Log::search`] has begun and not ended.
    pub(super) const fn is_searched(&self) -> bool {
        self.search.is_some()
    }

    /// At most `max` of the events after the checkpoint that meet the filter, and where the search is then: on the last
    /// of them, or at its end when there are no more. Dropping the future loses nothing.
    pub(super) async fn search(
        &mut self,
        at: &Checkpoint,
        filter: &Filter,
        max: usize,
    ) -> Result<(Vec<RecordedEvent>, Checkpoint), StoreError> {
        let mut search = match self.search.take() {
            Some(search) => search,
            None => self.begin(at, filter, max).await?,
        };
        if search.found.len() == 0 {
            let next = self.search.insert(search).scan.next().await;
            let Some(taken) = self.search.take() else { return Err(StoreError::Closed) };
            search = taken;
            let batch = match next {
                Ok(batch) => batch,
                Err(error) => {
                    self.in_doubt = true;
                    return self.look_again(at, error).await;
                }
            };
            self.lost = 0;
            let Some(batch) = batch else { return Ok((Vec::new(), search.until)) };
            let found: Vec<RecordedEvent> =
                batch.events().map(EventView::to_recorded).collect::<Result<_, _>>()?;
            search.found = found.into_iter();
        }
        let events: Vec<RecordedEvent> = search.found.by_ref().take(max).collect();
        let reached = events.last().map_or(search.until, |last| Checkpoint::on(at.epoch, last));
        self.search = Some(search);
        Ok((events, reached))
    }

    /// What is to be said of a search that failed: nothing but where it began, when it lacked what should be there and the
    /// log is the one it was.
    async fn look_again(
        &mut self,
        at: &Checkpoint,
        error: StoreError,
    ) -> Result<(Vec<RecordedEvent>, Checkpoint), StoreError> {
        self.lost += 1;
        if !matches!(error, StoreError::LogDiverged { .. }) || self.lost == LOST {
            return Err(error);
        }
        at.verify(&self.reader, &self.follower).await?;
        Ok((Vec::new(), *at))
    }

    async fn begin(&mut self, at: &Checkpoint, filter: &Filter, max: usize) -> Result<Search, StoreError> {
        let head = self.compare(at).await?;
        let until = head.position.min(at.position + SEARCHED);
        let last = bounded(self.reader.find(until)).await?;
        let Some(last) = last.filter(|_| head.epoch == at.epoch && head.position >= at.position) else {
            return Err(self.diverged(at));
        };
        self.in_doubt = false;
        self.head = head.position;
        let selection = Selection::after(at.position).until(until).only(filter.clone());
        let scan = self.reader.scan(selection, max);
        Ok(Search { scan, found: Vec::new().into_iter(), until: Checkpoint::on(at.epoch, &last) })
    }

    /// Where the log stands, which is compared with the checkpoint when it may have become another one.
    async fn compare(&mut self, at: &Checkpoint) -> Result<LogHead, StoreError> {
        // Until all is well, the connection may have come back to another log.
        if std::mem::replace(&mut self.in_doubt, true) {
            at.verify(&self.reader, &self.follower).await
        } else {
            bounded(self.reader.head()).await
        }
    }

    fn diverged(&self, at: &Checkpoint) -> StoreError {
        StoreError::LogDiverged { name: self.follower.clone(), position: at.position }
    }
}

/// Whether the positions of `events` follow `after` without a hole.
fn follow(after: Position, events: &[RecordedEvent]) -> bool {
    (after + 1..).zip(events).all(|(expected, event)| event.position == expected)
}
