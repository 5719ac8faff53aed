//! Process managers: projectors whose output is commands. A reaction may be run again at any time (a crash, a
//! second worker), so every command id follows from the event and the step, and what was done is told again
//! instead of being done again.

mod lanes;
mod put_off;
mod reaction;
mod runner;
mod watermark;

use async_trait::async_trait;
use daybook_eventstore::{RecordedEvent, StoreError};
use uuid::Uuid;

pub use put_off::{Due, fire};
pub use reaction::{Reaction, ask, begin, must, tell, together};
pub use runner::{Runner, run};

/// A process that spans aggregates.
#[async_trait]
pub trait Process: Send + Sync + 'static {
    /// Its name: of its checkpoint, its actor and its metrics.
    fn name(&self) -> &'static str;

    /// Takes note of an event, whether it concerns the process or not, before anything is done about it: what the process
    /// remembers of its aggregate may be too old from now on.
    fn hear(&self, _event: &RecordedEvent) {}

    /// Whether events of such aggregates can concern the process at all. It reads no others, so what it cannot read
    /// there is none of its business.
    fn follows(&self, _aggregate_type: &str) -> bool {
        true
    }

    /// What this event concerns, such as the order; reactions to events with the same key run one after another, in
    /// the log's order. Nothing when the event does not concern the process.
    fn key(&self, reaction: &Reaction) -> Option<Uuid>;

    /// Does what follows from the event. It is run again when it fails.
    async fn react(&self, reaction: &Reaction) -> Result<Progress, ProcessError>;

    /// Does what is due at a time that a reaction to this event had set ([`Due`]). Still waiting for something is
    /// no failure, and it is asked again.
    async fn due(&self, what: &str, reaction: &Reaction) -> Result<Progress, ProcessError>;
}

/// How far a reaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It has come to its end.
    Done,
    /// The outside has not answered yet: it is to be run again later.
    Waiting,
}

/// Why a reaction did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The store failed or was too busy; a moment later it may not.
    #[error("the event store failed")]
    Store(#[from] StoreError),
    /// Others wrote to the aggregate faster than it could be decided.
    #[error("too many conflicting commands")]
    Conflict,
    /// The timers' rows could not be written.
    #[error("a timer could not be set")]
    Timer(#[from] sqlx::Error),
    /// A timer of a process, or for something, that only a newer program knows.
    #[error("this program knows nothing of {0}")]
    Unknown(String),
    /// What is to be done is not to be done yet.
    #[error("still waiting")]
    Waiting,
    /// The domain refused what the process cannot do without.
    #[error("refused: {0}")]
    Refused(String),
}

impl ProcessError {
    /// The failure that a refusal is to a process that has no answer to it.
    pub(crate) fn refused(refusal: &impl std::fmt::Display) -> Self {
        Self::Refused(refusal.to_string())
    }

    /// Whether trying again in a moment is all there is to do.
    pub(crate) const fn is_transient(&self) -> bool {
        match self {
            Self::Store(
                StoreError::Undecodable { .. }
                | StoreError::UnknownEvent { .. }
                | StoreError::LogDiverged { .. }
                | StoreError::Archive { .. }
                | StoreError::Archived { .. }
                | StoreError::NotArchived { .. },
            )
            | Self::Unknown(_)
            | Self::Waiting
            | Self::Refused(_) => false,
            Self::Store(_) | Self::Conflict | Self::Timer(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_for_good_is_not_waited_for_in_memory() {
        let name = "inventory".to_owned();
        for error in [
            StoreError::Archived { position: 7 },
            StoreError::NotArchived { position: 7 },
            StoreError::LogDiverged { name, position: 7 },
            StoreError::Archive {
                path: "archive".to_owned(),
                source: std::io::ErrorKind::InvalidData.into(),
            },
        ] {
            assert!(!ProcessError::Store(error).is_transient());
        }
        for error in [StoreError::TimedOut, StoreError::Overloaded, StoreError::Closed] {
            assert!(ProcessError::Store(error).is_transient());
        }
    }
}
