//! What every query shares: the replica, its time limit, pages, and waiting for a position.

mod db;
pub(crate) mod page;
mod watch;

pub(crate) use db::doc;
pub use db::{ReadDb, ReadError};
pub use page::{Cursor, Page, PageRequest};
pub use watch::{Behind, ReplicaWatch};
