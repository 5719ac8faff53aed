//! What the shop does: the command bus, the processes that span aggregates, timers, and the ports to the outside.

pub mod checkout;
pub mod gateway;
pub mod process;
pub mod related;
pub mod settlement;
mod shop;
mod shop_config;
pub mod snapshots;
pub mod timers;
pub mod use_cases;

pub mod worker;

mod bell;

pub use shop::Shop;
pub use shop_config::{OpenShop, ShopConfig};
