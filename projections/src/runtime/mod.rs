//! The projector runtime: batches from the log, folded in memory, written set by set together with the checkpoint;
//! versions beside each other, switched atomically; poison parked by key. A read model sees none of it.

pub mod admin;
mod compare;
mod condition;
mod envelope;
mod error;
mod fold;
mod follow;
mod live;
mod lock;
mod meili;
mod metrics;
mod model;
mod parked;
mod postgres;
mod projector;
mod recent;
pub(crate) mod redis;
mod request;
mod rows;
mod switch;
mod table;
mod target;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod versions;

pub use compare::{Comparison, Depth, Difference, Side, Tally};
pub use envelope::Envelope;
pub use error::{RuntimeError, TargetError};
pub use follow::Context;
pub use meili::Indexed;
pub use model::{FoldError, ReadModel, Tabled};
pub use projector::Projector;
pub use table::{Column, Table};
pub use versions::{Status, Version};

pub(crate) use envelope::decode;
pub(crate) use meili::MeiliTarget;
pub(crate) use metrics::{Lags, Meter};
pub(crate) use postgres::PostgresTarget;
pub(crate) use redis::RedisTarget;
pub(crate) use request::is_absent;
pub(crate) use target::{Applied, Target};
