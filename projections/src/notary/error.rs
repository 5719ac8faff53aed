//! What keeps the notary from signing.

use daybook_eventstore::proof::NoteError;
use daybook_eventstore::{Position, StoreError};

use crate::runtime::TargetError;

/// The notary cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum NotaryError {
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[from] StoreError),
    /// The tree could not be kept.
    #[error("the tree could not be kept")]
    Kept(#[from] TargetError),
    /// What was signed before cannot be read.
    #[error("the last checkpoint cannot be read")]
    Note(#[from] NoteError),
    /// The event's names are longer than an entry of the tree can be.
    #[error("the event at position {position} has a type or an id that is too long for the tree")]
    TooLong {
        /// Its position.
        position: Position,
    },
    /// The log has another event here than the one in the tree, or none: signing on would contradict what was signed.
    #[error("the log is not the one that was signed: at position {position} it has another event, or none")]
    Replaced {
        /// The position.
        position: Position,
    },
    /// The tree is not kept as it was made: it is made again.
    #[error("tiles are missing")]
    Damaged,
    /// The tree is not one that begins with the signed one.
    #[error("the tree of {now} events does not begin with the signed one of {signed}")]
    Contradicted {
        /// The size that was signed.
        signed: u64,
        /// The size there is.
        now: u64,
    },
}

impl NotaryError {
    /// Whether something that was signed does not hold any more.
    pub const fn is_contradiction(&self) -> bool {
        matches!(self, Self::Replaced { .. } | Self::Contradicted { .. })
    }
}

/// The log is not what was signed, or cannot be compared with it.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The event is not the one that was signed.
    #[error(
        "the event at position {position} is not the one that was there when {signed} events were signed"
    )]
    Altered {
        /// Its position.
        position: u64,
        /// How many events the checkpoint is of that it contradicts.
        signed: u64,
    },
    /// The event is not the one in the tree, and there is no later checkpoint that could tell which of the two was altered.
    #[error("the event at position {position} is not the one in the tree")]
    Differs {
        /// Its position.
        position: u64,
    },
    /// Some event is not the one that was signed, and the tree that would tell which was altered too.
    #[error("the events after position {after} up to {signed} are not those that were signed")]
    Otherwise {
        /// The last position that is known to be as it was.
        after: u64,
        /// The last position of the checkpoint.
        signed: u64,
    },
    /// There is no event at the position.
    #[error("there is no event at position {position}")]
    Missing {
        /// The position.
        position: u64,
    },
    /// There are several events at the position.
    #[error("there are several events at position {position}")]
    Doubled {
        /// The position.
        position: u64,
    },
    /// The log has fewer events than were signed.
    #[error("the log ends at position {log}, and {signed} events were signed")]
    Shorter {
        /// How many events there are.
        log: u64,
        /// How many were signed.
        signed: u64,
    },
    /// There is an event where the log has no place: before its first position, beyond its last, or in the database though
    /// its place is in an archive. No reader of the log sees it, and who loads its stream does.
    #[error("there is an event at position {position}, where the log has no place for one")]
    Hidden {
        /// Its position.
        position: i64,
    },
    /// An event after this position cannot be read at all.
    #[error("an event after position {after} cannot be read")]
    Unreadable {
        /// The position.
        after: u64,
    },
    /// There is nothing that was signed, so there is nothing to compare with.
    #[error("there is no checkpoint of this log: nothing says what it should be")]
    Nothing,
    /// A checkpoint does not count.
    #[error("the checkpoint {} does not count", size.map_or_else(|| "that was given".to_owned(), |size| format!("of {size} events")))]
    Checkpoint {
        /// How many events it says it is of; nothing of one that was given.
        size: Option<u64>,
        /// Why.
        source: NoteError,
    },
    /// What is said to be a witness's signature is not.
    #[error("the signature of {witness} under the checkpoint of {size} events does not count")]
    Cosignature {
        /// How many events the checkpoint is of.
        size: u64,
        /// The witness.
        witness: String,
        /// Why.
        source: NoteError,
    },
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[from] StoreError),
    /// The tree could not be read.
    #[error("the tree could not be read")]
    Tree(#[from] TargetError),
}

impl AuditError {
    /// Whether the log is not what was signed; otherwise that is not known.
    pub const fn is_finding(&self) -> bool {
        !matches!(self, Self::Log(_) | Self::Tree(_) | Self::Nothing)
    }
}
