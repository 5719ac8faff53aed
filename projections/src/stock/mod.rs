//! Stock as clients see it: how many of each variant there are at each location, and how many can be had.

mod by_variant;
mod fold;
pub mod query;
mod table;
#[cfg(test)]
mod tests;

pub use by_variant::{StockByVariant, VariantStock};
pub use fold::StockLevel;

/// The read model of stock, by variant and location.
pub struct Stock;
