//! Every event the shop knows, in one place: what there is, and reading one back from its stored payload.

use crate::cart::CartEvent;
use crate::inventory::InventoryEvent;
use crate::kernel::EventType;
use crate::order::OrderEvent;
use crate::payment::PaymentEvent;
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
    ]
    .concat()
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
            other => Err(DecodeError::UnknownAggregate(other.to_owned())),
        }
    }
}

fn read<'a, E: serde::Deserialize<'a>>(aggregate: &'static str, payload: &'a str) -> Result<E, DecodeError> {
    serde_json::from_str(payload).map_err(|source| DecodeError::Payload { aggregate, source })
}
