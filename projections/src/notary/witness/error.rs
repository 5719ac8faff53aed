//! Why a witness has not signed.

use daybook_domain::Timestamp;
use daybook_eventstore::proof::NoteError;
use daybook_eventstore::{Position, StoreError};
use reqwest::StatusCode;

use crate::runtime::TargetError;

/// There is no cosignature.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// The tree cannot be read, or the cosignature not be kept.
    #[error("the tree could not be read or kept")]
    Tree(#[from] TargetError),
    /// The log cannot be asked how long it is.
    #[error("the log could not be read")]
    Log(#[from] StoreError),
    /// There is no checkpoint that this notary's key signed.
    #[error("there is no checkpoint to sign")]
    Checkpoint(#[from] NoteError),
    /// The tree does not prove what was signed.
    #[error("the tree is not kept as it was signed")]
    Damaged,
    /// It has signed what the tree does not have yet, and the log has.
    #[error("the tree is not as large yet as what it has signed")]
    Behind,
    /// It did not answer.
    #[error("it does not answer")]
    Unreachable(#[source] reqwest::Error),
    /// It took too long.
    #[error("it does not answer in time")]
    Late,
    /// It answered something else.
    #[error("it answers {status}{}", hint(*status))]
    Refused {
        /// What.
        status: StatusCode,
    },
    /// It answered what nobody can read.
    #[error("its answer is none of a witness")]
    Garbled,
    /// Somebody else asks it too.
    #[error("each time it has signed another checkpoint")]
    Restless,
    /// What it answered is not its signature under this checkpoint.
    #[error("its cosignature does not count")]
    False(#[source] NoteError),
    /// It signed for another moment.
    #[error("its cosignature is of {at}, which is another moment than now")]
    Untimely {
        /// Which.
        at: Timestamp,
    },
    /// It has seen a longer log of this name.
    #[error("it has signed {witness} events of a log of this name, which has only {log} here")]
    Ahead {
        /// How many it signed.
        witness: u64,
        /// How many there are here.
        log: Position,
    },
    /// It has seen another log of this name.
    #[error("what it signed of a log of this name is not what this one begins with")]
    Inconsistent,
}

/// What the codes say of which the cause is in the settings.
fn hint(status: StatusCode) -> &'static str {
    match status {
        StatusCode::FORBIDDEN => ": it does not know the notary's key",
        StatusCode::NOT_FOUND => ": it does not watch this log, or the URL is wrong",
        _ => "",
    }
}

impl Failed {
    /// What it is counted as.
    pub(super) const fn outcome(&self) -> &'static str {
        match self {
            Self::Tree(_) | Self::Log(_) | Self::Checkpoint(_) | Self::Damaged => "failed",
            Self::Behind => "behind",
            Self::Unreachable(_) | Self::Late => "unreachable",
            Self::Refused { .. } | Self::Garbled | Self::Restless => "refused",
            Self::False(_) | Self::Untimely { .. } => "false",
            Self::Ahead { .. } | Self::Inconsistent => "disputed",
        }
    }

    /// Whether the witness knows another log of this name.
    pub(super) const fn is_dispute(&self) -> bool {
        matches!(self, Self::Ahead { .. } | Self::Inconsistent)
    }

    /// Whether there is nothing new in the other one.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let status = |failed: &Self| {
            if let Self::Refused { status } = failed { Some(*status) } else { None }
        };
        let is_ahead = |failed: &Self| matches!(failed, Self::Ahead { .. });
        (self.outcome(), status(self), is_ahead(self)) == (other.outcome(), status(other), is_ahead(other))
    }
}
