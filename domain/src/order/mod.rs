//! An order: what was bought, and how far it is. The order decides between a cancel and a dispatch.

mod command;
mod event;

pub use command::OrderCommand;
pub use event::{CancelReason, OrderEvent, ShippedLine, StockHold};
