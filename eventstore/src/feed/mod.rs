//! What every follower of the log reads from: each event once, in order, with none missing, from wherever it can
//! be had soonest. It never skips: what the stream does not deliver comes from the database.

use crate::bounded::bounded;
use crate::checkpoint::Checkpoint;
use crate::error::StoreError;
use crate::event::{Position, RecordedEvent};
use crate::reader::LogReader;
use crate::stream::EventStream;
use crate::wake::Wake;

/// Where a feed reads.
#[derive(Debug, Clone)]
pub struct FeedSource {
    /// The log, on the primary.
    pub reader: LogReader,
    /// What tells that the log has grown.
    pub wake: Wake,
    /// The stream that delivers what is new; without it, the feed follows the log itself.
    pub stream: Option<EventStream>,
}

/// A follower's view of the log, from its checkpoint on.
#[derive(Debug)]
pub struct Feed {
    name: String,
    source: FeedSource,
    at: Checkpoint,
    /// Whether the log may have become another one since it was last compared with the checkpoint.
    in_doubt: bool,
}

impl Feed {
    /// The events after a checkpoint, for the follower of this name.
    ///
    /// # Errors
    /// [`StoreError::LogDiverged`] when the log is not the one the checkpoint was taken of.
    pub async fn open(source: FeedSource, name: &str, after: &Checkpoint) -> Result<Self, StoreError> {
        after.verify(&source.reader, name).await?;
        Ok(Self { name: name.to_owned(), source, at: *after, in_doubt: false })
    }

    /// Waits until there is something new, and gives at most `max` events of it. They follow the last ones given
    /// without a hole. After an error the same call may be made again; dropping the future loses nothing.
    ///
    /// # Errors
    /// When the database does not answer, or is not the same log any more.
    pub async fn next(&mut self, max: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        loop {
            let events = self.read(max).await?;
            if !events.is_empty() {
                return Ok(self.given(events));
            }
            self.source.wake.wait().await;
        }
    }

    /// Where the follower stands when it has dealt with all events that were given.
    pub const fn checkpoint(&self) -> Checkpoint {
        self.at
    }

    async fn read(&mut self, max: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        // Until this returns well, the connection may have come back to another log.
        let was_in_doubt = std::mem::replace(&mut self.in_doubt, true);
        let reader = &self.source.reader;
        let head = if was_in_doubt {
            self.at.verify(reader, &self.name).await?
        } else {
            bounded(reader.head()).await?
        };
        if head.epoch != self.at.epoch {
            return Err(self.diverged());
        }
        let events = bounded(reader.read(self.at.position, max)).await?;
        if !follows(self.at.position, &events) {
            return Err(self.diverged());
        }
        self.in_doubt = false;
        Ok(events)
    }

    fn given(&mut self, events: Vec<RecordedEvent>) -> Vec<RecordedEvent> {
        if let Some(last) = events.last() {
            self.at = Checkpoint::on(self.at.epoch, last);
        }
        events
    }

    fn diverged(&self) -> StoreError {
        StoreError::LogDiverged { name: self.name.clone(), position: self.at.position }
    }
}

/// Whether the positions of `events` follow `after` without a hole.
fn follows(after: Position, events: &[RecordedEvent]) -> bool {
    (after + 1..).zip(events).all(|(expected, event)| event.position == expected)
}
