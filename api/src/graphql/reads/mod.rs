//! Reading: from the replica or a hot copy that is no older, as new as the client asks, and never a statement for each row.

mod connection;
mod hot;
mod loader;
mod loaders;
mod source;

pub(crate) use connection::{Paging, Slice, connection, cost, each, invalid_cursor};
pub(crate) use loader::{Batch, Loader};
pub(crate) use loaders::Loaders;
pub use source::Reads;
pub(crate) use source::{Extent, after, cart, linked};
