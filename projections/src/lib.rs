//! The read models: each with its writes and its reads side by side, and the runtime that keeps them. Nothing here
//! decides anything, and nothing outside this crate knows its tables.

pub mod audit;
pub mod carts;
mod migrate;
pub mod notary;
pub mod operator;
pub mod orders;
pub mod process;
pub mod products;
pub mod read;
pub mod registry;
pub mod runtime;
pub mod search;
mod servers;
pub mod sql;
pub mod stock;

pub use migrate::migrate;
