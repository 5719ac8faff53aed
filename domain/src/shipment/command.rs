//! What can be asked of a shipment.

use super::event::CarrierStatus;
use crate::kernel::{LocationCode, OrderId, ShipmentId, Timestamp};
use crate::order::ShippedLine;

/// A request to a shipment.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields' meaning is their name")]
pub enum ShipmentCommand {
    /// Have a location send these lines.
    Open { shipment_id: ShipmentId, order_id: OrderId, location: LocationCode, lines: Vec<ShippedLine> },
    /// Put lines into the parcel; `None` is all of them.
    Pack { lines: Option<Vec<ShippedLine>> },
    /// Send it off.
    Dispatch { carrier: String, tracking: String },
    /// Note what the carrier said; a repeated or outdated report changes nothing.
    RecordCarrierReport { report_id: String, status: CarrierStatus, at: Timestamp },
    /// Do not send it.
    Cancel,
}
