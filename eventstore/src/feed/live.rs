//! What is new, for whoever watches one aggregate at this moment: one feed for the whole process, handed out by
//! aggregate. It keeps nothing, and a watcher that does not keep up is let go.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Feed, FeedSource};
use crate::checkpoint::Checkpoint;
use crate::error::StoreError;
use crate::event::{RecordedEvent, StreamId};

/// How many events a watcher may leave lying.
const HELD: usize = 256;
/// How many events are taken at once.
const BATCH: usize = 512;
/// The pause after the log could not be read.
const PAUSE: Duration = Duration::from_millis(500);

type Watcher = mpsc::Sender<Arc<RecordedEvent>>;
type ByAggregate = HashMap<StreamId, Vec<Watcher>>;
/// Nothing while the log is not followed.
type Watchers = Arc<Mutex<Option<ByAggregate>>>;

/// The new events of the log, by aggregate.
#[derive(Debug)]
pub struct Live {
    watchers: Watchers,
    following: JoinHandle<()>,
}

impl Live {
    /// Follows the log from its head on, until this is dropped; `name` is the feed's in metrics.
    pub fn start(source: FeedSource, name: &'static str) -> Self {
        let watchers = Watchers::default();
        let following = tokio::spawn(follow(source, name, Arc::clone(&watchers)));
        Self { watchers, following }
    }

    /// The events of an aggregate from now on, in order. Whoever needs the state as well must begin to watch first
    /// and read it then. It ends when the watcher does not keep up or when the log is not followed any more, and
    /// at once while it is not: then the watcher must begin anew.
    pub fn watch(&self, aggregate: StreamId) -> Watch {
        let (watcher, events) = mpsc::channel(HELD);
        if let Some(all) = lock(&self.watchers).as_mut() {
            all.entry(aggregate.clone()).or_default().push(watcher);
        }
        Watch { events, aggregate, watchers: Arc::clone(&self.watchers) }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.following.abort();
        lock(&self.watchers).take();
    }
}

/// The events of one aggregate, as they happen.
#[derive(Debug)]
pub struct Watch {
    events: mpsc::Receiver<Arc<RecordedEvent>>,
    aggregate: StreamId,
    watchers: Watchers,
}

impl Stream for Watch {
    type Item = Arc<RecordedEvent>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.events.poll_recv(context)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.events.close();
        keep_if(&self.watchers, &self.aggregate, |watcher| !watcher.is_closed());
    }
}

async fn follow(source: FeedSource, name: &'static str, watchers: Watchers) {
    loop {
        let failed = match open(&source, name).await {
            Ok(mut feed) => {
                lock(&watchers).get_or_insert_default();
                pass_on(&mut feed, &watchers).await
            }
            Err(error) => error,
        };
        tracing::warn!(error = &failed as &dyn std::error::Error, "beginning to watch the log anew");
        // What happens until then is missed, so everyone must look again.
        lock(&watchers).take();
        tokio::time::sleep(PAUSE).await;
    }
}

async fn open(source: &FeedSource, name: &str) -> Result<Feed, StoreError> {
    let head = Checkpoint::head(&source.reader).await?;
    Feed::open(source.clone(), name, &head).await
}

/// Passes events on until the log is not the same any more.
async fn pass_on(feed: &mut Feed, watchers: &Watchers) -> StoreError {
    loop {
        match feed.next(BATCH).await {
            Ok(events) => events.into_iter().for_each(|event| tell(watchers, event)),
            Err(error @ StoreError::LogDiverged { .. }) => return error,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot read the log; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn tell(watchers: &Watchers, event: RecordedEvent) {
    let aggregate =
        StreamId { aggregate_type: event.aggregate_type.clone(), aggregate_id: event.aggregate_id.clone() };
    let event = Arc::new(event);
    keep_if(watchers, &aggregate, |watcher| watcher.try_send(Arc::clone(&event)).is_ok());
}

/// Lets the watchers of an aggregate go that are not to be kept.
fn keep_if(watchers: &Watchers, aggregate: &StreamId, keep: impl FnMut(&Watcher) -> bool) {
    let mut watchers = lock(watchers);
    let Some(all) = watchers.as_mut() else { return };
    if let Some(of_aggregate) = all.get_mut(aggregate) {
        of_aggregate.retain(keep);
        if of_aggregate.is_empty() {
            all.remove(aggregate);
        }
    }
}

fn lock(watchers: &Watchers) -> MutexGuard<'_, Option<ByAggregate>> {
    watchers.lock().unwrap_or_else(PoisonError::into_inner)
}
