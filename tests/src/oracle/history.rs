//! What there is to judge: what was asked for and what was answered, the log that came of it, and what each reader saw
//! of it. Where it comes from, the store or a design that is known to be wrong, the checker does not know.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The log as it is in the end, in its order.
    pub(crate) log: Vec<Logged>,
    /// The commands that the store remembers in the end; nothing of a design that remembers none.
    pub(crate) recorded: Option<Vec<Recorded>>,
    /// Everything that was asked for.
    pub(crate) attempts: Vec<Attempt>,
    /// What each reader saw.
    pub(crate) readings: Vec<Reading>,
}

/// An event of the log.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    pub(crate) position: i64,
    pub(crate) event: Uuid,
    /// The first bytes of the hash of all that it is.
    pub(crate) digest: u64,
    pub(crate) stream: String,
    pub(crate) sequence: i64,
    pub(crate) command: Uuid,
    /// Whether its bytes are those that were asked for, where these are known.
    pub(crate) intact: bool,
    /// The versions of streams that its command was decided on, as the event itself tells.
    pub(crate) saw: Vec<(String, i64)>,
}

/// A command that the store remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) command: Uuid,
    /// Its input; nothing when fingerprint and outcome do not belong together.
    pub(crate) input: Option<u64>,
    pub(crate) version: i64,
    pub(crate) position: i64,
}

/// Something that was asked for, once.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) asked: Asked,
    /// When it was asked for, in microseconds.
    pub(crate) from: i64,
    /// When it was answered; an answer that never came is [`Told::Unknown`].
    pub(crate) to: i64,
    pub(crate) told: Told,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) command: Uuid,
    /// What the command's fingerprint is of, and what a repetition is told.
    pub(crate) input: u64,
    /// Whether the store is to remember it.
    pub(crate) recorded: bool,
    pub(crate) content: Content,
}

/// What a command is to append.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Content {
    /// Exactly these events, when all of these streams are as expected.
    Exact(Vec<Part>),
    /// So many events for each of these streams, on whatever version they are then.
    Decided(Vec<(String, usize)>),
}

/// What a command wants of one stream; without events, only that it is as expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) stream: String,
    pub(crate) expected: i64,
    pub(crate) events: Vec<Uuid>,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    /// It took effect: the position of its last event, and the version of its first stream where that was told.
    Done { position: i64, version: Option<i64> },
    /// It had taken effect before, with this position and version, and was told this input then.
    Replayed { position: i64, version: Option<i64>, input: Option<u64> },
    /// Its id was used before with another input.
    Mismatch,
    /// A stream was not at the expected version.
    Conflict,
    /// It did not take effect for another reason: refused, taken back, no room for it.
    NotDone,
    /// Nobody knows.
    Unknown,
}

/// What one reader saw, in the order it saw it in.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) reader: String,
    /// Of which streams it wants to hear.
    pub(crate) wants: Wants,
    /// Up to where it has read the log: further than what it saw last, when it did not want what came then.
    pub(crate) reached: i64,
    pub(crate) seen: Vec<Seen>,
    /// How often it was told that the log is not the one it had read.
    pub(crate) diverged: u64,
}

/// Of which streams a reader wants to hear.
#[derive(Debug, Clone, Default)]
pub(crate) enum Wants {
    /// All of them.
    #[default]
    All,
    /// Those of this type.
    Type(&'static str),
    /// These.
    Streams(Vec<String>),
}

/// An event as a reader saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) position: i64,
    /// Its id; nothing when the reader was told only its place.
    pub(crate) event: Option<Uuid>,
    pub(crate) digest: u64,
}

impl Content {
    /// How many events it has.
    pub(crate) fn events(&self) -> usize {
        match self {
            Self::Exact(parts) => parts.iter().map(|part| part.events.len()).sum(),
            Self::Decided(parts) => parts.iter().map(|(_, events)| events).sum(),
        }
    }
}

impl Wants {
    /// Whether it wants to hear of this stream.
    pub(crate) fn includes(&self, stream: &str) -> bool {
        match self {
            Self::All => true,
            Self::Type(wanted) => stream.split_once('/').is_some_and(|(of, _)| of == *wanted),
            Self::Streams(wanted) => wanted.iter().any(|one| one == stream),
        }
    }
}

impl Told {
    /// Whether it says that nothing was done by this attempt, now or ever.
    pub(crate) const fn is_nothing(&self) -> bool {
        matches!(self, Self::Mismatch | Self::Conflict | Self::NotDone)
    }
}
