//! The end of the stream, received in the background: opened again whenever it breaks, bounded in what it holds.
//! It may repeat events and leave holes; the feed sees to both.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream;
use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::event::{Position, RecordedEvent};
use crate::stream::{EventStream, StreamError, decode};

/// How many events wait here for the feed; then the server keeps the rest.
const HELD: usize = 1_024;
/// How many messages the server may send before it is asked for more.
const ASKED: usize = 256;
/// How long a request for messages stays with the server.
const EXPIRES: Duration = Duration::from_secs(30);
/// How often the server says that it is there when it has nothing to send.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// How long the server remembers a consumer that is gone.
const REMEMBERED: Duration = Duration::from_mins(1);
/// The pauses after the stream broke.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What is received of the stream.
#[derive(Debug)]
pub(super) struct Tail {
    received: mpsc::Receiver<RecordedEvent>,
    /// The next event, when it was looked at and left.
    ahead: Option<RecordedEvent>,
    /// The last of the events that the feed had already, since it was last asked for.
    repeated: Option<Position>,
    /// How far the feed is: where to begin when the stream is opened again.
    reached: Arc<AtomicI64>,
    receiving: JoinHandle<()>,
}

/// What is there for a feed that stands on a position.
#[derive(Debug)]
pub(super) enum Next {
    /// The event after it.
    Event(Box<RecordedEvent>),
    /// Only events from this position on.
    From(Position),
    /// Nothing yet.
    Nothing,
}

impl Tail {
    /// Receives what the stream has of the log with this epoch after this position.
    pub(super) fn start(stream: EventStream, epoch: Uuid, after: Position) -> Self {
        let (pass_on, received) = mpsc::channel(HELD);
        let reached = Arc::new(AtomicI64::new(after));
        let background = Receiver { stream, epoch, reached: Arc::clone(&reached), pass_on };
        Self { received, ahead: None, repeated: None, reached, receiving: tokio::spawn(background.run()) }
    }

    /// What is there now for a feed that stands on `after`.
    pub(super) fn next(&mut self, after: Position) -> Next {
        self.reached.store(after, Ordering::Relaxed);
        while let Some(event) = self.ahead.take().or_else(|| self.received.try_recv().ok()) {
            if event.position == after + 1 {
                return Next::Event(Box::new(event));
            }
            if event.position > after {
                let from = event.position;
                self.ahead = Some(event);
                return Next::From(from);
            }
            self.repeated = Some(event.position);
        }
        Next::Nothing
    }

    /// The last event that was delivered too late to be of use, since the last call.
    pub(super) fn take_repeated(&mut self) -> Option<Position> {
        self.repeated.take()
    }

    /// Waits until something has arrived, and gives its position. Dropping the future loses nothing.
    pub(super) async fn arrived(&mut self) -> Position {
        loop {
            if let Some(event) = &self.ahead {
                return event.position;
            }
            match self.received.recv().await {
                Some(event) => self.ahead = Some(event),
                // Only when the receiving task has panicked: then the database is the only source.
                None => std::future::pending().await,
            }
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.receiving.abort();
    }
}

/// The background part of a tail.
struct Receiver {
    stream: EventStream,
    epoch: Uuid,
    reached: Arc<AtomicI64>,
    pass_on: mpsc::Sender<RecordedEvent>,
}

impl Receiver {
    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        let mut sent = self.reached.load(Ordering::Relaxed);
        while !self.pass_on.is_closed() {
            let before = sent;
            if let Err(error) = self.receive(&mut sent).await {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "the stream broke; opening it again"
                );
            }
            pause = if sent > before { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            tokio::time::sleep(pause).await;
        }
    }

    /// Receives until the stream breaks or the feed is gone; `sent` is the last position that was passed on.
    async fn receive(&mut self, sent: &mut Position) -> Result<(), StreamError> {
        self.stream.connected().await?;
        let stream = self.stream.open().await?;
        let after = self.reached.load(Ordering::Relaxed).max(*sent);
        let start_sequence = first_sequence(&stream, after).await?;
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
            ack_policy: AckPolicy::None,
            inactive_threshold: REMEMBERED,
            // Nothing of it is worth keeping: it is made anew from the position of whoever follows.
            memory_storage: true,
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(StreamError::unavailable)?;
        let asking = consumer.stream().max_messages_per_batch(ASKED).expires(EXPIRES).heartbeat(HEARTBEAT);
        let mut messages = asking.messages().await.map_err(StreamError::unavailable)?;
        while let Some(message) = messages.next().await {
            let message = message.map_err(StreamError::unavailable)?;
            let published = message.headers.as_ref().and_then(|headers| decode(headers, &message.payload));
            let of_this_log = published.filter(|published| published.epoch == self.epoch);
            // One that is of another log, or too large for a message, is a hole that the feed fills.
            let Some(event) = of_this_log.and_then(|published| published.event) else { continue };
            *sent = event.position;
            if self.pass_on.send(event).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The sequence of the message after position `after`, or of the first message after that.
async fn first_sequence(stream: &Stream, after: Position) -> Result<u64, StreamError> {
    let state = &stream.cached_info().state;
    let next = state.last_sequence + 1;
    if state.messages == 0 {
        return Ok(next);
    }
    let last = stream.get_raw_message(state.last_sequence).await.map_err(StreamError::unavailable)?;
    // The relay leaves no hole, so each message back is one position back.
    let back = decode(&last.headers, &last.payload)
        .and_then(|last| u64::try_from(last.position - after).ok())
        .unwrap_or(0);
    Ok(next.saturating_sub(back).max(state.first_sequence))
}
