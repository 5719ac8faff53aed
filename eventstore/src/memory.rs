//! What a process remembers of aggregates, of whatever type: within one bound of bytes, and never more than one
//! memory of each. It decides what is left behind; what a memory means is its repository's business.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use metrics::{Counter, Gauge, counter, gauge};
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Equivalent, Lifecycle, Weighter};

/// How many bytes of aggregates a process remembers when nobody says otherwise.
const BYTES: u64 = 64 * 1_024 * 1_024;
/// What an aggregate weighs until somebody says what it does: its places in the tables, its locks and a small state.
pub(crate) const LEAST: u64 = 1_024;

/// How much is remembered at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// How many aggregates.
    pub aggregates: u64,
    /// What they weigh, in bytes: what their events and snapshots say, rounded up.
    pub bytes: u64,
}

/// Everything that is remembered. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Memory(Arc<Inner>);

struct Inner {
    cache: Cache<Place, Held, Heaviness, DefaultHashBuilder, Leaving>,
    rooms: AtomicU32,
    meters: Meters,
}

/// One repository's part of the memory.
#[derive(Clone)]
pub(crate) struct Room {
    memory: Memory,
    number: u32,
}

/// Where something is remembered.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    room: u32,
    id: String,
}

/// The same, borrowed; it must have the same fields in the same order, to have the same hash.
#[derive(Hash)]
struct Sought<'a> {
    room: u32,
    id: &'a str,
}

impl Equivalent<Place> for Sought<'_> {
    fn equivalent(&self, place: &Place) -> bool {
        (self.room, self.id) == (place.room, &place.id)
    }
}

/// What is remembered, and its weight, which must stay what the cache was told.
#[derive(Clone)]
struct Held {
    what: Arc<dyn Any + Send + Sync>,
    bytes: u64,
}

impl Held {
    fn is<T>(&self, what: &Arc<T>) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.what), Arc::as_ptr(what))
    }
}

#[derive(Clone)]
struct Heaviness;

impl Weighter<Place, Held> for Heaviness {
    fn weight(&self, _place: &Place, held: &Held) -> u64 {
        held.bytes
    }
}

/// What becomes of what is left behind.
#[derive(Clone)]
struct Leaving(Meters);

impl Lifecycle<Place, Held> for Leaving {
    /// What was left behind; it is dropped when nobody waits for the cache any more.
    type RequestState = Vec<Held>;

    /// Somebody decides on it, and nobody must start on another memory of the same: the two would not know of each
    /// other's decisions. It is asked for while nobody can get hold of it anew.
    fn is_pinned(&self, _place: &Place, held: &Held) -> bool {
        Arc::strong_count(&held.what) > 1
    }

    fn begin_request(&self) -> Vec<Held> {
        Vec::new()
    }

    fn on_evict(&self, left: &mut Vec<Held>, _place: Place, held: Held) {
        left.push(held);
    }

    fn end_request(&self, left: Vec<Held>) {
        for held in left {
            self.0.evictions.increment(1);
            self.0.lose(held.bytes);
        }
    }
}

/// Looked up once: that costs more than to count.
#[derive(Clone)]
struct Meters {
    aggregates: Gauge,
    bytes: Gauge,
    evictions: Counter,
}

impl Meters {
    fn new() -> Self {
        Self {
            aggregates: gauge!("daybook_cache_aggregates"),
            bytes: gauge!("daybook_cache_bytes"),
            evictions: counter!("daybook_cache_evictions_total"),
        }
    }

    fn gain(&self, bytes: u64) {
        self.aggregates.increment(1.0);
        self.bytes.increment(shown(bytes));
    }

    fn lose(&self, bytes: u64) {
        self.aggregates.decrement(1.0);
        self.bytes.decrement(shown(bytes));
    }
}

/// As a gauge has it.
fn shown(bytes: u64) -> f64 {
    u32::try_from(bytes).unwrap_or(u32::MAX).into()
}

impl Default for Memory {
    fn default() -> Self {
        Self::of(BYTES)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("remembered", &self.remembered()).finish()
    }
}

impl Memory {
    /// A memory of this many bytes, beside what is in use.
    pub(crate) fn of(bytes: u64) -> Self {
        let meters = Meters::new();
        let expected = usize::try_from(bytes / LEAST).unwrap_or(usize::MAX);
        let leaving = Leaving(meters.clone());
        let cache = Cache::with(expected, bytes, Heaviness, DefaultHashBuilder::default(), leaving);
        Self(Arc::new(Inner { cache, rooms: AtomicU32::new(0), meters }))
    }

    /// Room for the aggregates of one repository, who sees nobody else's.
    pub(crate) fn room(&self) -> Room {
        Room { memory: self.clone(), number: self.0.rooms.fetch_add(1, Ordering::Relaxed) }
    }

    /// How much there is.
    pub(crate) fn remembered(&self) -> Remembered {
        self.0.remembered()
    }
}

impl Inner {
    fn remembered(&self) -> Remembered {
        let aggregates = u64::try_from(self.cache.len()).unwrap_or(u64::MAX);
        Remembered { aggregates, bytes: self.cache.weight() }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for (_, held) in self.cache.drain() {
            self.meters.lose(held.bytes);
        }
    }
}

impl Room {
    /// Another one in the same memory.
    pub(crate) fn another(&self) -> Self {
        self.memory.room()
    }

    /// What is remembered under this id. As long as somebody has it, it is not left behind.
    pub(crate) fn find<T: Send + Sync + 'static>(&self, id: &str) -> Option<Arc<T>> {
        let held = self.memory.0.cache.get(&Sought { room: self.number, id })?;
        held.what.downcast().ok()
    }

    /// The same, made now if there is nothing.
    pub(crate) fn find_or_make<T: Default + Send + Sync + 'static>(&self, id: &str) -> Arc<T> {
        self.find(id).unwrap_or_else(|| self.make(id))
    }

    fn make<T: Default + Send + Sync + 'static>(&self, id: &str) -> Arc<T> {
        let Inner { cache, meters, .. } = &*self.memory.0;
        let made = cache.get_or_insert_with(&self.place(id), || {
            meters.gain(LEAST);
            Ok::<_, Infallible>(Held { what: Arc::<T>::default(), bytes: LEAST })
        });
        match made {
            // A room has things of one type only.
            Ok(held) => held.what.downcast().unwrap_or_default(),
            Err(never) => match never {},
        }
    }

    /// Says what it weighs now; others may be left behind for it.
    pub(crate) fn weigh<T: Send + Sync + 'static>(&self, id: &str, what: &Arc<T>, bytes: u64) {
        let Inner { cache, meters, .. } = &*self.memory.0;
        let held = Held { what: Arc::<T>::clone(what), bytes };
        let Ok(mut left) = cache.replace_with_lifecycle(self.place(id), held, true) else { return };
        // To the cache, what it replaced has left too.
        if let Some(index) = left.iter().position(|held| held.is(what)) {
            meters.bytes.increment(shown(bytes));
            meters.bytes.decrement(shown(left.swap_remove(index).bytes));
        }
        Leaving(meters.clone()).end_request(left);
    }

    fn place(&self, id: &str) -> Place {
        Place { room: self.number, id: id.to_owned() }
    }
}
