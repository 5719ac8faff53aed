//! What a process remembers of one aggregate: the newest state it knows to be committed, and the tip that the
//! next command is decided on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use cqrs_es::{Aggregate, DomainEvent};
use tokio::sync::{Mutex, MutexGuard, OwnedMutexGuard};
use uuid::Uuid;

use crate::append::Chain;
use crate::error::StoreError;
use crate::event::{NewEvent, RecordedEvent};
use crate::memory::LEAST;
use crate::snapshot::{Snapshot, SnapshotPolicy};

/// A state and the version of the stream it is the state at.
#[derive(Debug)]
pub(super) struct Versioned<A> {
    pub(super) version: i64,
    /// The event that brought the stream to this version; nil when there is none.
    pub(super) event_id: Uuid,
    pub(super) state: Arc<A>,
    /// What the state is taken to weigh: the length of the snapshot it goes back to, and of all payloads since.
    pub(super) bytes: u64,
    /// The stream's newest snapshot, when it was loaded and there was one.
    pub(super) kept: Option<Kept>,
}

/// That there is a snapshot at a version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    /// 0 when there is none.
    version: i64,
    /// When it was taken; when there is none, since when that is so as far as is known.
    since: Instant,
}

impl<A> Clone for Versioned<A> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), ..*self }
    }
}

impl<A: Default> Default for Versioned<A> {
    fn default() -> Self {
        Self { version: 0, event_id: Uuid::nil(), state: Arc::default(), bytes: 0, kept: None }
    }
}

impl<A> From<Snapshot<A>> for Versioned<A> {
    fn from(snapshot: Snapshot<A>) -> Self {
        let Snapshot { version, event_id, state, bytes, age } = snapshot;
        // A clock that began after the snapshot was taken cannot say how old it is; it is not old, then.
        let since = Instant::now();
        let kept = Some(Kept { version, since: since.checked_sub(age).unwrap_or(since) });
        Self { version, event_id, state: Arc::new(state), bytes, kept }
    }
}

impl<A> Versioned<A> {
    /// The same after these events, which came to this state.
    pub(super) fn after(&self, events: &[NewEvent], state: Arc<A>) -> Self {
        let grown = i64::try_from(events.len()).unwrap_or(i64::MAX);
        Self {
            version: self.version.saturating_add(grown),
            event_id: events.last().map_or(self.event_id, |event| event.event_id),
            state,
            bytes: events.iter().fold(self.bytes, |bytes, event| bytes + length(&event.payload)),
            kept: self.kept,
        }
    }

    /// Notes that a snapshot of `earlier` was this long, which this one goes back to.
    fn weighed(&mut self, earlier: &Self, bytes: u64) {
        if self.version >= earlier.version {
            self.bytes = bytes + self.bytes.saturating_sub(earlier.bytes);
        }
    }
}

impl<A: Aggregate + Clone> Versioned<A> {
    /// Applies the stream's next event. A state that one was left out of is never gone on from.
    pub(super) fn apply(&mut self, event: &RecordedEvent) -> Result<(), StoreError> {
        if event.sequence != self.version + 1 {
            let name = format!("{} {}", event.aggregate_type, event.aggregate_id);
            return Err(StoreError::LogDiverged { name, position: event.position });
        }
        let payload: A::Event =
            serde_json::from_str(&event.payload).map_err(|source| StoreError::Undecodable {
                what: "event",
                of: format!("{} {}", event.aggregate_type, event.aggregate_id),
                source,
            })?;
        // It may look like one of today's and mean something else. What goes by another name is as its payload says.
        if payload.event_version() != event.event_version && payload.event_type() == event.event_type {
            return Err(StoreError::unknown(event));
        }
        Arc::make_mut(&mut self.state).apply(payload);
        self.version = event.sequence;
        self.event_id = event.event_id;
        self.bytes += length(&event.payload);
        Ok(())
    }
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

/// The state after every decision so far, committed or still on its way.
#[derive(Debug)]
pub(super) struct Tip<A> {
    pub(super) at: Versioned<A>,
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
        let kept = Kept { version: 0, since: Instant::now() };
        let entry = Entry { committed: None, tip: None, kept, told: LEAST };
        Self { heard: AtomicI64::new(0), entry: Arc::new(Mutex::new(entry)) }
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
    /// The newest snapshot that is known of.
    kept: Kept,
    /// What the process's memory was told that this weighs.
    told: u64,
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
        self.tip.as_ref().filter(|tip| !tip.chain.is_broken() && tip.at.version >= heard)
    }

    /// The state after every decision so far, even if one of them is known not to have taken effect.
    pub(super) const fn latest(&self) -> Option<&Tip<A>> {
        self.tip.as_ref()
    }

    /// Starts deciding on what is remembered, when nothing was decided yet that would have shown it to be too old.
    pub(super) fn start_from_memory(&mut self, heard: i64) {
        if self.tip.is_none()
            && let Some(at) = self.committed_at(heard).cloned()
        {
            self.tip = Some(Tip { at, chain: Arc::default() });
        }
    }

    /// Starts deciding on what the store has.
    pub(super) fn start(&mut self, fresh: Versioned<A>) {
        self.commit(&fresh);
        self.tip = Some(Tip { at: fresh, chain: Arc::default() });
    }

    /// Starts deciding as if there were no such aggregate, when nothing is known of it.
    pub(super) fn presume_new(&mut self)
    where
        A: Default,
    {
        if self.committed.is_none() && self.tip.is_none() {
            self.tip = Some(Tip { at: Versioned::default(), chain: Arc::default() });
        }
    }

    /// Moves the tip to what was just decided.
    pub(super) fn advance(&mut self, after: Versioned<A>) {
        if let Some(tip) = &mut self.tip {
            tip.at = after;
        }
    }

    /// Notes that the store has this state at this version.
    pub(super) fn commit(&mut self, known: &Versioned<A>) {
        if self.committed.as_ref().is_none_or(|older| older.version < known.version) {
            self.committed = Some(known.clone());
            if let Some(kept) = known.kept.filter(|kept| kept.version > self.kept.version) {
                self.kept = kept;
            }
        }
    }

    /// What is committed, if a snapshot of it is due.
    pub(super) fn due(&self, policy: SnapshotPolicy) -> Option<&Versioned<A>> {
        let Kept { version, since } = self.kept;
        self.committed.as_ref().filter(|known| policy.is_due(known.version, version, || since.elapsed()))
    }

    /// Notes that there is a snapshot at this version now.
    pub(super) fn keep(&mut self, version: i64) {
        self.kept = Kept { version, since: Instant::now() };
    }

    /// Notes that the snapshot of `earlier` was this long.
    pub(super) fn weighed(&mut self, earlier: &Versioned<A>, bytes: u64) {
        let tip = self.tip.as_mut().map(|tip| &mut tip.at);
        self.committed.iter_mut().chain(tip).for_each(|state| state.weighed(earlier, bytes));
    }

    /// What this weighs, when that is more than the process's memory was told, or far less. It is a power of two, so
    /// that it seldom changes.
    pub(super) fn outgrown(&mut self) -> Option<u64> {
        let [committed, tip] = [self.committed.as_ref(), self.tip.as_ref().map(|tip| &tip.at)];
        let is_same = committed.zip(tip).is_some_and(|(one, other)| Arc::ptr_eq(&one.state, &other.state));
        let tip = tip.filter(|_| !is_same);
        let states = [committed, tip].into_iter().flatten();
        let size = u64::try_from(size_of::<A>()).unwrap_or(u64::MAX);
        let weight = states.fold(LEAST / 2, |weight, state| weight + size + state.bytes);
        let weight = weight.max(LEAST).next_power_of_two();
        let tells = weight > self.told || weight < self.told / 2;
        tells.then(|| {
            self.told = weight;
            weight
        })
    }
}
