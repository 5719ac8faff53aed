//! Payments: what is held, taken and paid back for an order.

mod mutation;
mod view;

pub(crate) use mutation::PaymentMutation;
pub(crate) use view::Payment;
