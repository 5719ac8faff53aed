//! A cart: what a shopper means to buy, at prices that are honoured for a time.

mod command;
mod event;

pub use command::CartCommand;
pub use event::{CartEvent, CartLine};
