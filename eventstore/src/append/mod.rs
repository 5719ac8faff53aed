//! Appending: commands from all over the process are coalesced into batches, each one round trip and one
//! commit, each command with its own outcome. A command is answered only after its commit is flushed.

mod batch;
mod chain;
mod directory;
mod json;
mod line;
mod meters;
mod select;
mod task;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, Instant};

use daybook_domain::CommandId;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{mpsc, oneshot};

pub use self::chain::Chain;
pub(crate) use self::directory::Keeper;
use self::line::Line;
pub(crate) use self::line::{CONNECT, PLANNING};
pub(crate) use self::meters::Meters;
use crate::error::StoreError;
use crate::event::{NewEvent, Position, StreamId};

/// How many appends may wait; one more is refused at once with [`StoreError::Overloaded`].
const QUEUE: usize = 4_096;
/// How many batches may be on their way: one that is written, and one that is next.
const LINES: usize = 2;
/// How long an append may take, from the queue to the last retry of its batch.
pub(crate) const DEADLINE: Duration = Duration::from_secs(15);

/// SHA-256 of a command's input: the same command id with another fingerprint is refused. An input with personal data
/// in it gets a keyed one from the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of an input made of these parts, in this order.
    ///
    /// ```
    /// use daybook_eventstore::Fingerprint;
    ///
    /// assert_eq!(Fingerprint::of(&[b"pay", b"10.00"]), Fingerprint::of(&[b"pay", b"10.00"]));
    /// assert_ne!(Fingerprint::of(&[b"pay", b"10.00"]), Fingerprint::of(&[b"pay1", b"0.00"]));
    /// ```
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }
}

/// One command's events, for one stream or for several: all or nothing.
#[derive(Debug, Clone)]
pub struct Append {
    /// The command: it takes effect once, for ever.
    pub command_id: CommandId,
    /// Its input's fingerprint.
    pub fingerprint: Fingerprint,
    /// What it wants of each stream, at least of one and no stream twice. The command is recorded with the first.
    pub parts: Vec<Part>,
    /// What a repetition of the command is to be told, as JSON; without it, the command is not recorded.
    pub outcome: Option<String>,
}

/// What a command wants of one stream.
#[derive(Debug, Clone)]
pub struct Part {
    /// The stream.
    pub stream: StreamId,
    /// The version the stream must be at.
    pub expected: i64,
    /// What happened; nothing makes it a condition: it holds when the stream is at the expected version.
    pub events: Vec<NewEvent>,
    /// The in-memory state that the command was decided on.
    pub chain: Arc<Chain>,
}

impl Append {
    /// Whether something that the command was decided on did not take effect.
    pub(crate) fn is_unfounded(&self) -> bool {
        self.parts.iter().any(|part| part.chain.is_broken())
    }

    /// The chains on which nothing can be decided any more when this is the command's outcome, or a failure is: those it
    /// would have changed, and the one that is not as it expected.
    pub(crate) fn breaks(&self, outcome: Option<&Appended>) -> impl Iterator<Item = &Arc<Chain>> {
        let (took_effect, doubted) = match outcome {
            Some(Appended::Done { .. }) => (true, None),
            Some(Appended::Conflict { part }) => (false, Some(*part)),
            Some(Appended::Replayed { .. } | Appended::Mismatch | Appended::Unfounded) | None => {
                (false, None)
            }
        };
        let parts = self.parts.iter().enumerate();
        let broken = parts
            .filter(move |(number, part)| !took_effect && (!part.is_condition() || doubted == Some(*number)));
        broken.map(|(_, part)| &part.chain)
    }

    /// Tells those that rest on it.
    pub(crate) fn tell(&self, outcome: Option<&Appended>) {
        self.breaks(outcome).for_each(|chain| chain.break_off());
    }

    /// Whether keys alone would refuse it when it has been done, or something that it changes has changed: then what it
    /// rests on may be looked up before the head row is locked. What it only looks at, another batch may change meanwhile.
    pub(crate) fn is_guarded(&self) -> bool {
        self.outcome.is_some() && !self.parts.iter().any(Part::is_condition)
    }

    /// The version of its first stream when it has taken effect.
    pub(crate) fn version(&self) -> i64 {
        self.parts.first().map_or(0, Part::reached)
    }

    /// How many events it has.
    pub(crate) fn events(&self) -> i64 {
        let events: usize = self.parts.iter().map(|part| part.events.len()).sum();
        i64::try_from(events).unwrap_or(i64::MAX)
    }

    /// What it costs a batch.
    pub(crate) fn rows(&self) -> usize {
        self.parts.iter().map(|part| 1 + part.events.len()).sum()
    }
}

impl Part {
    /// The stream's version when it has taken effect.
    pub(crate) fn reached(&self) -> i64 {
        self.expected + i64::try_from(self.events.len()).unwrap_or(i64::MAX)
    }

    /// Whether it only has to hold. Nothing rests on it, so it fails nobody else.
    const fn is_condition(&self) -> bool {
        self.events.is_empty()
    }
}

/// What became of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It took effect (or its condition held).
    Done {
        /// The position of its last event; without events, where the log stood.
        position: Position,
        /// The first stream's version after it.
        version: i64,
    },
    /// The command had taken effect before; this is what it was told then.
    Replayed {
        /// The position it had reached.
        position: Position,
        /// The first stream's version after it.
        version: i64,
        /// The outcome recorded then, as JSON.
        outcome: String,
    },
    /// The command id was used before with another input; nothing was done.
    Mismatch,
    /// A stream is not at the expected version: another process wrote to it.
    Conflict {
        /// The index of the part that wants something of it; there may be more.
        part: usize,
    },
    /// What the command was decided on did not take effect.
    Unfounded,
}

impl Appended {
    /// The position it has reached now; nothing when it did not take effect now.
    pub(crate) const fn reached(&self) -> Option<Position> {
        match self {
            Self::Done { position, .. } => Some(*position),
            Self::Replayed { .. } | Self::Mismatch | Self::Conflict { .. } | Self::Unfounded => None,
        }
    }
}

/// The process's one way to append. Cloning shares the queue.
#[derive(Debug, Clone)]
pub struct Appender {
    queue: mpsc::Sender<Queued>,
    hasher: RandomState,
}

/// An append that waits for its batch.
#[derive(Debug)]
struct Queued {
    append: Append,
    /// The streams of its parts, by their hashes: two that share one only wait for each other.
    streams: Vec<u64>,
    since: Instant,
    reply: oneshot::Sender<Result<Appended, StoreError>>,
}

impl Queued {
    /// The streams it touches, by their hashes, with what it wants of each.
    fn touched(&self) -> impl Iterator<Item = (u64, &Part)> {
        self.streams.iter().copied().zip(&self.append.parts)
    }

    /// Those of them that it changes.
    fn changed(&self) -> impl Iterator<Item = (u64, &Part)> {
        self.touched().filter(|(_, part)| !part.is_condition())
    }
}

/// An append that was accepted into the queue.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Result<Appended, StoreError>>);

impl Appender {
    /// Starts appending to this database on connections of its own, so that an append never waits for a read; ends
    /// when the last clone is dropped and the queue is empty.
    pub fn start(database: &PgConnectOptions) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let hasher = RandomState::new();
        // No other appender hashes alike, so none has this number.
        let writer = i64::from_ne_bytes(hasher.hash_one("writer").to_ne_bytes());
        let writer = Arc::new(AtomicI64::new(writer));
        let lines = (0..LINES).map(|_| Line::to(database.clone(), Arc::clone(&writer))).collect();
        tokio::spawn(task::run(lines, waiting, Keeper::start(database.clone())));
        Self { queue, hasher }
    }

    /// Queues an append without waiting. Appends of one chain take effect in the order they are queued in.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] at once when the queue is full.
    pub fn enqueue(&self, append: Append) -> Result<Pending, StoreError> {
        let (reply, answer) = oneshot::channel();
        let queued = Queued {
            streams: append.parts.iter().map(|part| self.hasher.hash_one(&part.stream)).collect(),
            append,
            since: Instant::now(),
            reply,
        };
        self.queue.try_send(queued).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        Ok(Pending(answer))
    }
}

impl Pending {
    /// Waits for the outcome.
    ///
    /// # Errors
    /// [`StoreError::TimedOut`] when it is not known in time whether the append took effect; sending the same
    /// command again tells.
    pub async fn outcome(self) -> Result<Appended, StoreError> {
        match tokio::time::timeout(DEADLINE + Duration::from_secs(1), self.0).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_dropped)) => Err(StoreError::Closed),
            Err(_elapsed) => Err(StoreError::TimedOut),
        }
    }
}

/// Answers an append, and tells those that rest on it.
fn answer(meters: &Meters, queued: Queued, outcome: Result<Appended, StoreError>) {
    queued.append.tell(outcome.as_ref().ok());
    meters.count(&queued, &outcome);
    // The caller may have gone; the append stands.
    let _ = queued.reply.send(outcome);
}
