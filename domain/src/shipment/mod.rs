//! A shipment: a parcel from one location, from the shelf to the shopper's door.
//!
//! It goes from open to packed, dispatched, and delivered or failed; before it leaves it can be cancelled.
//! What the carrier says only ever moves it forward ([`CarrierStatus::is_beyond`]). It never decides whether
//! it may leave at all: that race, against a cancel, is the order's.

mod command;
mod decide;
mod event;
mod refusal;
mod samples;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::kernel::{LocationCode, OrderId, ShipmentId, Timestamp, aggregate};
use crate::order::ShippedLine;

pub use command::ShipmentCommand;
pub use event::{CarrierStatus, ShipmentEvent};
pub use refusal::ShipmentRefusal;
pub use samples::samples;

/// The most lines a shipment has.
pub const MAX_LINES: usize = 500;
/// How many of the carrier's latest reports are remembered by id.
const REMEMBERED_REPORTS: usize = 32;

/// A parcel from one location.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    id: ShipmentId,
    order_id: OrderId,
    location: Option<LocationCode>,
    status: ShipmentStatus,
    lines: Vec<ShippedLine>,
    packed: Vec<ShippedLine>,
    carrier: String,
    tracking: String,
    carrier_status: Option<CarrierStatus>,
    reported_at: Option<Timestamp>,
    reports: VecDeque<String>,
}

/// How far a shipment is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShipmentStatus {
    /// It does not exist.
    #[default]
    Unopened,
    /// It is to be packed.
    Open,
    /// It is packed and may leave.
    Packed,
    /// It has left.
    Dispatched,
    /// The shopper has it.
    Delivered,
    /// It comes back.
    Failed,
    /// It will not be sent.
    Cancelled,
}

impl Shipment {
    /// Its id; nil before it is opened.
    pub fn shipment_id(&self) -> ShipmentId {
        self.id
    }

    /// The order it is for; nil before it is opened.
    pub fn order_id(&self) -> OrderId {
        self.order_id
    }

    /// Where it leaves from; nothing before it is opened.
    pub fn location(&self) -> Option<&LocationCode> {
        self.location.as_ref()
    }

    /// How far it is.
    pub fn status(&self) -> ShipmentStatus {
        self.status
    }

    /// What is in the parcel once it is packed, and what is to be packed until then.
    pub fn lines(&self) -> &[ShippedLine] {
        if self.packed.is_empty() { &self.lines } else { &self.packed }
    }

    /// Who carries it; empty before it has left.
    pub fn carrier(&self) -> &str {
        &self.carrier
    }

    /// The carrier's number for it; empty before it has left, or when the carrier gives none.
    pub fn tracking(&self) -> &str {
        &self.tracking
    }

    /// The furthest that the carrier has reported.
    pub fn carrier_status(&self) -> Option<CarrierStatus> {
        self.carrier_status
    }

    fn evolve(&mut self, event: ShipmentEvent) {
        match event {
            ShipmentEvent::Opened { shipment_id, order_id, location, lines } => {
                self.id = shipment_id;
                self.order_id = order_id;
                self.location = Some(location);
                self.lines = lines;
                self.status = ShipmentStatus::Open;
            }
            ShipmentEvent::Packed { lines, .. } => {
                self.packed = lines;
                self.status = ShipmentStatus::Packed;
            }
            ShipmentEvent::Dispatched { carrier, tracking, .. } => {
                self.carrier = carrier;
                self.tracking = tracking;
                self.status = ShipmentStatus::Dispatched;
            }
            ShipmentEvent::CarrierReported { report_id, status, at, .. } => {
                self.carrier_status = Some(status);
                self.reported_at = Some(at);
                self.reports.push_back(report_id);
                if self.reports.len() > REMEMBERED_REPORTS {
                    self.reports.pop_front();
                }
            }
            ShipmentEvent::Delivered { .. } => self.status = ShipmentStatus::Delivered,
            ShipmentEvent::Failed { .. } => self.status = ShipmentStatus::Failed,
            ShipmentEvent::Cancelled { .. } => self.status = ShipmentStatus::Cancelled,
        }
    }
}

aggregate!(Shipment, "Shipment", ShipmentCommand, ShipmentEvent, ShipmentRefusal);
