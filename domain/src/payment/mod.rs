//! A payment: what was asked of the gateway for an order and what it answered.

mod command;
mod event;

pub use command::PaymentCommand;
pub use event::PaymentEvent;
