//! The log as a feed reads it: never another log than the one the feed began with.

use crate::bounded::bounded;
use crate::checkpoint::Checkpoint;
use crate::error::StoreError;
use crate::event::{Position, RecordedEvent};
use crate::reader::LogReader;

/// A log that is compared with the follower's checkpoint whenever it may have been exchanged.
#[derive(Debug)]
pub(super) struct Log {
    reader: LogReader,
    follower: String,
    head: Position,
    /// Whether the log may have become another one since it was last compared.
    in_doubt: bool,
}

impl Log {
    /// The log, if it is the one the checkpoint was taken of.
    pub(super) async fn open(reader: LogReader, follower: &str, at: &Checkpoint) -> Result<Self, StoreError> {
        let head = at.verify(&reader, follower).await?.position;
        Ok(Self { reader, follower: follower.to_owned(), head, in_doubt: false })
    }

    /// Where the log stood when it was last asked.
    pub(super) const fn head(&self) -> Position {
        self.head
    }

    /// At most `max` events after the checkpoint.
    pub(super) async fn read(
        &mut self,
        at: &Checkpoint,
        max: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        // Until this returns well, the connection may have come back to another log.
        let was_in_doubt = std::mem::replace(&mut self.in_doubt, true);
        let head = if was_in_doubt {
            at.verify(&self.reader, &self.follower).await?
        } else {
            bounded(self.reader.head()).await?
        };
        let events = bounded(self.reader.read(at.position, max)).await?;
        if head.epoch != at.epoch || head.position < at.position || !follow(at.position, &events) {
            return Err(StoreError::LogDiverged { name: self.follower.clone(), position: at.position });
        }
        self.in_doubt = false;
        self.head = head.position;
        Ok(events)
    }
}

/// Whether the positions of `events` follow `after` without a hole.
fn follow(after: Position, events: &[RecordedEvent]) -> bool {
    (after + 1..).zip(events).all(|(expected, event)| event.position == expected)
}
