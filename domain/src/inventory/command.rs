//! What can be asked of a stock item at a location.

use super::event::{AdjustmentReason, StockItem};
use crate::kernel::{OrderId, Quantity, ReturnId, ShipmentId, Timestamp};

/// A request to a stock item. Each names the item, since the first request makes it.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields' meaning is their name")]
pub enum InventoryCommand {
    /// Take in units.
    Receive { item: StockItem, quantity: Quantity, reference: String },
    /// Correct the number on hand; never below what is held and promised.
    Adjust { item: StockItem, delta: i64, reason: AdjustmentReason, note: String },
    /// Keep this many units back from sale.
    SetSafetyStock { item: StockItem, quantity: u32 },
    /// Hold units for an order until `expires_at`; once per order.
    Reserve { item: StockItem, order_id: OrderId, quantity: Quantity, expires_at: Timestamp },
    /// Let an order's hold run out, when `at` is not before its end.
    Expire { item: StockItem, order_id: OrderId, at: Timestamp },
    /// Promise units to an order: those held for it, or (when the hold ran out) free ones.
    Allocate { item: StockItem, order_id: OrderId, quantity: Quantity },
    /// Give back an order's hold and promise.
    Release { item: StockItem, order_id: OrderId },
    /// Send promised units off.
    Ship { item: StockItem, order_id: OrderId, shipment_id: ShipmentId, quantity: Quantity },
    /// Take returned units back in.
    Return { item: StockItem, order_id: OrderId, return_id: ReturnId, quantity: Quantity },
}
