//! A shipment: a parcel from one location, from the shelf to the shopper's door.

mod command;
mod event;

pub use command::ShipmentCommand;
pub use event::{CarrierStatus, ShipmentEvent};
