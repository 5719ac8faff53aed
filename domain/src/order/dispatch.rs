//! Letting a part of an order leave, and noting that it arrived.

use super::decide::Decision;
use super::{Order, OrderEvent, OrderRefusal, OrderStatus, Placement, ShippedLine};
use crate::kernel::{LineId, ShipmentId, already, check_line, happened, refuse};

/// The longest carrier name.
const MAX_CARRIER: usize = 64;
/// The longest tracking number.
const MAX_TRACKING: usize = 128;

impl Order {
    pub(super) fn dispatch(
        &self,
        shipment_id: ShipmentId,
        lines: Vec<ShippedLine>,
        carrier: String,
        tracking: String,
    ) -> Decision {
        let placement = self.placed()?;
        if let Some(earlier) = self.dispatches.iter().find(|one| one.shipment_id == shipment_id) {
            let refusal = OrderRefusal::ShipmentAlreadyDispatched { shipment_id };
            return if earlier.lines == lines { already() } else { refuse(refusal) };
        }
        match self.status {
            OrderStatus::Cancelled => return refuse(OrderRefusal::Cancelled),
            OrderStatus::Placed => return refuse(OrderRefusal::NotConfirmed),
            OrderStatus::Confirmed | OrderStatus::Completed => {}
        }
        check_line("carrier", &carrier, 1..=MAX_CARRIER)?;
        check_line("tracking", &tracking, 0..=MAX_TRACKING)?;
        self.check_leaving(placement, &lines)?;
        let to_capture = self.to_capture(placement, &lines)?;
        happened(OrderEvent::Dispatched { shipment_id, lines, carrier, tracking, to_capture })
    }

    pub(super) fn record_delivered(&self, shipment_id: ShipmentId) -> Decision {
        self.placed()?;
        match self.dispatches.iter().find(|one| one.shipment_id == shipment_id) {
            None => refuse(OrderRefusal::ShipmentNotFound { shipment_id }),
            Some(dispatch) if dispatch.delivered => already(),
            Some(_) => happened(OrderEvent::Delivered { shipment_id }),
        }
    }

    /// No more leaves than was ordered, which is also all that was promised: a confirmed order is covered.
    fn check_leaving(&self, placement: &Placement, leaving: &[ShippedLine]) -> Result<(), OrderRefusal> {
        if leaving.is_empty() {
            return Err(OrderRefusal::NothingToDispatch);
        }
        for line in leaving {
            let line_id = line.line_id;
            let mut lines = placement.quote.lines.iter();
            let ordered = lines
                .find(|one| one.line_id == line_id && one.variant_id == line.variant_id)
                .ok_or(OrderRefusal::LineNotFound { line_id })?;
            let left = u32::try_from(self.dispatched(line_id)).unwrap_or(u32::MAX);
            let remaining = ordered.quantity.get().saturating_sub(left);
            let asked = units_of(leaving, line_id);
            if asked > u64::from(remaining) {
                return Err(OrderRefusal::DispatchExceedsOrdered { line_id, remaining, asked });
            }
        }
        Ok(())
    }
}

/// The units of a line, which may be listed more than once.
fn units_of(lines: &[ShippedLine], line_id: LineId) -> u64 {
    let of_line = lines.iter().filter(|line| line.line_id == line_id);
    of_line.map(|line| u64::from(line.quantity.get())).sum()
}
