//! Carts: what a shopper means to buy.

mod input;
mod mutation;
mod query;
mod view;

pub(crate) use mutation::CartMutation;
pub(crate) use query::CartQuery;
pub(crate) use view::Cart;
