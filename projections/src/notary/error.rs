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
    /// The database failed.
    #[error("the read database failed")]
    Database(#[from] sqlx::Error),
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
