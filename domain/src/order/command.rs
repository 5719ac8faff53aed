//! What can be asked of an order.

use super::ReturnedUnits;
use super::event::{CancelReason, ShippedLine, StockHold};
use crate::kernel::{CartId, CustomerId, Money, OrderId, Sealed, ShipmentId};
use crate::pricing::Quote;

/// A request to an order.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields' meaning is their name")]
#[expect(clippy::large_enum_variant, reason = "every order has the large one, and it moves once")]
pub enum OrderCommand {
    /// Place it from a submitted cart.
    Place {
        order_id: OrderId,
        cart_id: CartId,
        customer_id: Option<CustomerId>,
        contact: Sealed,
        address: Sealed,
        quote: Quote,
        payment_token: String,
    },
    /// Note that every line's stock is held.
    RecordReserved { holds: Vec<StockHold> },
    /// Promise it: the money is authorised and the stock allocated.
    Confirm { allocations: Vec<StockHold> },
    /// Cancel it. `holds` are those not yet noted in the order; `note` is what staff say about why.
    Cancel { reason: CancelReason, holds: Vec<StockHold>, note: Option<Sealed> },
    /// Let a shipment leave. The order is where a cancel and a dispatch race: one of them wins here.
    Dispatch { shipment_id: ShipmentId, lines: Vec<ShippedLine>, carrier: String, tracking: String },
    /// Note that a shipment reached the shopper.
    RecordDelivered { shipment_id: ShipmentId },
    /// Note that units came back; at most as many of a variant as left.
    TakeBack { units: ReturnedUnits },
    /// Close it when all is delivered and `captured` is the whole total; not yet so is no error.
    Complete { captured: Money },
}
