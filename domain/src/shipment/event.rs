//! What can have happened to a shipment.

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel::{LocationCode, OrderId, ShipmentId, Timestamp, event_types};
use crate::order::ShippedLine;

/// What a carrier says of a parcel.
///
/// Reports come twice, late and in any order. What is shown never goes back: picked up, then in transit,
/// then the attempts to deliver, then delivered or failed, which are final. The van may go out again after
/// an attempt in vain, so among the attempts the later moment counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

impl CarrierStatus {
    /// Whether this, said of the moment `at`, is further than `current`, said of the moment `since`.
    pub fn is_beyond(self, at: Timestamp, current: Self, since: Timestamp) -> bool {
        match self.stage().cmp(&current.stage()) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => self.stage() == Self::AttemptFailed.stage() && at > since,
        }
    }

    const fn stage(self) -> u8 {
        match self {
            Self::PickedUp => 1,
            Self::InTransit => 2,
            Self::OutForDelivery | Self::AttemptFailed => 3,
            Self::Delivered | Self::Failed => 4,
        }
    }
}

/// A fact about a shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

impl ShipmentEvent {
    /// The order it is about.
    pub const fn order_id(&self) -> OrderId {
        match self {
            Self::Opened { order_id, .. }
            | Self::Packed { order_id, .. }
            | Self::Dispatched { order_id, .. }
            | Self::CarrierReported { order_id, .. }
            | Self::Delivered { order_id, .. }
            | Self::Failed { order_id, .. }
            | Self::Cancelled { order_id, .. } => *order_id,
        }
    }
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
