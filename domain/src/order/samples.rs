//! One event of each kind, always the same: for golden files and the event catalogue.

use super::{CancelReason, OrderEvent, ShippedLine, StockHold};
use crate::inventory::StockItem;
use crate::kernel::{
    CartId, CodeError, CustomerId, LineId, LocationCode, Money, OrderId, Quantity, ReturnId, ShipmentId,
    VariantId, sample,
};
use crate::pricing::samples as pricing;

/// One or more events of every type.
pub fn samples() -> Vec<OrderEvent> {
    build().unwrap_or_default()
}

fn build() -> Result<Vec<OrderEvent>, CodeError> {
    let variant_id = VariantId::new(sample::id(0x11));
    let item = StockItem { variant_id, location: LocationCode::try_new("LON")? };
    let two = sample::quantity(2);
    let holds = vec![StockHold { item, quantity: two }];
    let shipment_id = ShipmentId::new(sample::id(0x31));
    Ok(vec![
        OrderEvent::Placed {
            order_id: OrderId::new(sample::id(0x21)),
            cart_id: CartId::new(sample::id(0x51)),
            customer_id: Some(CustomerId::new(sample::id(0x71))),
            contact: pricing::sealed("Y29udGFjdA"),
            address: pricing::sealed("YWRkcmVzcw"),
            quote: pricing::quote()?,
            payment_token: "card_approved".to_owned(),
        },
        OrderEvent::StockReserved { holds: holds.clone() },
        OrderEvent::Confirmed { allocations: holds.clone() },
        OrderEvent::Cancelled { reason: CancelReason::PaymentDeclined, holds: holds.clone(), note: None },
        OrderEvent::Cancelled { reason: CancelReason::Fraud, holds, note: Some(pricing::sealed("bm90ZQ")) },
        OrderEvent::Dispatched {
            shipment_id,
            lines: vec![ShippedLine { line_id: LineId::new(sample::id(0x61)), variant_id, quantity: two }],
            carrier: "Royal Mail".to_owned(),
            tracking: "RM123456785GB".to_owned(),
            to_capture: Money::new(3_468, pricing::CURRENCY),
        },
        OrderEvent::Delivered { shipment_id },
        OrderEvent::Returned {
            return_id: ReturnId::new(sample::id(0x41)),
            variant_id,
            quantity: Quantity::ONE,
        },
        OrderEvent::Completed {},
    ])
}
