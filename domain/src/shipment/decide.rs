//! What a shipment lets happen.

use super::{
    CarrierStatus, MAX_LINES, Shipment, ShipmentCommand, ShipmentEvent, ShipmentRefusal, ShipmentStatus,
};
use crate::kernel::{
    self, LocationCode, OrderId, ShipmentId, Timestamp, already, check_line, happened, refuse,
};
use crate::order::ShippedLine;

type Decision = kernel::Decision<ShipmentEvent, ShipmentRefusal>;

/// The longest carrier name.
const MAX_CARRIER: usize = 64;
/// The longest tracking number.
const MAX_TRACKING: usize = 128;
/// The longest id of a carrier's report.
const MAX_REPORT_ID: usize = 128;

impl Shipment {
    /// What happens when `command` is asked of it.
    pub fn decide(&self, command: ShipmentCommand) -> Decision {
        match command {
            ShipmentCommand::Open { shipment_id, order_id, location, lines } => {
                self.open(shipment_id, order_id, location, &lines)
            }
            ShipmentCommand::Pack { lines } => self.pack(lines.as_deref()),
            ShipmentCommand::Dispatch { carrier, tracking } => self.dispatch(carrier, tracking),
            ShipmentCommand::RecordCarrierReport { report_id, status, at } => {
                self.record_report(report_id, status, at)
            }
            ShipmentCommand::Cancel => self.cancel(),
        }
    }

    /// Whether it may leave like this, or has left like this already. Ask before the order is told to let it
    /// leave, so that the order never lets go what is not packed.
    pub fn check_dispatch(&self, carrier: &str, tracking: &str) -> Result<(), ShipmentRefusal> {
        check_line("carrier", carrier, 1..=MAX_CARRIER)?;
        check_line("tracking", tracking, 0..=MAX_TRACKING)?;
        match self.status {
            ShipmentStatus::Unopened => Err(ShipmentRefusal::NotFound),
            ShipmentStatus::Open => Err(ShipmentRefusal::NotPacked),
            ShipmentStatus::Cancelled => Err(ShipmentRefusal::Cancelled),
            ShipmentStatus::Packed => Ok(()),
            ShipmentStatus::Dispatched | ShipmentStatus::Delivered | ShipmentStatus::Failed => {
                let same = self.carrier == carrier && self.tracking == tracking;
                if same { Ok(()) } else { Err(ShipmentRefusal::AlreadyDispatched) }
            }
        }
    }

    fn open(
        &self,
        shipment_id: ShipmentId,
        order_id: OrderId,
        location: LocationCode,
        lines: &[ShippedLine],
    ) -> Decision {
        let lines = summed(lines)?;
        if self.status == ShipmentStatus::Unopened {
            return happened(ShipmentEvent::Opened { shipment_id, order_id, location, lines });
        }
        let same = self.id == shipment_id
            && self.order_id == order_id
            && self.location.as_ref() == Some(&location)
            && self.lines == lines;
        if same { already() } else { refuse(ShipmentRefusal::AlreadyExists) }
    }

    fn pack(&self, lines: Option<&[ShippedLine]>) -> Decision {
        let lines = match lines {
            Some(lines) => summed(lines)?,
            None => self.lines.clone(),
        };
        match self.status {
            ShipmentStatus::Unopened => refuse(ShipmentRefusal::NotFound),
            ShipmentStatus::Cancelled => refuse(ShipmentRefusal::Cancelled),
            ShipmentStatus::Open => {
                let remaining = self.remaining_after(&lines)?;
                happened(ShipmentEvent::Packed { order_id: self.order_id, lines, remaining })
            }
            ShipmentStatus::Packed
            | ShipmentStatus::Dispatched
            | ShipmentStatus::Delivered
            | ShipmentStatus::Failed => {
                if lines == self.packed {
                    already()
                } else {
                    refuse(ShipmentRefusal::AlreadyPacked)
                }
            }
        }
    }

    fn dispatch(&self, carrier: String, tracking: String) -> Decision {
        self.check_dispatch(&carrier, &tracking)?;
        if self.status != ShipmentStatus::Packed {
            return already();
        }
        happened(ShipmentEvent::Dispatched { order_id: self.order_id, carrier, tracking })
    }

    fn record_report(&self, report_id: String, status: CarrierStatus, at: Timestamp) -> Decision {
        check_line("report id", &report_id, 1..=MAX_REPORT_ID)?;
        match self.status {
            ShipmentStatus::Unopened => return refuse(ShipmentRefusal::NotFound),
            ShipmentStatus::Open | ShipmentStatus::Packed | ShipmentStatus::Cancelled => {
                return refuse(ShipmentRefusal::NotDispatched);
            }
            ShipmentStatus::Delivered | ShipmentStatus::Failed => return already(),
            ShipmentStatus::Dispatched => {}
        }
        let outdated = match (self.carrier_status, self.reported_at) {
            (Some(current), Some(since)) => !status.is_beyond(at, current, since),
            _ => false,
        };
        if outdated || self.reports.contains(&report_id) {
            return already();
        }
        let order_id = self.order_id;
        let end = match status {
            CarrierStatus::Delivered => Some(ShipmentEvent::Delivered { order_id, at }),
            CarrierStatus::Failed => Some(ShipmentEvent::Failed { order_id, at }),
            CarrierStatus::PickedUp
            | CarrierStatus::InTransit
            | CarrierStatus::OutForDelivery
            | CarrierStatus::AttemptFailed => None,
        };
        let reported = ShipmentEvent::CarrierReported { order_id, report_id, status, at };
        Ok(std::iter::once(reported).chain(end).collect())
    }

    fn cancel(&self) -> Decision {
        match self.status {
            ShipmentStatus::Unopened => refuse(ShipmentRefusal::NotFound),
            ShipmentStatus::Cancelled => already(),
            ShipmentStatus::Open | ShipmentStatus::Packed => {
                happened(ShipmentEvent::Cancelled { order_id: self.order_id })
            }
            ShipmentStatus::Dispatched | ShipmentStatus::Delivered | ShipmentStatus::Failed => {
                refuse(ShipmentRefusal::AlreadyDispatched)
            }
        }
    }

    /// What of the shipment's lines is left when `packed` is in the parcel.
    fn remaining_after(&self, packed: &[ShippedLine]) -> Result<Vec<ShippedLine>, ShipmentRefusal> {
        for line in packed {
            let ours = self.lines.iter().find(|ours| same_line(ours, line));
            let line_id = line.line_id;
            let ours = ours.ok_or(ShipmentRefusal::LineNotInShipment { line_id })?;
            if line.quantity > ours.quantity {
                let quantity = ours.quantity.get();
                return Err(ShipmentRefusal::QuantityExceedsLine { line_id, quantity });
            }
        }
        let left = |ours: &ShippedLine| match packed.iter().find(|line| same_line(ours, line)) {
            Some(line) => ours.quantity.checked_sub(line.quantity),
            None => Some(ours.quantity),
        };
        Ok(self
            .lines
            .iter()
            .filter_map(|ours| Some(ShippedLine { quantity: left(ours)?, ..*ours }))
            .collect())
    }
}

/// The lines with those listed twice put together, in the order of their first mention.
fn summed(lines: &[ShippedLine]) -> Result<Vec<ShippedLine>, ShipmentRefusal> {
    if lines.is_empty() {
        return Err(ShipmentRefusal::NoLines);
    }
    if lines.len() > MAX_LINES {
        return Err(ShipmentRefusal::TooManyLines { given: lines.len() });
    }
    let mut sums: Vec<ShippedLine> = Vec::with_capacity(lines.len());
    for line in lines {
        match sums.iter_mut().find(|sum| same_line(sum, line)) {
            Some(sum) => sum.quantity = sum.quantity.checked_add(line.quantity)?,
            None => sums.push(*line),
        }
    }
    Ok(sums)
}

fn same_line(left: &ShippedLine, right: &ShippedLine) -> bool {
    left.line_id == right.line_id && left.variant_id == right.variant_id
}
