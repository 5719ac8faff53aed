//! Given events, what the index says of them.

use std::collections::BTreeSet;

use daybook_domain::catalogue::{DomainEvent, event_types};
use daybook_domain::{cart, inspection, inventory, order, payment, person, product, shipment};

use super::{Audit, SPAN, Span, customer_of, order_of, span_of};
use crate::runtime::testing::{envelope, moment};
use crate::runtime::{Envelope, ReadModel};

fn every_event() -> Vec<Envelope> {
    let events = (cart::samples().into_iter().map(DomainEvent::Cart))
        .chain(order::samples().into_iter().map(DomainEvent::Order))
        .chain(inventory::samples().into_iter().map(DomainEvent::Inventory))
        .chain(payment::samples().into_iter().map(DomainEvent::Payment))
        .chain(shipment::samples().into_iter().map(DomainEvent::Shipment))
        .chain(product::samples().into_iter().map(DomainEvent::Product))
        .chain(person::samples().into_iter().map(DomainEvent::Person))
        .chain(inspection::samples().into_iter().map(DomainEvent::Inspection));
    let id = "019aa5b2-7400-7000-8000-000000000021";
    (1..).zip(events).map(|(position, event)| envelope(position, id, event)).collect()
}

#[test]
fn every_aggregate_there_is_is_in_the_index() {
    let known: BTreeSet<_> = event_types().iter().map(|event| event.aggregate).collect();
    assert_eq!(Audit::SOURCES.iter().copied().collect::<BTreeSet<_>>(), known);
}

#[test]
fn whatever_names_an_order_or_a_customer_is_found_by_it() {
    for event in every_event() {
        let named = |field: &str| {
            let payload: serde_json::Value = serde_json::from_str(&event.recorded.payload).expect("JSON");
            let fields = payload.as_object().and_then(|tagged| tagged.values().next().cloned());
            fields.and_then(|fields| Some(fields.get(field)?.as_str()?.parse().expect("an id")))
        };
        let what = &event.recorded.event_type;
        // An order's own events need not name it.
        let order = if event.recorded.aggregate_type == "Order" {
            event.recorded.aggregate_id.parse().ok()
        } else {
            named("order_id")
        };
        assert_eq!(order_of(&event), order, "{what}");
        assert_eq!(customer_of(&event), named("customer_id").or(named("subject_id")), "{what}");
    }
}

#[test]
fn a_span_knows_its_earliest_and_latest_event_in_whatever_order_they_were_recorded() {
    let events = every_event();
    let [first, second, third] = [&events[1], &events[0], &events[2]];
    let span = [first, second, third].into_iter().try_fold(None, Audit::fold);
    let expected = Span { first: moment(1), last: moment(3), events: 3 };
    assert_eq!(span, Ok(Some(expected)));
}

#[test]
fn spans_are_beside_each_other_and_their_keys_are_in_order() {
    assert_eq!(span_of(1), span_of(SPAN));
    assert_ne!(span_of(SPAN), span_of(SPAN + 1));
    assert!(span_of(9 * SPAN) < span_of(10 * SPAN + 1));
    assert_eq!(span_of(SPAN + 1).parse::<i64>().map(|number| number * SPAN), Ok(SPAN));
}
