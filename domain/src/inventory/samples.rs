//! One event of each kind, always the same: for golden files and the event catalogue.

use super::{AdjustmentReason, InventoryEvent, StockItem};
use crate::kernel::{CodeError, LocationCode, OrderId, Quantity, ReturnId, ShipmentId, VariantId, sample};

/// One or more events of every type.
pub fn samples() -> Vec<InventoryEvent> {
    build().unwrap_or_default()
}

fn build() -> Result<Vec<InventoryEvent>, CodeError> {
    let variant_id = VariantId::new(sample::id(0x11));
    let item = || Ok(StockItem { variant_id, location: LocationCode::try_new("LON")? });
    let order_id = OrderId::new(sample::id(0x21));
    let (two, five) = (sample::quantity(2), sample::quantity(5));
    let expires_at = sample::moment(900);
    Ok(vec![
        InventoryEvent::Received { item: item()?, quantity: five, reference: "PO-1042".to_owned() },
        InventoryEvent::Adjusted {
            item: item()?,
            delta: -1,
            reason: AdjustmentReason::Damaged,
            note: "dropped in aisle 4".to_owned(),
        },
        InventoryEvent::SafetyStockSet { item: item()?, quantity: 1 },
        InventoryEvent::Reserved { item: item()?, order_id, quantity: two, expires_at },
        InventoryEvent::ReservationExpired { item: item()?, order_id, quantity: two },
        InventoryEvent::Allocated { item: item()?, order_id, quantity: two, from_reservation: true },
        InventoryEvent::Released { item: item()?, order_id, reserved: 0, allocated: 2 },
        InventoryEvent::Shipped {
            item: item()?,
            order_id,
            shipment_id: ShipmentId::new(sample::id(0x31)),
            quantity: Quantity::ONE,
        },
        InventoryEvent::Returned {
            item: item()?,
            order_id,
            return_id: ReturnId::new(sample::id(0x41)),
            quantity: Quantity::ONE,
        },
    ])
}
