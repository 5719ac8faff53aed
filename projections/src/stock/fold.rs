//! What each event of a stock item does to its level.

use daybook_domain::catalogue::DomainEvent;
use daybook_domain::inventory::{InventoryEvent, StockItem};
use daybook_domain::{LocationCode, VariantId};
use serde::{Deserialize, Serialize};

use super::Stock;
use crate::runtime::{Envelope, FoldError, ReadModel};

/// How many units of a variant there are at a location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockLevel {
    /// The variant.
    pub variant_id: VariantId,
    /// Where.
    pub location: LocationCode,
    /// In the building.
    pub on_hand: i64,
    /// Held for a time.
    pub reserved: i64,
    /// Promised, and not yet gone.
    pub committed: i64,
    /// Kept back from sale.
    pub safety_stock: i64,
}

impl StockLevel {
    fn empty(item: StockItem) -> Self {
        let StockItem { variant_id, location } = item;
        Self { variant_id, location, on_hand: 0, reserved: 0, committed: 0, safety_stock: 0 }
    }

    /// How many can be had: never below zero, never more than can be shipped.
    pub const fn available(&self) -> i64 {
        let free = self.on_hand - self.committed - self.reserved - self.safety_stock;
        if free > 0 { free } else { 0 }
    }

    fn after(mut self, event: &InventoryEvent) -> Self {
        match event {
            InventoryEvent::Received { quantity, .. } | InventoryEvent::Returned { quantity, .. } => {
                self.on_hand += quantity.count();
            }
            InventoryEvent::Adjusted { delta, .. } => self.on_hand += delta,
            InventoryEvent::SafetyStockSet { quantity, .. } => self.safety_stock = i64::from(*quantity),
            InventoryEvent::Reserved { quantity, .. } => self.reserved += quantity.count(),
            InventoryEvent::ReservationExpired { quantity, .. } => self.reserved -= quantity.count(),
            InventoryEvent::Allocated { quantity, from_reservation, .. } => {
                self.committed += quantity.count();
                self.reserved -= if *from_reservation { quantity.count() } else { 0 };
            }
            InventoryEvent::Released { reserved, allocated, .. } => {
                self.reserved -= i64::from(*reserved);
                self.committed -= i64::from(*allocated);
            }
            InventoryEvent::Shipped { quantity, .. } => {
                self.on_hand -= quantity.count();
                self.committed -= quantity.count();
            }
        }
        self
    }
}

/// The level after the event.
pub(super) fn level(level: Option<StockLevel>, event: &InventoryEvent) -> StockLevel {
    level.unwrap_or_else(|| StockLevel::empty(item(event).clone())).after(event)
}

/// The stock item that the event is about.
pub(super) const fn item(event: &InventoryEvent) -> &StockItem {
    match event {
        InventoryEvent::Received { item, .. }
        | InventoryEvent::Adjusted { item, .. }
        | InventoryEvent::SafetyStockSet { item, .. }
        | InventoryEvent::Reserved { item, .. }
        | InventoryEvent::ReservationExpired { item, .. }
        | InventoryEvent::Allocated { item, .. }
        | InventoryEvent::Released { item, .. }
        | InventoryEvent::Shipped { item, .. }
        | InventoryEvent::Returned { item, .. } => item,
    }
}

impl ReadModel for Stock {
    type Row = StockLevel;
    const SOURCES: &'static [&'static str] = &["Inventory"];
    const REVISION: i32 = 1;

    fn key(event: &Envelope) -> Option<String> {
        Some(event.aggregate_id().to_owned())
    }

    fn fold(row: Option<StockLevel>, event: &Envelope) -> Result<Option<StockLevel>, FoldError> {
        let DomainEvent::Inventory(happened) = &event.event else { return Ok(row) };
        Ok(Some(level(row, happened)))
    }
}
