//! Carts: what a shopper means to buy.

mod input;
mod mutation;
mod view;

pub(crate) use mutation::CartMutation;
pub(crate) use view::Cart;
