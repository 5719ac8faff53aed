//! The read models on real servers: built, rebuilt, switched, poisoned and fenced.

mod audit;
mod compare;
mod hot;
mod live;
pub(crate) mod meili;
mod models;
mod runtime;
mod search;
mod shop;
mod watch;
