//! Where a follower of the log stands, and whether the log there is still the one it followed.

use uuid::Uuid;

use crate::bounded::bounded;
use crate::error::StoreError;
use crate::event::{EventHash, Position, RecordedEvent};
use crate::reader::{LogHead, LogReader};

/// Where a follower stands. Kept with what it made of the events, moved in the same transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's epoch.
    pub epoch: Uuid,
    /// The position of the last event that was followed; 0 before the first.
    pub position: Position,
    /// That event's hash; [`EventHash::GENESIS`] before the first.
    pub hash: EventHash,
}

impl Checkpoint {
    /// Before the first event of the log with this epoch.
    pub const fn start(epoch: Uuid) -> Self {
        Self { epoch, position: 0, hash: EventHash::GENESIS }
    }

    /// On `event` in the log with this epoch.
    pub fn on(epoch: Uuid, event: &RecordedEvent) -> Self {
        Self { epoch, position: event.position, hash: event.hash() }
    }

    /// Before the first event of the log as it is now: where a new follower begins.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn origin(reader: &LogReader) -> Result<Self, StoreError> {
        Ok(Self::start(bounded(reader.head()).await?.epoch))
    }

    /// On the last event of the log as it is now: where a follower of only what is new begins.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn head(reader: &LogReader) -> Result<Self, StoreError> {
        let head = bounded(reader.head()).await?;
        // Of an empty log there is nothing to find, even when it is not empty any more.
        let last = if head.position == 0 { None } else { bounded(reader.find(head.position)).await? };
        Ok(last.map_or_else(|| Self::start(head.epoch), |event| Self::on(head.epoch, &event)))
    }

    /// Makes sure that the log is still the one that `name` stood on here, and says where the log stands.
    ///
    /// # Errors
    /// [`StoreError::LogDiverged`] when the log has another epoch, is shorter, or has another event here.
    pub async fn verify(&self, reader: &LogReader, name: &str) -> Result<LogHead, StoreError> {
        let head = bounded(reader.head()).await?;
        let hash = match self.position {
            0 => Some(EventHash::GENESIS),
            position => bounded(reader.find(position)).await?.map(|event| event.hash()),
        };
        if head.epoch == self.epoch && hash == Some(self.hash) {
            Ok(head)
        } else {
            Err(StoreError::LogDiverged { name: name.to_owned(), position: self.position })
        }
    }
}
