//! What can have happened to a stock item at a location.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel::{
    IdError, LocationCode, OrderId, Quantity, ReturnId, ShipmentId, Timestamp, VariantId, event_types,
};

/// A variant at a location: one stream of stock. Its text, `variant_location`, is the aggregate's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct StockItem {
    /// What is held.
    pub variant_id: VariantId,
    /// Where.
    pub location: LocationCode,
}

impl fmt::Display for StockItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.variant_id, self.location)
    }
}

impl FromStr for StockItem {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (variant, location) = text.split_once('_').ok_or(IdError)?;
        Ok(Self { variant_id: variant.parse()?, location: location.parse().map_err(|_| IdError)? })
    }
}

/// Why stock was corrected by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdjustmentReason {
    /// A count found another number.
    Counted,
    /// Broken or spoiled.
    Damaged,
    /// Gone.
    Lost,
    /// Found again.
    Found,
    /// Anything else; the note says what.
    Other,
}

/// A fact about a stock item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the fields' meaning is their name; the catalogue says each event's")]
pub enum InventoryEvent {
    Received { item: StockItem, quantity: Quantity, reference: String },
    Adjusted { item: StockItem, delta: i64, reason: AdjustmentReason, note: String },
    SafetyStockSet { item: StockItem, quantity: u32 },
    Reserved { item: StockItem, order_id: OrderId, quantity: Quantity, expires_at: Timestamp },
    ReservationExpired { item: StockItem, order_id: OrderId, quantity: Quantity },
    Allocated { item: StockItem, order_id: OrderId, quantity: Quantity, from_reservation: bool },
    Released { item: StockItem, order_id: OrderId, reserved: u32, allocated: u32 },
    Shipped { item: StockItem, order_id: OrderId, shipment_id: ShipmentId, quantity: Quantity },
    Returned { item: StockItem, order_id: OrderId, return_id: ReturnId, quantity: Quantity },
}

event_types!(InventoryEvent, "Inventory", {
    Received = "1": "units arrived and are on hand",
    Adjusted = "1": "the number on hand was corrected by hand",
    SafetyStockSet = "1": "this many units are kept back from sale",
    Reserved = "1": "units are held for an order until a time",
    ReservationExpired = "1": "a hold ran out, and its units are free",
    Allocated = "1": "units are promised to an order",
    Released = "1": "an order's hold or promise was given back",
    Shipped = "1": "promised units left the building",
    Returned = "1": "units came back and are on hand",
});
