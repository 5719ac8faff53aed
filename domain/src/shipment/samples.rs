//! One event of each kind, always the same: for golden files and the event catalogue.

use super::{CarrierStatus, ShipmentEvent};
use crate::kernel::{CodeError, LineId, LocationCode, OrderId, ShipmentId, VariantId, sample};
use crate::order::ShippedLine;

/// One or more events of every type.
pub fn samples() -> Vec<ShipmentEvent> {
    build().unwrap_or_default()
}

fn build() -> Result<Vec<ShipmentEvent>, CodeError> {
    let order_id = OrderId::new(sample::id(0x21));
    let at = sample::moment(86_400);
    let line = |count| ShippedLine {
        line_id: LineId::new(sample::id(0x22)),
        variant_id: VariantId::new(sample::id(0x11)),
        quantity: sample::quantity(count),
    };
    Ok(vec![
        ShipmentEvent::Opened {
            shipment_id: ShipmentId::new(sample::id(0x31)),
            order_id,
            location: LocationCode::try_new("LON")?,
            lines: vec![line(3)],
        },
        ShipmentEvent::Packed { order_id, lines: vec![line(2)], remaining: vec![line(1)] },
        ShipmentEvent::Dispatched {
            order_id,
            carrier: "Royal Mail".to_owned(),
            tracking: "RM123456789GB".to_owned(),
        },
        ShipmentEvent::CarrierReported {
            order_id,
            report_id: "rm-0007".to_owned(),
            status: CarrierStatus::Delivered,
            at,
        },
        ShipmentEvent::Delivered { order_id, at },
        ShipmentEvent::Failed { order_id, at },
        ShipmentEvent::Cancelled { order_id },
    ])
}
