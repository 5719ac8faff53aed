//! What comes with every command: who, why, when, and the id under which it takes effect once.

use daybook_domain::{CommandId, Timestamp};
use uuid::Uuid;

use crate::append::Fingerprint;
use crate::error::StoreError;
use crate::event::{Metadata, Position};

/// The circumstances of a command.
#[derive(Debug, Clone)]
pub struct CommandContext {
    /// The command's id: the same id takes effect once, for ever.
    pub command_id: CommandId,
    /// What was asked, without what the server adds (new ids, the time).
    pub fingerprint: Fingerprint,
    /// Who asks.
    pub actor: String,
    /// What all that follows from one request has in common.
    pub correlation_id: Uuid,
    /// The event this is an answer to.
    pub causation_id: Option<Uuid>,
    /// The W3C trace context of the request.
    pub traceparent: Option<String>,
    /// When it happens in the world.
    pub occurred_at: Timestamp,
}

impl CommandContext {
    /// The metadata of the events that the command brings about.
    pub fn metadata(&self) -> Metadata {
        Metadata {
            actor: self.actor.clone(),
            command_id: self.command_id,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
            traceparent: self.traceparent.clone(),
            occurred_at: self.occurred_at,
        }
    }
}

/// A command that took effect, now or before.
#[derive(Debug, Clone)]
pub struct Executed<A> {
    /// The position it reached.
    pub position: Position,
    /// The stream's version after it.
    pub version: i64,
    /// Whether it had taken effect before.
    pub replayed: bool,
    /// How many events it appended now: none when it had taken effect before, or when it was so already.
    pub appended: u64,
    /// What it was told, as JSON: the caller's outcome, or on a replay the one recorded then.
    pub outcome: String,
    /// The aggregate after it; on a replay, as it is now.
    pub state: std::sync::Arc<A>,
}

/// Why a command did not take effect.
#[derive(Debug, thiserror::Error)]
pub enum CommandError<R: std::error::Error + 'static> {
    /// The domain refused it.
    #[error(transparent)]
    Refused(R),
    /// Its id was used before with another input.
    #[error("the command id was used with another input")]
    KeyReused,
    /// Others wrote to the aggregate faster than it could be decided.
    #[error("too many conflicting commands")]
    Conflict,
    /// The store failed.
    #[error("the event store failed")]
    Store(#[from] StoreError),
}
