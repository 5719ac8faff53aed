//! Stock of one variant at one location. `available = on_hand − committed − reserved − safety_stock`.
//!
//! A *reservation* is a timed hold, an *allocation* a promise to a placed order. The stream begins with the
//! first goods, correction or safety stock; a stock item nobody has touched is simply out of stock. It never
//! knows about other locations: which one serves an order is decided in [`crate::sourcing`].

mod command;
mod decide;
mod event;
mod refusal;
mod samples;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::kernel::{OrderId, Quantity, ReturnId, ShipmentId, Timestamp, aggregate};

pub use command::InventoryCommand;
pub use event::{AdjustmentReason, InventoryEvent, StockItem};
pub use refusal::InventoryRefusal;
pub use samples::samples;

/// The most units one correction moves, up or down.
pub const MAX_ADJUSTMENT: i64 = 1_000_000;
/// The most units kept back from sale.
pub const MAX_SAFETY_STOCK: u32 = 1_000_000;
/// The most units on hand: far from what a sum could overflow at, and within a GraphQL `Int`.
pub const MAX_ON_HAND: i64 = 1_000_000_000;
/// How many of the latest returns are remembered by id, so that one told twice counts once.
const REMEMBERED_RETURNS: usize = 64;

/// Stock of one variant at one location.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    item: Option<StockItem>,
    on_hand: i64,
    safety_stock: u32,
    /// The sum of all reservations, kept so that a decision never walks the claims.
    reserved: i64,
    /// The sum of all that is promised and still here.
    committed: i64,
    claims: BTreeMap<OrderId, Claim>,
    returns: VecDeque<ReturnId>,
}

/// What one order has of a stock item: a hold, or a promise. It goes when the hold ends, and when the last
/// promised unit has left or was given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// A timed hold.
    Reserved {
        /// How many units.
        quantity: Quantity,
        /// Until when.
        expires_at: Timestamp,
    },
    /// A promise.
    Allocated {
        /// How many units were promised.
        quantity: Quantity,
        /// How many of them are still here.
        outstanding: u32,
        /// What each shipment took.
        shipments: BTreeMap<ShipmentId, Quantity>,
    },
}

impl Inventory {
    /// What it is stock of, and where; nothing before the first goods.
    pub fn item(&self) -> Option<&StockItem> {
        self.item.as_ref()
    }

    /// How many units are in the building.
    pub fn on_hand(&self) -> i64 {
        self.on_hand
    }

    /// How many are kept back from sale.
    pub fn safety_stock(&self) -> u32 {
        self.safety_stock
    }

    /// How many are held for a time.
    pub fn reserved(&self) -> i64 {
        self.reserved
    }

    /// How many are promised and have not left.
    pub fn committed(&self) -> i64 {
        self.committed
    }

    /// How many can be held or promised now: never below zero, never more than can be shipped.
    pub fn available(&self) -> i64 {
        self.free().saturating_sub(i64::from(self.safety_stock)).max(0)
    }

    /// What an order has of it.
    pub fn claim(&self, order_id: OrderId) -> Option<&Claim> {
        self.claims.get(&order_id)
    }

    /// How many units are neither held nor promised, safety stock included.
    fn free(&self) -> i64 {
        self.on_hand - self.committed - self.reserved
    }

    fn evolve(&mut self, event: InventoryEvent) {
        match event {
            InventoryEvent::Received { item, quantity, .. } => {
                self.item = Some(item);
                self.on_hand += quantity.count();
            }
            InventoryEvent::Adjusted { item, delta, .. } => {
                self.item = Some(item);
                self.on_hand += delta;
            }
            InventoryEvent::SafetyStockSet { item, quantity } => {
                self.item = Some(item);
                self.safety_stock = quantity;
            }
            InventoryEvent::Reserved { order_id, quantity, expires_at, .. } => {
                self.reserved += quantity.count();
                self.claims.insert(order_id, Claim::Reserved { quantity, expires_at });
            }
            InventoryEvent::ReservationExpired { order_id, quantity, .. } => {
                self.reserved -= quantity.count();
                self.claims.remove(&order_id);
            }
            InventoryEvent::Allocated { order_id, quantity, from_reservation, .. } => {
                self.committed += quantity.count();
                self.reserved -= if from_reservation { quantity.count() } else { 0 };
                let promise =
                    Claim::Allocated { quantity, outstanding: quantity.get(), shipments: BTreeMap::new() };
                self.claims.insert(order_id, promise);
            }
            InventoryEvent::Released { order_id, reserved, allocated, .. } => {
                self.reserved -= i64::from(reserved);
                self.committed -= i64::from(allocated);
                self.claims.remove(&order_id);
            }
            InventoryEvent::Shipped { order_id, shipment_id, quantity, .. } => {
                self.on_hand -= quantity.count();
                self.committed -= quantity.count();
                self.note_shipped(order_id, shipment_id, quantity);
            }
            InventoryEvent::Returned { item, return_id, quantity, .. } => {
                self.item = Some(item);
                self.on_hand += quantity.count();
                self.returns.push_back(return_id);
                if self.returns.len() > REMEMBERED_RETURNS {
                    self.returns.pop_front();
                }
            }
        }
    }

    fn note_shipped(&mut self, order_id: OrderId, shipment_id: ShipmentId, quantity: Quantity) {
        if let Some(Claim::Allocated { outstanding, shipments, .. }) = self.claims.get_mut(&order_id) {
            *outstanding = outstanding.saturating_sub(quantity.get());
            shipments.insert(shipment_id, quantity);
            if *outstanding == 0 {
                self.claims.remove(&order_id);
            }
        }
    }
}

aggregate!(Inventory, "Inventory", InventoryCommand, InventoryEvent, InventoryRefusal);
