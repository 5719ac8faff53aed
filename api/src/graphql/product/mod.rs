//! Products: what is for sale.

mod input;
mod mutation;
mod view;

pub(crate) use mutation::ProductMutation;
pub(crate) use view::Product;
