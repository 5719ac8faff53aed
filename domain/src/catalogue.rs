//! Every event the shop knows, in one place: what there is, and reading one back from its stored payload.

use std::borrow::Cow;
use std::collections::BTreeMap;

use cqrs_es::persist::EventUpcaster;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::cart::CartEvent;
use crate::inspection::InspectionEvent;
use crate::inventory::InventoryEvent;
use crate::kernel::EventType;
use crate::order::OrderEvent;
use crate::payment::PaymentEvent;
use crate::person::PersonEvent;
use crate::product::ProductEvent;
use crate::shipment::ShipmentEvent;

/// An event of any aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DomainEvent {
    /// A fact about a cart.
    Cart(CartEvent),
    /// A fact about an order.
    Order(OrderEvent),
    /// A fact about a payment.
    Payment(PaymentEvent),
    /// A fact about a stock item.
    Inventory(InventoryEvent),
    /// A fact about a shipment.
    Shipment(ShipmentEvent),
    /// A fact about a product.
    Product(ProductEvent),
    /// A fact about a person's data.
    Person(PersonEvent),
    /// A fact about an inspection.
    Inspection(InspectionEvent),
}

/// A stored event cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No aggregate has this type.
    #[error("no aggregate type {0:?}")]
    UnknownAggregate(String),
    /// The payload is not an event of this aggregate.
    #[error("not an event of {aggregate}")]
    Payload {
        /// The aggregate's type.
        aggregate: &'static str,
        /// Where the payload differs.
        #[source]
        source: serde_json::Error,
    },
}

/// Every type of event, aggregate by aggregate.
pub fn event_types() -> Vec<EventType> {
    [
        ProductEvent::TYPES,
        CartEvent::TYPES,
        OrderEvent::TYPES,
        InventoryEvent::TYPES,
        PaymentEvent::TYPES,
        ShipmentEvent::TYPES,
        PersonEvent::TYPES,
        InspectionEvent::TYPES,
    ]
    .concat()
}

/// What the payload of an event of this type has under the event's name, in today's shape, as a JSON Schema (draft 2020-12)
/// without references; nothing when there is no such event.
pub fn schema(event_type: &str) -> Option<Value> {
    let known = event_types().into_iter().find(|known| known.name == event_type)?;
    let all = match known.aggregate {
        "Product" => schema_of::<ProductEvent>(),
        "Cart" => schema_of::<CartEvent>(),
        "Order" => schema_of::<OrderEvent>(),
        "Inventory" => schema_of::<InventoryEvent>(),
        "Payment" => schema_of::<PaymentEvent>(),
        "Shipment" => schema_of::<ShipmentEvent>(),
        "Person" => schema_of::<PersonEvent>(),
        _ => schema_of::<InspectionEvent>(),
    };
    let variant = event_type.strip_prefix(known.aggregate)?;
    let variants = all.get("oneOf")?.as_array()?;
    variants.iter().find_map(|one| one.pointer(&format!("/properties/{variant}"))).cloned()
}

fn schema_of<E: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<E>()
}

/// The steps from every older version of an event to today's, in the order they are to be taken in; every event has had
/// one version so far. Steps are only ever added: the log keeps what was written, and snapshots are known to be of
/// before a step by how many there were.
pub fn upcasters() -> Vec<Box<dyn EventUpcaster>> {
    Vec::new()
}

/// The fields of an event: what stands in its payload under the event's own name; all of a payload that is not of that form.
///
/// # Errors
/// When it is no JSON object.
pub fn fields(payload: &str) -> Result<&str, serde_json::Error> {
    let tagged: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(payload)?;
    let mut tagged = tagged.into_values();
    Ok(match (tagged.next(), tagged.next()) {
        (Some(fields), None) => fields.get(),
        _ => payload,
    })
}

impl DomainEvent {
    /// Reads a payload as the store keeps it, already of today's version.
    pub fn decode(aggregate_type: &str, payload: &str) -> Result<Self, DecodeError> {
        match aggregate_type {
            "Cart" => read("Cart", payload).map(Self::Cart),
            "Order" => read("Order", payload).map(Self::Order),
            "Payment" => read("Payment", payload).map(Self::Payment),
            "Inventory" => read("Inventory", payload).map(Self::Inventory),
            "Shipment" => read("Shipment", payload).map(Self::Shipment),
            "Product" => read("Product", payload).map(Self::Product),
            "Person" => read("Person", payload).map(Self::Person),
            "Inspection" => read("Inspection", payload).map(Self::Inspection),
            other => Err(DecodeError::UnknownAggregate(other.to_owned())),
        }
    }
}

fn read<'a, E: serde::Deserialize<'a>>(aggregate: &'static str, payload: &'a str) -> Result<E, DecodeError> {
    serde_json::from_str(payload).map_err(|source| DecodeError::Payload { aggregate, source })
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_event_has_a_schema_of_its_fields() {
        for known in super::event_types() {
            let schema = super::schema(known.name).expect(known.name);
            assert_eq!(schema["type"], "object", "{}: {schema}", known.name);
            assert!(!schema.to_string().contains("$ref"), "{}: {schema}", known.name);
        }
        assert_eq!(super::schema("OrderVanished"), None);
    }

    use std::collections::BTreeSet;

    use cqrs_es::Aggregate;

    use super::{DecodeError, DomainEvent, event_types};
    use crate::{cart, inspection, inventory, order, payment, person, product, shipment};

    /// Decodes the stored form of each sample of `A` and hands back what it became.
    fn decoded<A: Aggregate>(samples: Vec<A::Event>) -> Vec<(A::Event, DomainEvent)> {
        let decode = |event: A::Event| {
            let payload = serde_json::to_string(&event).expect("json");
            (event, DomainEvent::decode(A::TYPE, &payload).expect("event"))
        };
        samples.into_iter().map(decode).collect()
    }

    #[test]
    fn every_aggregates_events_read_back_as_its_own() {
        for (event, read) in decoded::<cart::Cart>(cart::samples()) {
            assert_eq!(read, DomainEvent::Cart(event));
        }
        for (event, read) in decoded::<order::Order>(order::samples()) {
            assert_eq!(read, DomainEvent::Order(event));
        }
        for (event, read) in decoded::<payment::Payment>(payment::samples()) {
            assert_eq!(read, DomainEvent::Payment(event));
        }
        for (event, read) in decoded::<inventory::Inventory>(inventory::samples()) {
            assert_eq!(read, DomainEvent::Inventory(event));
        }
        for (event, read) in decoded::<shipment::Shipment>(shipment::samples()) {
            assert_eq!(read, DomainEvent::Shipment(event));
        }
        for (event, read) in decoded::<product::Product>(product::samples()) {
            assert_eq!(read, DomainEvent::Product(event));
        }
        for (event, read) in decoded::<person::Person>(person::samples()) {
            assert_eq!(read, DomainEvent::Person(event));
        }
        for (event, read) in decoded::<inspection::Inspection>(inspection::samples()) {
            assert_eq!(read, DomainEvent::Inspection(event));
        }
    }

    #[test]
    fn no_two_types_of_event_have_one_name_and_each_says_what_it_means() {
        let types = event_types();
        let names: BTreeSet<_> = types.iter().map(|event| event.name).collect();
        assert_eq!(names.len(), types.len());
        for event in types {
            assert!(event.name.starts_with(event.aggregate), "{}", event.name);
            assert!(!event.meaning.is_empty(), "{}", event.name);
        }
    }

    #[test]
    fn what_is_no_event_is_said_to_be_none() {
        let unknown = DomainEvent::decode("Parrot", "{}").expect_err("no such aggregate");
        assert_eq!(unknown.to_string(), r#"no aggregate type "Parrot""#);
        for payload in ["", "{}", "null", r#"{"Flown":{}}"#, r#"{"Completed":{}} x"#, r#""Completed""#] {
            let error = DomainEvent::decode("Order", payload).expect_err(payload);
            assert!(matches!(error, DecodeError::Payload { aggregate: "Order", .. }), "{payload}");
        }
    }

    #[test]
    fn the_fields_are_what_stands_under_the_events_name() {
        for (payload, expected) in [
            (r#"{"Created":{"a":1}}"#, r#"{"a":1}"#),
            (r#"{ "Created" : {"a": [1, 2]} }"#, r#"{"a": [1, 2]}"#),
            (r#"{"a":1,"b":2}"#, r#"{"a":1,"b":2}"#),
            ("{}", "{}"),
        ] {
            assert_eq!(super::fields(payload).expect("JSON"), expected);
        }
    }
}
