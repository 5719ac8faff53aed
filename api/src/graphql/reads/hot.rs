//! Reading from the hot copies in Redis. What they cannot tell at once, or tell of a moment that is too long ago, is
//! asked of the replica.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use daybook_domain::{CartId, VariantId};
use daybook_eventstore::Position;
use daybook_projections::carts::{self, CartRow};
use daybook_projections::read::{Hot, ReplicaWatch};
use daybook_projections::stock::{self, StockLevel};

use super::loader::Batch;
use crate::graphql::error::ApiError;

/// The read model of carts.
pub(crate) const CARTS: &str = "carts";
/// The read model of stock.
pub(crate) const STOCK: &str = "stock";
/// How long Redis may take to answer.
const LIMIT: Duration = Duration::from_millis(100);
/// How often the replica is asked how far it is.
const INTERVAL: Duration = Duration::from_millis(250);

/// Where a read was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    /// A hot copy.
    Redis,
    /// The replica.
    Replica,
}

/// Counts lookups that were answered.
pub(crate) fn answered(model: &'static str, source: Source, keys: usize) {
    let source = match source {
        Source::Redis => "redis",
        Source::Replica => "replica",
    };
    let keys = u64::try_from(keys).unwrap_or(u64::MAX);
    metrics::counter!("daybook_api_reads_total", "model" => model, "source" => source).increment(keys);
}

/// How new the copies have to be: not older than what the replica was seen to have. A copy that nobody keeps any more
/// is thus never shown for long.
#[derive(Debug, Default)]
struct Floors {
    carts: AtomicI64,
    stock: AtomicI64,
}

impl Floors {
    fn of(&self, model: &str) -> Option<&AtomicI64> {
        match model {
            CARTS => Some(&self.carts),
            STOCK => Some(&self.stock),
            _ => None,
        }
    }

    fn raise(&self, model: &str, position: Position) {
        if let Some(floor) = self.of(model) {
            floor.fetch_max(position, Ordering::AcqRel);
        }
    }

    fn position(&self, model: &str) -> Position {
        self.of(model).map_or(0, |floor| floor.load(Ordering::Acquire))
    }
}

/// The hot copies. Cloning shares them.
#[derive(Debug, Clone)]
pub(crate) struct Copies {
    hot: Hot,
    floors: Arc<Floors>,
}

impl Copies {
    /// Reads there, as long as they are not behind the replica that is watched.
    pub(crate) fn start(hot: Hot, watch: ReplicaWatch) -> Self {
        let floors = Arc::default();
        // It ends with the last clone.
        tokio::spawn(follow(Arc::downgrade(&floors), watch));
        Self { hot, floors }
    }

    /// The replica has this position of a read model: nothing older is shown from now on.
    pub(crate) fn reached(&self, model: &str, position: Position) {
        self.floors.raise(model, position);
    }

    /// The stock of these variants; nothing when the replica has to be asked.
    pub(crate) async fn stock(&self, ids: &[VariantId]) -> Option<HashMap<VariantId, Vec<StockLevel>>> {
        let after = Some(self.floors.position(STOCK));
        let found = within(stock::query::by_variants_hot(&self.hot, ids, after)).await?;
        answered(STOCK, Source::Redis, ids.len());
        Some(found)
    }
}

/// An answer of Redis, when it comes in time.
async fn within<T>(answer: impl Future<Output = Option<T>>) -> Option<T> {
    tokio::time::timeout(LIMIT, answer).await.ok().flatten()
}

async fn follow(floors: Weak<Floors>, watch: ReplicaWatch) {
    while let Some(floors) = floors.upgrade() {
        for model in [CARTS, STOCK] {
            // Nothing is ever there, so this says at once where the replica was last seen, and has it asked again.
            if let Err(behind) = watch.wait_for(model, Position::MAX, Duration::ZERO).await {
                floors.raise(model, behind.position);
            }
        }
        drop(floors);
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Carts in the hot copy, each at a position or later. What the copy knows not to be there is found to be nothing; what
/// it cannot tell is not found.
pub(crate) struct HotCarts(pub(crate) Copies);

impl Batch for HotCarts {
    type Key = (CartId, Position);
    type Value = Option<Arc<CartRow>>;

    async fn find(&self, keys: Vec<Self::Key>) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let floor = self.0.floors.position(CARTS);
        let ids: Vec<CartId> = keys.iter().map(|(id, _)| *id).collect();
        let found = within(carts::query::by_ids_hot(&self.0.hot, &ids, Some(floor))).await;
        let Some((at, found)) = found else { return Ok(HashMap::new()) };
        let found: HashMap<_, _> = found.into_iter().map(|(id, row)| (id, Arc::new(row))).collect();
        // What one asks for that is not there yet is not asked of the others.
        let told: HashMap<_, _> = keys
            .into_iter()
            .filter(|(_, after)| *after <= at)
            .map(|key| (key, found.get(&key.0).cloned()))
            .collect();
        answered(CARTS, Source::Redis, told.len());
        Ok(told)
    }
}
