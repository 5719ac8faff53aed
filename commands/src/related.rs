//! Ids that follow from other ids, so that a step that runs again names the same things.

use daybook_domain::{LocationCode, OrderId, PaymentId, ShipmentId};

/// An order's payment.
pub fn payment_of(order_id: OrderId) -> PaymentId {
    PaymentId::derived(order_id.uuid(), "payment")
}

/// The shipment that a location first opens for an order.
pub fn shipment_of(order_id: OrderId, location: &LocationCode) -> ShipmentId {
    ShipmentId::derived(order_id.uuid(), location.as_str())
}

/// The shipment that carries what was not packed into this one.
pub fn rest_of(shipment_id: ShipmentId) -> ShipmentId {
    ShipmentId::derived(shipment_id.uuid(), "rest")
}
