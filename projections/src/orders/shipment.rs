//! What the events of a shipment do to the order's row.

use daybook_domain::shipment::ShipmentEvent;
use daybook_domain::{OrderId, ShipmentId};

use super::row::{OrderRow, OrderShipment, ShipmentStatus};
use crate::runtime::{Envelope, FoldError};

/// The order that the shipment is of.
pub(super) const fn order_of(event: &ShipmentEvent) -> OrderId {
    match event {
        ShipmentEvent::Opened { order_id, .. }
        | ShipmentEvent::Packed { order_id, .. }
        | ShipmentEvent::Dispatched { order_id, .. }
        | ShipmentEvent::CarrierReported { order_id, .. }
        | ShipmentEvent::Delivered { order_id, .. }
        | ShipmentEvent::Failed { order_id, .. }
        | ShipmentEvent::Cancelled { order_id } => *order_id,
    }
}

pub(super) fn find(row: &mut OrderRow, id: ShipmentId) -> Result<&mut OrderShipment, FoldError> {
    row.shipments.iter_mut().find(|parcel| parcel.shipment_id == id).ok_or(FoldError::Unknown("shipment"))
}

pub(super) fn fold(row: &mut OrderRow, happened: &ShipmentEvent, event: &Envelope) -> Result<(), FoldError> {
    if let ShipmentEvent::Opened { shipment_id, location, lines, .. } = happened {
        row.shipments.push(OrderShipment {
            shipment_id: *shipment_id,
            location: location.clone(),
            status: ShipmentStatus::Open,
            carrier_status: None,
            lines: lines.clone(),
            carrier: None,
            tracking: None,
            dispatched_at: None,
            delivered_at: None,
        });
        return Ok(());
    }
    let id = event.aggregate_id().parse().map_err(|_| FoldError::Unknown("shipment"))?;
    let parcel = find(row, id)?;
    match happened {
        ShipmentEvent::Opened { .. } => {}
        ShipmentEvent::Packed { lines, .. } => {
            parcel.status = ShipmentStatus::Packed;
            parcel.lines.clone_from(lines);
        }
        ShipmentEvent::Dispatched { carrier, tracking, .. } => {
            parcel.status = ShipmentStatus::Dispatched;
            parcel.carrier = Some(carrier.clone());
            parcel.tracking = Some(tracking.clone());
            parcel.dispatched_at = Some(event.occurred_at());
        }
        ShipmentEvent::CarrierReported { status, .. } => {
            // The shipment has left out what was outdated.
            parcel.carrier_status = Some(*status);
        }
        ShipmentEvent::Delivered { at, .. } => {
            parcel.status = ShipmentStatus::Delivered;
            parcel.delivered_at = Some(*at);
        }
        ShipmentEvent::Failed { .. } => parcel.status = ShipmentStatus::Failed,
        ShipmentEvent::Cancelled { .. } => parcel.status = ShipmentStatus::Cancelled,
    }
    Ok(())
}
