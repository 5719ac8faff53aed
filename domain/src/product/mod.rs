//! A product: what is for sale, in which variants and at what prices.

mod command;
mod event;

pub use command::ProductCommand;
pub use event::{ProductEvent, ProductOption, Variant};
