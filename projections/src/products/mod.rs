//! Products as clients see them: the aggregate's own state, to be filtered, sorted, counted and looked up.

pub mod facet;
mod fold;
pub mod query;
mod table;
#[cfg(test)]
mod tests;

pub use fold::ProductRow;

/// The read model of products.
pub struct Products;
