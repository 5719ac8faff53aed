//! The auditor's index of the log: which events there are of an order, a customer, an actor, a type, a request or a time. It says
//! where they are; what they are, the log itself says. Where an event cannot be read, it and the rest of its span are not in
//! the index until they are tried again, and every answer tells how many that are.

mod dossier;
pub mod query;
mod table;
#[cfg(test)]
mod tests;

pub use dossier::{Dossier, DossierError, TooLarge};

use daybook_domain::cart::CartEvent;
use daybook_domain::catalogue::DomainEvent;
use daybook_domain::inventory::InventoryEvent;
use daybook_domain::order::OrderEvent;
use daybook_domain::person::PersonEvent;
use daybook_domain::{CustomerId, OrderId, Timestamp};
use daybook_eventstore::{Position, RecordedEvent};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::runtime::{Envelope, FoldError, ReadModel};

/// How many events a span is of. Times are looked up by spans, since events are in the order in which they were recorded,
/// and almost in that in which they happened.
const SPAN: Position = 1_024;

/// The index.
pub struct Audit;

/// So many events that are beside each other in the log, and when they happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// When the earliest of them happened.
    pub first: Timestamp,
    /// When the latest of them did.
    pub last: Timestamp,
    /// How many there are.
    pub events: i64,
}

impl ReadModel for Audit {
    type Row = Span;
    const SOURCES: &'static [&'static str] =
        &["Product", "Cart", "Order", "Inventory", "Payment", "Shipment", "Person", "Inspection"];
    const REVISION: i32 = 1;

    fn key(event: &Envelope) -> Option<String> {
        Some(span_of(event.position()))
    }

    fn key_of_unreadable(recorded: &RecordedEvent) -> String {
        span_of(recorded.position)
    }

    fn fold(row: Option<Span>, event: &Envelope) -> Result<Option<Span>, FoldError> {
        let at = event.occurred_at();
        let Some(Span { first, last, events }) = row else {
            return Ok(Some(Span { first: at, last: at, events: 1 }));
        };
        Ok(Some(Span { first: first.min(at), last: last.max(at), events: events + 1 }))
    }
}

/// The key of the span that an event is in: its number, from 0, in ten digits, so that the keys are in the spans' order.
fn span_of(position: Position) -> String {
    format!("{:010}", (position - 1) / SPAN)
}

/// The order that an event is about.
fn order_of(event: &Envelope) -> Option<Uuid> {
    let order_id = match &event.event {
        DomainEvent::Order(_) => event.aggregate_id().parse::<OrderId>().ok(),
        DomainEvent::Payment(paid) => Some(paid.order_id()),
        DomainEvent::Shipment(shipped) => Some(shipped.order_id()),
        DomainEvent::Cart(CartEvent::Submitted { order_id, .. } | CartEvent::Reopened { order_id }) => {
            Some(*order_id)
        }
        DomainEvent::Inventory(
            InventoryEvent::Reserved { order_id, .. }
            | InventoryEvent::ReservationExpired { order_id, .. }
            | InventoryEvent::Allocated { order_id, .. }
            | InventoryEvent::Released { order_id, .. }
            | InventoryEvent::Shipped { order_id, .. }
            | InventoryEvent::Returned { order_id, .. },
        ) => Some(*order_id),
        DomainEvent::Cart(_)
        | DomainEvent::Inventory(
            InventoryEvent::Received { .. }
            | InventoryEvent::Adjusted { .. }
            | InventoryEvent::SafetyStockSet { .. },
        )
        | DomainEvent::Product(_)
        | DomainEvent::Person(_)
        | DomainEvent::Inspection(_) => None,
    };
    order_id.map(OrderId::uuid)
}

/// The customer whom an event names: that of a new cart or a placed order, or the person who was forgotten. All else that
/// concerns them is about that cart or that order.
fn customer_of(event: &Envelope) -> Option<Uuid> {
    match &event.event {
        DomainEvent::Cart(CartEvent::Created { customer_id, .. })
        | DomainEvent::Order(OrderEvent::Placed { customer_id, .. }) => customer_id.map(CustomerId::uuid),
        DomainEvent::Person(PersonEvent::Forgotten { subject_id }) => Some(subject_id.uuid()),
        DomainEvent::Cart(_)
        | DomainEvent::Order(_)
        | DomainEvent::Payment(_)
        | DomainEvent::Inventory(_)
        | DomainEvent::Shipment(_)
        | DomainEvent::Product(_)
        | DomainEvent::Inspection(_) => None,
    }
}
