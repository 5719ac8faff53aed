//! An order's dossier: everything that happened to it, from its cart to its last refund, and its books, made anew from those
//! events. The index says where they are, and the log what they are.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use daybook_domain::OrderId;
use daybook_domain::catalogue::DomainEvent;
use daybook_domain::ledger::Ledger;
use daybook_eventstore::{LogReader, Position, RecordedEvent, StoreError, Upcasters};

use super::query::{self, Extent};
use crate::read::{ReadDb, ReadError};
use crate::runtime::decode;

/// How many events are read at a time.
const CHUNK: usize = 4_096;
/// How long that may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Why there are no dossiers.
#[derive(Debug, thiserror::Error)]
pub enum DossierError {
    /// The index could not be read.
    #[error("the index of events could not be read")]
    Index(#[from] ReadError),
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[from] StoreError),
}

/// An order has more events than somebody wants to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("order {order_id} has more than {most} events")]
pub struct TooLarge {
    /// Which.
    pub order_id: OrderId,
    /// How many there may be.
    pub most: u32,
}

/// An order's story.
#[derive(Debug, Clone)]
pub struct Dossier {
    /// The order.
    pub order_id: OrderId,
    /// Its events, in the log's order.
    pub events: Vec<RecordedEvent>,
    /// Where the log has no event any more that the index knows of: somebody took it away.
    pub missing: Vec<Position>,
    /// What the index has of the log: no more is here.
    pub extent: Extent,
}

impl Dossier {
    /// The dossiers of these orders, of those that there are any events of, and not more than so many of each.
    ///
    /// # Errors
    /// When a database does not answer in time.
    pub async fn find(
        index: &ReadDb,
        log: &LogReader,
        orders: &[OrderId],
        most: u32,
    ) -> Result<HashMap<OrderId, Result<Self, TooLarge>>, DossierError> {
        let (mut stories, extent) = query::stories(index, orders, most.saturating_add(1)).await?;
        let is_too_large =
            |positions: &[Position]| u32::try_from(positions.len()).is_ok_and(|all| all > most);
        let mut dossiers = HashMap::new();
        for (order_id, _) in stories.extract_if(|_, positions| is_too_large(positions)) {
            dossiers.insert(order_id, Err(TooLarge { order_id, most }));
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
        for (order_id, positions) in stories {
            let (there, missing) = positions.into_iter().partition::<Vec<_>, _>(|at| events.contains_key(at));
            let events = there.iter().filter_map(|position| events.get(position).cloned()).collect();
            dossiers.insert(order_id, Ok(Self { order_id, events, missing, extent }));
        }
        Ok(dossiers)
    }

    /// All positions of the story.
    pub fn positions(&self) -> Vec<Position> {
        self.events.iter().map(|event| event.position).chain(self.missing.iter().copied()).collect()
    }

    /// The order's books. They are of all its events or of none: what cannot be read, or is not there, may have been money.
    ///
    /// # Errors
    /// Why not, as text.
    pub fn ledger(&self, upcasters: &Upcasters) -> Result<Ledger, String> {
        if let Some(position) = self.missing.first() {
            return Err(format!("the log has no event at position {position} any more"));
        }
        let mut decoded = Vec::new();
        for event in &self.events {
            if matches!(event.aggregate_type.as_str(), "Order" | "Payment") {
                let happened = decode(event, upcasters).map_err(|error| {
                    format!("the event at position {} cannot be read: {error}", event.position)
                })?;
                decoded.push((event, happened));
            }
        }
        // A cart that was submitted again has several orders; the money is of this one.
        let order_id = self.order_id.to_string();
        decoded.retain(|(event, happened)| {
            if let DomainEvent::Payment(paid) = happened {
                paid.order_id() == self.order_id
            } else {
                event.aggregate_id == order_id
            }
        });
        for kind in ["Order", "Payment"] {
            let stream = decoded.iter().filter(|(event, _)| event.aggregate_type == kind);
            if let Some((hole, _)) =
                stream.map(|(event, _)| event.sequence).zip(1..).find(|(is, due)| is != due)
            {
                return Err(format!(
                    "of the {kind}'s events those before number {hole} are not in the index"
                ));
            }
        }
        let events = decoded.iter().map(|(event, happened)| (event.position, happened));
        Ledger::of(events).map_err(|error| error.to_string())
    }
}
