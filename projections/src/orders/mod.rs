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
    Progress, Refund, ShipmentStatus,
};

/// The read model of orders.
pub struct Orders;
