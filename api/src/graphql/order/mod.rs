//! Orders: what was bought, and how far it is.

mod history;
mod mutation;
mod query;
mod settlement;
mod status;
mod subscription;
mod view;

pub(crate) use history::redacted;
pub(crate) use mutation::{OrderMutation, order_of};
pub(crate) use query::OrderQuery;
pub(crate) use settlement::Refund;
pub(crate) use subscription::OrderSubscription;
pub(crate) use view::{Order, linked};
