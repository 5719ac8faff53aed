//! Reading: from the replica, as new as the client asks, and never a statement for each row.

mod connection;
mod loader;
mod loaders;
mod source;

pub(crate) use connection::{Paging, Slice, connection, cost};
pub(crate) use loaders::Loaders;
pub use source::Reads;
pub(crate) use source::after;
