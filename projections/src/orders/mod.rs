//! Orders as clients see them: the order with its payment and its shipments in one row, and its history event by event.

mod fold;
mod payment;
pub mod query;
mod row;
mod shipment;
mod table;
#[cfg(test)]
mod tests;

pub use row::{
    Capture, FulfilmentStatus, OrderLine, OrderRow, OrderShipment, OrderStatus, PaymentStatus, PaymentView,
    Progress, Refund, ShipmentStatus, Void,
};

use daybook_eventstore::{RecordedEvent, Upcasters};

use crate::runtime::{ReadModel, decode};

/// The read model of orders.
pub struct Orders;

/// The order that an event of the log belongs to: its own events, its payment's and its parcels'.
pub fn order_of(event: &RecordedEvent, upcasters: &Upcasters) -> Option<String> {
    if !Orders::SOURCES.contains(&event.aggregate_type.as_str()) {
        return None;
    }
    match decode(event, upcasters) {
        Ok(happened) => fold::order_of(&happened, &event.aggregate_id),
        Err(_) => Some(Orders::key_of_unreadable(event)),
    }
}
