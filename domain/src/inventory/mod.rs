//! Stock of one variant at one location. `available = on_hand − committed − reserved − safety_stock`.

mod command;
mod event;

pub use command::InventoryCommand;
pub use event::{AdjustmentReason, InventoryEvent, StockItem};
