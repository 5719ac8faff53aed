//! What can have happened to a shipment.

use serde::{Deserialize, Serialize};

use crate::kernel::{LocationCode, OrderId, ShipmentId, Timestamp, event_types};
use crate::order::ShippedLine;

/// How far a parcel is, in order: it never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CarrierStatus {
    /// The carrier has it.
    PickedUp,
    /// It travels.
    InTransit,
    /// It is on the van.
    OutForDelivery,
    /// The carrier tried in vain, and will try again.
    AttemptFailed,
    /// The shopper has it.
    Delivered,
    /// It comes back.
    Failed,
}

/// A fact about a shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields' meaning is their name; the catalogue says each event's")]
pub enum ShipmentEvent {
    Opened { shipment_id: ShipmentId, order_id: OrderId, location: LocationCode, lines: Vec<ShippedLine> },
    Packed { order_id: OrderId, lines: Vec<ShippedLine>, remaining: Vec<ShippedLine> },
    Dispatched { order_id: OrderId, carrier: String, tracking: String },
    CarrierReported { order_id: OrderId, report_id: String, status: CarrierStatus, at: Timestamp },
    Delivered { order_id: OrderId, at: Timestamp },
    Failed { order_id: OrderId, at: Timestamp },
    Cancelled { order_id: OrderId },
}

event_types!(ShipmentEvent, "Shipment", {
    Opened = "1": "a location is to send these lines",
    Packed = "1": "these lines are in the parcel; the remaining ones go with another shipment",
    Dispatched = "1": "the parcel left",
    CarrierReported = "1": "the carrier said how far it is",
    Delivered = "1": "the shopper has it",
    Failed = "1": "it could not be delivered and comes back",
    Cancelled = "1": "it will not be sent",
});
