//! What tests of folds are written with: events from facts, with nothing around them that matters.

use cqrs_es::DomainEvent as _;
use daybook_domain::catalogue::DomainEvent;
use daybook_domain::{CommandId, Timestamp};
use daybook_eventstore::{Metadata, Position, RecordedEvent};
use serde::Serialize;
use uuid::Uuid;

use super::{Envelope, FoldError, ReadModel};

/// `minutes` after the beginning of the tests' time.
pub(crate) fn moment(minutes: i64) -> Timestamp {
    Timestamp::from_timestamp(1_700_000_000 + 60 * minutes, 0).expect("a time")
}

/// The fact as the event at this position, which happened as many minutes after the beginning.
pub(crate) fn envelope(position: Position, aggregate_id: &str, event: DomainEvent) -> Envelope {
    let uuid = Uuid::from_u128(u128::try_from(position).expect("a position"));
    let metadata = Metadata {
        actor: "staff:tester".to_owned(),
        command_id: CommandId::new(uuid),
        correlation_id: uuid,
        causation_id: None,
        traceparent: None,
        occurred_at: moment(position),
    };
    let (aggregate_type, event_type, payload) = match &event {
        DomainEvent::Cart(fact) => ("Cart", fact.event_type(), json(fact)),
        DomainEvent::Order(fact) => ("Order", fact.event_type(), json(fact)),
        DomainEvent::Payment(fact) => ("Payment", fact.event_type(), json(fact)),
        DomainEvent::Inventory(fact) => ("Inventory", fact.event_type(), json(fact)),
        DomainEvent::Shipment(fact) => ("Shipment", fact.event_type(), json(fact)),
        DomainEvent::Product(fact) => ("Product", fact.event_type(), json(fact)),
        DomainEvent::Person(fact) => ("Person", fact.event_type(), json(fact)),
        DomainEvent::Inspection(fact) => ("Inspection", fact.event_type(), json(fact)),
    };
    let recorded = RecordedEvent {
        position,
        event_id: uuid,
        aggregate_type: aggregate_type.to_owned(),
        aggregate_id: aggregate_id.to_owned(),
        sequence: position,
        event_type,
        event_version: "1".to_owned(),
        payload,
        metadata: json(&metadata),
        recorded_at: moment(position),
    };
    Envelope { event, metadata, recorded }
}

/// The row after these facts, each with its aggregate's id.
pub(crate) fn fold_all<M: ReadModel>(
    facts: impl IntoIterator<Item = (String, DomainEvent)>,
) -> Result<Option<M::Row>, FoldError> {
    let events = (1..).zip(facts).map(|(position, (id, event))| envelope(position, &id, event));
    events.into_iter().try_fold(None, |row, event| M::fold(row, &event))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("it is JSON")
}
