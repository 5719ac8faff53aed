//! Shipments: parcels from one location to a shopper.

mod mutation;
mod view;

pub(crate) use mutation::ShipmentMutation;
pub(crate) use view::{CarrierStatus, Shipment, ShipmentLine, ShipmentStatus};
