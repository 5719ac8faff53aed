//! What is new, for whoever watches one thing at this moment: one feed for the whole process, handed out by the thing
//! that an event belongs to, such as the aggregate or the order. It keeps nothing, and a watcher that does not keep up
//! is let go.

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
use crate::event::{Position, RecordedEvent};
use crate::upcast::Upcasters;

/// How many events a watcher may leave lying.
const HELD: usize = 256;
/// How many events are taken at once.
const BATCH: usize = 512;
/// The pause after the log could not be read.
const PAUSE: Duration = Duration::from_millis(500);

type Watcher = mpsc::Sender<Arc<RecordedEvent>>;
/// Nothing while the log is not followed.
type Shared = Arc<Mutex<Option<Hub>>>;

/// What an event belongs to; nothing when nobody ever watches such a thing.
pub type Route = fn(&RecordedEvent, &Upcasters) -> Option<String>;

/// Who watches, and up to where everyone was told.
#[derive(Debug, Default)]
struct Hub {
    position: Position,
    watchers: HashMap<String, Vec<Watcher>>,
}

/// The new events of the log, by what they belong to.
#[derive(Debug)]
pub struct Live {
    hub: Shared,
    following: JoinHandle<()>,
}

impl Live {
    /// Follows the log from its head on, until this is dropped; `name` is the feed's in metrics.
    pub fn start(source: FeedSource, name: &'static str, route: Route) -> Self {
        let hub = Shared::default();
        let following = tokio::spawn(follow(source, name, route, Arc::clone(&hub)));
        Self { hub, following }
    }

    /// Up to where watchers were told; 0 while the log is not followed.
    pub fn position(&self) -> Position {
        lock(&self.hub).as_ref().map_or(0, |hub| hub.position)
    }

    /// The events that belong to `key`, from now on and in order. Whoever needs the state as well must begin to watch
    /// first, and then read it no older than where the watch [begins](Watch::begins). It ends when the watcher does not
    /// keep up or when the log is not followed any more, and at once while it is not: then the watcher must begin anew.
    pub fn watch(&self, key: String) -> Watch {
        let (watcher, events) = mpsc::channel(HELD);
        let mut begins = 0;
        if let Some(hub) = lock(&self.hub).as_mut() {
            hub.watchers.entry(key.clone()).or_default().push(watcher);
            begins = hub.position;
        }
        Watch { events, begins, key, hub: Arc::clone(&self.hub) }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.following.abort();
        lock(&self.hub).take();
    }
}

/// The events that belong to one thing, as they happen.
#[derive(Debug)]
pub struct Watch {
    events: mpsc::Receiver<Arc<RecordedEvent>>,
    begins: Position,
    key: String,
    hub: Shared,
}

impl Watch {
    /// The position that it begins after: what happened up to there will never be told.
    pub const fn begins(&self) -> Position {
        self.begins
    }
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
        if let Some(hub) = lock(&self.hub).as_mut() {
            hub.keep_if(&self.key, |watcher| !watcher.is_closed());
        }
    }
}

impl Hub {
    /// Passes events on, and takes note of how far that is.
    fn tell(&mut self, route: impl Fn(&RecordedEvent) -> Option<String>, events: Vec<RecordedEvent>) {
        for event in events {
            self.position = event.position;
            if self.watchers.is_empty() {
                continue;
            }
            if let Some(key) = route(&event) {
                let event = Arc::new(event);
                self.keep_if(&key, |watcher| watcher.try_send(Arc::clone(&event)).is_ok());
            }
        }
    }

    /// Lets the watchers of a thing go that are not to be kept.
    fn keep_if(&mut self, key: &str, keep: impl FnMut(&Watcher) -> bool) {
        if let Some(watchers) = self.watchers.get_mut(key) {
            watchers.retain(keep);
            if watchers.is_empty() {
                self.watchers.remove(key);
            }
        }
    }
}

async fn follow(source: FeedSource, name: &'static str, route: Route, hub: Shared) {
    let route = |event: &RecordedEvent| route(event, &source.upcasters);
    loop {
        let failed = match open(&source, name).await {
            Ok((mut feed, head)) => {
                lock(&hub).get_or_insert_default().position = head;
                pass_on(&mut feed, &route, &hub).await
            }
            Err(error) => error,
        };
        tracing::warn!(error = &failed as &dyn std::error::Error, "beginning to watch the log anew");
        // What happens until then is missed, so everyone must look again.
        lock(&hub).take();
        tokio::time::sleep(PAUSE).await;
    }
}

async fn open(source: &FeedSource, name: &str) -> Result<(Feed, Position), StoreError> {
    let head = Checkpoint::head(&source.reader).await?;
    Ok((Feed::open(source.clone(), name, &head).await?, head.position))
}

/// Passes events on until the log is not the same any more.
async fn pass_on(
    feed: &mut Feed,
    route: &(impl Fn(&RecordedEvent) -> Option<String> + Sync),
    hub: &Shared,
) -> StoreError {
    loop {
        match feed.next(BATCH).await {
            Ok(events) => {
                if let Some(hub) = lock(hub).as_mut() {
                    hub.tell(route, events);
                }
            }
            Err(error @ StoreError::LogDiverged { .. }) => return error,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot read the log; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn lock(hub: &Shared) -> MutexGuard<'_, Option<Hub>> {
    hub.lock().unwrap_or_else(PoisonError::into_inner)
}
