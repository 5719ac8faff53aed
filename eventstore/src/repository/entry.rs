//! What a process remembers of one aggregate: the newest state it knows to be committed, and the tip that the
//! next command is decided on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use cqrs_es::Aggregate;
use tokio::sync::{Mutex, MutexGuard, OwnedMutexGuard};

use crate::append::Chain;
use crate::error::StoreError;
use crate::event::RecordedEvent;

/// A state and the version of the stream it is the state at.
#[derive(Debug)]
pub(super) struct Versioned<A> {
    pub(super) version: i64,
    pub(super) state: Arc<A>,
}

impl<A> Clone for Versioned<A> {
    fn clone(&self) -> Self {
        Self { version: self.version, state: Arc::clone(&self.state) }
    }
}

impl<A: Default> Default for Versioned<A> {
    fn default() -> Self {
        Self { version: 0, state: Arc::default() }
    }
}

impl<A> From<(i64, A)> for Versioned<A> {
    fn from((version, state): (i64, A)) -> Self {
        Self { version, state: Arc::new(state) }
    }
}

impl<A: Aggregate + Clone> Versioned<A> {
    /// Applies the stream's next event. A state that one was left out of is never gone on from.
    pub(super) fn apply(&mut self, event: &RecordedEvent) -> Result<(), StoreError> {
        if event.sequence != self.version + 1 {
            let name = format!("{} {}", event.aggregate_type, event.aggregate_id);
            return Err(StoreError::LogDiverged { name, position: event.position });
        }
        let payload = serde_json::from_str(&event.payload).map_err(|source| StoreError::Undecodable {
            what: "event",
            of: format!("{} {}", event.aggregate_type, event.aggregate_id),
            source,
        })?;
        Arc::make_mut(&mut self.state).apply(payload);
        self.version = event.sequence;
        Ok(())
    }
}

/// The state after every decision so far, committed or still on its way.
#[derive(Debug)]
pub(super) struct Tip<A> {
    pub(super) version: i64,
    pub(super) state: Arc<A>,
    pub(super) chain: Arc<Chain>,
}

/// One aggregate's place in memory.
#[derive(Debug)]
pub(super) struct Slot<A> {
    /// The version that its stream is known to have reached, by whoever wrote it.
    heard: AtomicI64,
    entry: Arc<Mutex<Entry<A>>>,
}

impl<A> Default for Slot<A> {
    fn default() -> Self {
        Self { heard: AtomicI64::new(0), entry: Arc::new(Mutex::new(Entry { committed: None, tip: None })) }
    }
}

impl<A> Slot<A> {
    /// What is remembered, for this caller alone.
    pub(super) async fn lock(&self) -> MutexGuard<'_, Entry<A>> {
        self.entry.lock().await
    }

    /// The same, to be kept for as long as it takes.
    pub(super) async fn lock_owned(&self) -> OwnedMutexGuard<Entry<A>> {
        Arc::clone(&self.entry).lock_owned().await
    }

    /// Notes that the stream has reached this version. A state that is older is not gone on from.
    pub(super) fn hear(&self, version: i64) {
        self.heard.fetch_max(version, Ordering::AcqRel);
    }

    /// The version that the stream is known to have reached.
    pub(super) fn heard(&self) -> i64 {
        self.heard.load(Ordering::Acquire)
    }
}

/// What is remembered of one aggregate.
#[derive(Debug)]
pub(super) struct Entry<A> {
    committed: Option<Versioned<A>>,
    tip: Option<Tip<A>>,
}

impl<A> Entry<A> {
    /// The newest state known to be committed.
    pub(super) const fn committed(&self) -> Option<&Versioned<A>> {
        self.committed.as_ref()
    }

    /// The newest state known to be committed, unless the stream is known to be further.
    pub(super) fn committed_at(&self, heard: i64) -> Option<&Versioned<A>> {
        self.committed.as_ref().filter(|known| known.version >= heard)
    }

    /// What to decide on; nothing when there is none, when a decision it rests on did not take effect, or when the
    /// stream is known to be further.
    pub(super) fn tip(&self, heard: i64) -> Option<&Tip<A>> {
        self.tip.as_ref().filter(|tip| !tip.chain.is_broken() && tip.version >= heard)
    }

    /// Starts deciding on what is remembered, when nothing was decided yet that would have shown it to be too old.
    pub(super) fn start_from_memory(&mut self, heard: i64) {
        if self.tip.is_none()
            && let Some(known) = self.committed_at(heard).cloned()
        {
            self.tip = Some(Tip { version: known.version, state: known.state, chain: Arc::default() });
        }
    }

    /// Starts deciding on what the store has.
    pub(super) fn start(&mut self, fresh: Versioned<A>) {
        self.commit(fresh.version, &fresh.state);
        self.tip = Some(Tip { version: fresh.version, state: fresh.state, chain: Arc::default() });
    }

    /// Starts deciding as if there were no such aggregate, when nothing is known of it.
    pub(super) fn presume_new(&mut self)
    where
        A: Default,
    {
        if self.committed.is_none() && self.tip.is_none() {
            self.tip = Some(Tip { version: 0, state: Arc::default(), chain: Arc::default() });
        }
    }

    /// Moves the tip to what was just decided.
    pub(super) fn advance(&mut self, version: i64, state: Arc<A>) {
        if let Some(tip) = &mut self.tip {
            tip.version = version;
            tip.state = state;
        }
    }

    /// Notes that the store has this state at this version.
    pub(super) fn commit(&mut self, version: i64, state: &Arc<A>) {
        if self.committed.as_ref().is_none_or(|known| known.version < version) {
            self.committed = Some(Versioned { version, state: Arc::clone(state) });
        }
    }
}
