//! Where to go on: what the stream's last message says, if it is from the log as it is now.

use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use uuid::Uuid;

use super::{Relay, RelayError};
use crate::bounded::bounded;
use crate::event::Position;
use crate::reader::LogHead;
use crate::stream::{Published, StreamError, decode};

/// Where the relay is, in the log and in the stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The log's epoch.
    pub(super) epoch: Uuid,
    /// The last position that is in the stream.
    pub(super) position: Position,
    /// The stream's last sequence.
    pub(super) sequence: u64,
}

impl Relay {
    /// Where to go on from, after the stream was made, cleared or left as it is.
    pub(super) async fn resume(&self) -> Result<Place, RelayError> {
        self.stream.connected().await?;
        let stream = self.stream.ensure(self.config.limits).await?;
        let head = bounded(self.reader.head()).await?;
        let sequence = stream.cached_info().state.last_sequence;
        if stream.cached_info().state.messages == 0 {
            return Ok(self.begin(head, sequence));
        }
        if let Some(last) = last_message(&stream, sequence).await?
            && self.is_of_this_log(&last, head).await?
        {
            return Ok(Place { epoch: head.epoch, position: last.position, sequence });
        }
        tracing::warn!(stream = self.stream.name(), "the stream is of another log: starting over");
        let purged = stream.purge().await.map_err(StreamError::unavailable)?;
        tracing::info!(messages = purged.purged, "the stream was cleared");
        Ok(self.begin(head, sequence))
    }

    /// Where a stream without messages begins.
    fn begin(&self, head: LogHead, sequence: u64) -> Place {
        let position = (head.position - i64::from(self.config.republish)).max(0);
        Place { epoch: head.epoch, position, sequence }
    }

    async fn is_of_this_log(&self, last: &Published, head: LogHead) -> Result<bool, RelayError> {
        let there = bounded(self.reader.find(last.position)).await?;
        Ok(last.epoch == head.epoch && there.is_some_and(|event| event.hash() == last.hash))
    }
}

/// The stream's last message, if it is one of the relay's.
async fn last_message(stream: &Stream, sequence: u64) -> Result<Option<Published>, RelayError> {
    match stream.get_raw_message(sequence).await {
        Ok(message) => Ok(decode(&message.headers, &message.payload)),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(StreamError::unavailable(error).into()),
    }
}
