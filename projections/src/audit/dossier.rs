//! An order's dossier: everything that happened to it, from its cart to its last refund, and its books, made anew from those
//! events. The index says where they are, and the log what they are.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use daybook_domain::OrderId;
use daybook_domain::ledger::Ledger;
use daybook_eventstore::{LogReader, Position, RecordedEvent, StoreError, Upcasters};

use super::query;
use crate::read::{ReadDb, ReadError};
use crate::runtime::decode;

/// The most events that a dossier has.
const MOST: usize = 10_000;
/// How many events are read at a time.
const CHUNK: usize = 4_096;
/// How long that may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Why there is no dossier.
#[derive(Debug, thiserror::Error)]
pub enum DossierError {
    /// The index could not be read.
    #[error("the index of events could not be read")]
    Index(#[from] ReadError),
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[from] StoreError),
    /// The order has more events than a dossier takes.
    #[error("order {order_id} has more than {MOST} events")]
    TooLarge {
        /// Which.
        order_id: OrderId,
    },
}

/// An order's story.
#[derive(Debug, Clone)]
pub struct Dossier {
    /// The order.
    pub order_id: OrderId,
    /// Its events, in the log's order.
    pub events: Vec<RecordedEvent>,
    /// How many events of the log are not in the index, and may be missing here.
    pub unindexed: i64,
}

impl Dossier {
    /// The dossiers of these orders, of those that there are any events of.
    ///
    /// # Errors
    /// When a database does not answer in time, or an order is too large.
    pub async fn find(
        index: &ReadDb,
        log: &LogReader,
        orders: &[OrderId],
    ) -> Result<HashMap<OrderId, Self>, DossierError> {
        let most = u32::try_from(MOST + 1).unwrap_or(u32::MAX);
        let (stories, unindexed) = query::stories(index, orders, most).await?;
        if let Some((order_id, _)) = stories.iter().find(|(_, positions)| positions.len() > MOST) {
            return Err(DossierError::TooLarge { order_id: *order_id });
        }
        let mut positions: Vec<Position> = stories.values().flatten().copied().collect();
        positions.sort_unstable();
        positions.dedup();
        let mut events = BTreeMap::new();
        for chunk in positions.chunks(CHUNK) {
            let read = tokio::time::timeout(LIMIT, log.at(chunk)).await;
            let read = read.map_err(|_elapsed| StoreError::TimedOut)??;
            events.extend(read.into_iter().map(|event| (event.position, event)));
        }
        let dossier = |(order_id, positions): (OrderId, Vec<Position>)| {
            let events = positions.iter().filter_map(|position| events.get(position).cloned()).collect();
            (order_id, Self { order_id, events, unindexed })
        };
        Ok(stories.into_iter().map(dossier).collect())
    }

    /// The order's books. They are of all its events or of none: what cannot be read may have been money.
    ///
    /// # Errors
    /// Why not, as text.
    pub fn ledger(&self, upcasters: &Upcasters) -> Result<Ledger, String> {
        // A cart's orders are several when it was submitted again; the money is of this one.
        let order = self.order_id.to_string();
        let mut decoded = Vec::new();
        for event in &self.events {
            let is_another = event.aggregate_type == "Order" && event.aggregate_id != order;
            if matches!(event.aggregate_type.as_str(), "Order" | "Payment") && !is_another {
                let happened = decode(event, upcasters).map_err(|error| {
                    format!("the event at position {} cannot be read: {error}", event.position)
                })?;
                decoded.push((event.position, happened));
            }
        }
        Ledger::of(decoded.iter().map(|(position, event)| (*position, event)))
            .map_err(|error| error.to_string())
    }
}
