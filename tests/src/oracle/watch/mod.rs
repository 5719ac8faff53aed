//! Readers that follow the log while everything happens. Each notes what it sees, in the order it sees it in, and nothing
//! else: whether that is right is found out afterwards.

mod feed;
mod scan;
mod stream;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daybook_eventstore::{EventHash, RecordedEvent, StoreError};
use tokio::task::JoinHandle;

use super::history::{Reading, Seen, Wants};

pub(crate) use feed::feed;
pub(crate) use scan::{scan, slices};
pub(crate) use stream::stream;

/// How long to wait after something could not be read.
const PAUSE: Duration = Duration::from_millis(100);

/// What a reader has seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Reading>>);

/// A reader that follows until it is told to end.
pub(crate) struct Watcher {
    notes: Notes,
    following: JoinHandle<()>,
}

impl Watcher {
    /// A reader of this name that follows so.
    pub(crate) fn start<F>(reader: &str, follow: impl FnOnce(Notes) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::of_some(reader, Wants::All, follow)
    }

    /// The same that wants to hear of some streams only.
    pub(crate) fn of_some<F>(reader: &str, wants: Wants, follow: impl FnOnce(Notes) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let notes = Notes::of(reader, wants);
        Self { following: tokio::spawn(follow(notes.clone())), notes }
    }

    /// The position up to which it has read.
    pub(crate) fn reached(&self) -> i64 {
        self.notes.lock().reached
    }

    /// What it saw.
    pub(crate) fn end(self) -> Reading {
        self.following.abort();
        std::mem::take(&mut *self.notes.lock())
    }
}

impl Notes {
    /// Those of a reader of this name that wants this.
    fn of(reader: &str, wants: Wants) -> Self {
        Self(Arc::new(Mutex::new(Reading { reader: reader.to_owned(), wants, ..Reading::default() })))
    }

    /// Notes what was seen.
    fn add(&self, seen: Seen) {
        let mut reading = self.lock();
        reading.reached = seen.position;
        reading.seen.push(seen);
    }

    /// Notes events that were seen.
    fn saw<'e>(&self, events: impl IntoIterator<Item = &'e RecordedEvent>) {
        events.into_iter().map(seen).for_each(|seen| self.add(seen));
    }

    /// Notes that there is nothing else that is wanted up to here.
    fn passed(&self, position: i64) {
        self.lock().reached = position;
    }

    fn wants(&self) -> Wants {
        self.lock().wants.clone()
    }

    /// Notes why nothing could be read, when that is not the machine's fault.
    fn failed(&self, error: &StoreError) {
        if matches!(error, StoreError::LogDiverged { .. }) {
            self.lock().diverged += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An event, as it was seen.
fn seen(event: &RecordedEvent) -> Seen {
    Seen { position: event.position, event: Some(event.event_id), digest: digest(&event.hash()) }
}

/// The first bytes of a hash.
pub(crate) fn digest(hash: &EventHash) -> u64 {
    hash.0.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}
