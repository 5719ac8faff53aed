//! An aggregate as its events make it: its state is what the domain's own code makes of them, as JSON.

use cqrs_es::Aggregate;
use daybook_domain::cart::Cart;
use daybook_domain::inspection::Inspection;
use daybook_domain::inventory::Inventory;
use daybook_domain::order::Order;
use daybook_domain::payment::Payment;
use daybook_domain::person::Person;
use daybook_domain::product::Product;
use daybook_domain::shipment::Shipment;
use daybook_eventstore::process::Failure;
use daybook_eventstore::{RecordedEvent, Selection, StreamId, Upcasters};
use serde::Serialize;
use serde_json::Value;

use super::seen::Seen;
use super::{Log, READ};

/// What makes a state of events.
type Fold = fn(&[RecordedEvent], &Upcasters) -> Result<Value, Failure>;

/// Every type of aggregate there is.
const KNOWN: &[(&str, Fold)] = &[
    (Order::TYPE, fold::<Order>),
    (Payment::TYPE, fold::<Payment>),
    (Shipment::TYPE, fold::<Shipment>),
    (Cart::TYPE, fold::<Cart>),
    (Inventory::TYPE, fold::<Inventory>),
    (Product::TYPE, fold::<Product>),
    (Person::TYPE, fold::<Person>),
    (Inspection::TYPE, fold::<Inspection>),
];

/// The names of all types of aggregate.
pub(super) fn names() -> Vec<&'static str> {
    KNOWN.iter().map(|(name, _)| *name).collect()
}

/// The name of a type of aggregate, however it was written.
pub(super) fn name(text: &str) -> Result<&'static str, String> {
    let known = names().into_iter().find(|name| name.eq_ignore_ascii_case(text));
    known.ok_or_else(|| format!("there is no aggregate {text:?}; there are {}", names().join(", ")))
}

/// The events of an aggregate, in order, as the store has them and as they are shown.
pub(super) async fn events(
    log: &Log,
    aggregate_type: &str,
    id: &str,
) -> Result<Vec<(RecordedEvent, Seen)>, Failure> {
    let stream = StreamId { aggregate_type: aggregate_type.to_owned(), aggregate_id: id.to_owned() };
    let mut scan = log.reader.scan(Selection::after(0).of_streams([stream]), READ);
    let mut events = Vec::new();
    while let Some(batch) = scan.next().await? {
        for event in batch.events() {
            let recorded = event.to_recorded()?;
            let seen = Seen::of_recorded(&recorded, &log.upcasters);
            events.push((recorded, seen));
        }
    }
    Ok(events)
}

/// The state that these events of an aggregate make.
pub(super) fn state(
    aggregate_type: &str,
    events: &[RecordedEvent],
    upcasters: &Upcasters,
) -> Result<Value, Failure> {
    let known = KNOWN.iter().find(|(name, _)| *name == aggregate_type);
    let (_, fold) =
        known.ok_or_else(|| Failure::from(format!("there is no aggregate {aggregate_type:?}")))?;
    fold(events, upcasters)
}

fn fold<A: Aggregate + Serialize>(events: &[RecordedEvent], upcasters: &Upcasters) -> Result<Value, Failure> {
    let mut aggregate = A::default();
    for event in events {
        let upcast = upcasters.upcast(event)?;
        let payload = &upcast.as_ref().unwrap_or(event).payload;
        let unreadable = |error| {
            Failure::from(format!("the event at position {} cannot be read: {error}", event.position))
        };
        aggregate.apply(serde_json::from_str(payload).map_err(unreadable)?);
    }
    Ok(serde_json::to_value(&aggregate)?)
}
