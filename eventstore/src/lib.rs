//! The event store on Postgres: append, load, read by position, snapshots, upcasting, the vault and the relay
//! to JetStream. It knows streams, versions and positions, and never what an event means.

mod error;
mod event;
mod reader;
mod wake;

pub use error::StoreError;
pub use event::{EventHash, Metadata, NewEvent, Position, RecordedEvent, StreamId};
pub use reader::{LogHead, LogReader};
pub use wake::Wake;
