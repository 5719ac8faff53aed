//! The log as a feed reads it: never another log than the one the feed began with.

use crate::bounded::bounded;
use crate::checkpoint::Checkpoint;
use crate::error::StoreError;
use crate::event::{Position, RecordedEvent};
use crate::reader::{BLOCK, EventView, Filter, LogHead, LogReader, Scan, Selection};

/// Over how many positions a search goes first, and at most.
const FIRST_WINDOW: Position = 2 * BLOCK;
const MAX_WINDOW: Position = 1_000_000;
/// How many events make a search a small one, after which the next goes over more, and how many are too many to hold.
const FEW: usize = 1_024;
const MANY: usize = 16_384;
/// How often a search is tried that lacks what should be there, as when events leave the database or come back just then.
const TRIES: u32 = 3;

/// A log that is compared with the follower's checkpoint whenever it may have been exchanged.
#[derive(Debug)]
pub(super) struct Log {
    reader: LogReader,
    follower: String,
    head: Position,
    /// Whether the log may have become another one since it was last compared.
    in_doubt: bool,
    /// What is wanted of a part of the log.
    search: Option<Search>,
    window: Position,
}

/// A search of a part of the log. Nothing of it is given before it has ended well: only then is it certain that what has
/// left the database meanwhile was not passed over.
#[derive(Debug)]
struct Search {
    /// Nothing once it has ended.
    scan: Option<Scan>,
    found: Vec<RecordedEvent>,
    until: Checkpoint,
}

impl Log {
    /// The log, if it is the one the checkpoint was taken of.
    pub(super) async fn open(reader: LogReader, follower: &str, at: &Checkpoint) -> Result<Self, StoreError> {
        let head = at.verify(&reader, follower).await?.position;
        Ok(Self {
            reader,
            follower: follower.to_owned(),
            head,
            in_doubt: false,
            search: None,
            window: FIRST_WINDOW,
        })
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

    /// Whether [`Log::search`] has begun and not all has been given.
    pub(super) const fn is_searched(&self) -> bool {
        self.search.is_some()
    }

    /// Searches anew from the next time on.
    pub(super) fn forget_search(&mut self) {
        self.search = None;
    }

    /// At most `max` of the events after the checkpoint that meet the filter, and where to go on: after the last of them,
    /// or, when there are no more, after the part of the log that was searched. Dropping the future loses nothing.
    pub(super) async fn search(
        &mut self,
        at: &Checkpoint,
        filter: &Filter,
        max: usize,
    ) -> Result<(Vec<RecordedEvent>, Checkpoint), StoreError> {
        let mut tries = 0;
        loop {
            let Some(search) = &mut self.search else {
                self.search = Some(self.begin(at, filter).await?);
                continue;
            };
            let Some(scan) = &mut search.scan else { return Ok(self.found(at, max)) };
            match scan.next().await {
                Ok(Some(batch)) => {
                    let more: Result<Vec<RecordedEvent>, _> =
                        batch.events().map(EventView::to_recorded).collect();
                    match more {
                        Ok(more) => search.found.extend(more),
                        // The same search going on would pass what cannot be read.
                        Err(error) => {
                            self.search = None;
                            return Err(error);
                        }
                    }
                    if search.found.len() > MANY && self.window > BLOCK {
                        self.search = None;
                        self.window = (self.window / 8).max(BLOCK);
                    }
                }
                Ok(None) => self.end(at).await?,
                Err(error) => {
                    self.search = None;
                    self.in_doubt = true;
                    self.window = (self.window / 8).max(BLOCK);
                    let StoreError::LogDiverged { .. } = error else { return Err(error) };
                    // It says what it lacks, and that is not yet another log.
                    at.verify(&self.reader, &self.follower).await?;
                    tries += 1;
                    if tries == TRIES {
                        return Err(StoreError::TimedOut);
                    }
                }
            }
        }
    }

    async fn begin(&mut self, at: &Checkpoint, filter: &Filter) -> Result<Search, StoreError> {
        let head = self.compare(at).await?;
        let until = head.position.min(at.position.saturating_add(self.window));
        let last = bounded(self.reader.find(until)).await?;
        let Some(last) = last.filter(|_| head.epoch == at.epoch && head.position >= at.position) else {
            return Err(self.diverged(at));
        };
        self.in_doubt = false;
        self.head = head.position;
        let selection = Selection::after(at.position).until(until).only(filter.clone());
        let scan = Some(self.reader.scan(selection, FEW));
        Ok(Search { scan, found: Vec::new(), until: Checkpoint::on(at.epoch, &last) })
    }

    /// The search has ended well, unless another log was there meanwhile.
    async fn end(&mut self, at: &Checkpoint) -> Result<(), StoreError> {
        if bounded(self.reader.head()).await?.epoch != at.epoch {
            self.search = None;
            return Err(self.diverged(at));
        }
        if let Some(search) = &mut self.search {
            search.scan = None;
            // The next ones are taken from the end.
            search.found.reverse();
            if search.found.len() < FEW {
                self.window = (self.window * 4).min(MAX_WINDOW);
            }
        }
        Ok(())
    }

    /// The next of what a search that has ended found.
    fn found(&mut self, at: &Checkpoint, max: usize) -> (Vec<RecordedEvent>, Checkpoint) {
        let Some(search) = &mut self.search else { return (Vec::new(), *at) };
        let rest = search.found.len().saturating_sub(max.max(1));
        let mut events = search.found.split_off(rest);
        events.reverse();
        let last = events.last().filter(|_| rest > 0).map(|last| Checkpoint::on(at.epoch, last));
        let reached = last.unwrap_or(search.until);
        if rest == 0 {
            self.search = None;
        }
        (events, reached)
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
