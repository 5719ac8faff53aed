//! Stock: what is on hand where, and the operations of the warehouse.

mod mutation;
mod view;

pub(crate) use mutation::StockMutation;
pub(crate) use view::StockLevel;
