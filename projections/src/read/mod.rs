//! What every query shares: the replica, its time limit, pages, and waiting for a position.

mod db;
pub mod hot;
pub(crate) mod page;
mod watch;

pub(crate) use db::doc;
pub use db::{ReadDb, ReadError};
pub use hot::Hot;
pub use page::{Cursor, Page, PageRequest};
pub use watch::{Behind, ReplicaWatch};
