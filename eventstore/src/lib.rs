//! The event store on Postgres: append, load, read by position, snapshots, upcasting, the vault and the relay
//! to JetStream. It knows streams, versions and positions, and never what an event means.
#![doc = include_str!("../README.md")]

mod append;
mod begin_tx;
mod bounded;
mod checkpoint;
mod checkpoints;
mod command;
mod copy;
mod cqrs;
mod error;
mod event;
mod feed;
mod import;
mod listener;
mod memory;
mod migrate;
mod partition;
pub mod process;
pub mod proof;
mod reader;
mod relay;
mod repository;
mod snapshot;
mod store;
mod stream;
mod upcast;
mod vault;
mod wake;

pub use append::{Append, Appended, Appender, Chain, Fingerprint, Part, Pending};
pub use begin_tx::begin_tx;
pub use checkpoint::Checkpoint;
pub use checkpoints::Checkpoints;
pub use command::{CommandContext, CommandError, Executed};
pub use copy::CopyRows;
pub use cqrs::{CqrsStore, LoadedAggregate};
/// Ids and time are the caller's: the store asks for both and makes neither by itself.
pub use daybook_domain::{Clock, CommandId, IdSource, Timestamp};
pub use error::StoreError;
pub use event::{EventHash, Metadata, NewEvent, Position, RecordedEvent, StreamId, Trace, trace_id};
pub use feed::{Feed, FeedSource, Live, Route, Watch};
pub use import::Import;
pub use listener::Listener;
pub use memory::Remembered;
pub use migrate::{migrate, run_migrations};
pub use partition::{Archives, Partition, Partitions};
pub use reader::{Batch, EventView, Filter, LogHead, LogMark, LogReader, Scan, Selection, Slice};
pub use relay::{Relay, RelayConfig};
pub use repository::{Loaded, Repository, Together, Unit};
pub use snapshot::SnapshotPolicy;
pub use store::EventStore;
pub use stream::{ConnectError, EventStream, StreamLimits};
pub use upcast::Upcasters;
pub use vault::{
    Census, ConfiguredKeys, KeyId, Keyring, KeyringError, PlainKey, Rewrapped, SubjectKey, Unwrapped, Vault,
    VaultError, Wrapped,
};
pub use wake::Wake;
