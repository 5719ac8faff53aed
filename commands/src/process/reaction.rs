//! One event, and the commands that answer it.

use cqrs_es::Aggregate;
use daybook_domain::catalogue::DomainEvent;
use daybook_domain::{CommandId, Timestamp};
use daybook_eventstore::{
    CommandContext, CommandError, EventStore, Executed, Fingerprint, Metadata, RecordedEvent, Repository,
    StoreError, Unit, Upcasters, trace_id,
};
use uuid::Uuid;

use super::ProcessError;

/// Events that another system's history brings with it; nobody reacts to history.
const IMPORTED: &str = "import:";
/// The outcome of a step: all that it comes to is in its events.
const NOTHING: &str = "null";

/// An event to be reacted to.
#[derive(Debug, Clone)]
pub struct Reaction {
    /// What happened.
    pub event: DomainEvent,
    /// The aggregate it happened to.
    pub aggregate_id: String,
    /// Its id.
    pub event_id: Uuid,
    /// Its place in the log.
    pub position: i64,
    metadata: Metadata,
    actor: String,
}

impl Reaction {
    /// The reaction of `process` to a recorded event, brought to today's shape first; nothing when it was imported.
    ///
    /// # Errors
    /// When the event is not one this program knows.
    pub fn to(
        event: &RecordedEvent,
        process: &str,
        upcasters: &Upcasters,
    ) -> Result<Option<Self>, StoreError> {
        let undecodable = |source| StoreError::Undecodable {
            what: "metadata",
            of: format!("{} at position {}", event.event_type, event.position),
            source,
        };
        let metadata = event.metadata().map_err(undecodable)?;
        if metadata.actor.starts_with(IMPORTED) {
            return Ok(None);
        }
        Ok(Some(Self {
            event: decode(upcasters.upcast(event)?.as_ref().unwrap_or(event))?,
            aggregate_id: event.aggregate_id.clone(),
            event_id: event.event_id,
            position: event.position,
            metadata,
            actor: format!("process:{process}"),
        }))
    }

    /// The circumstances of the command of this step. The same step of the same reaction always has the same id,
    /// whatever the command then says: what was decided first stands.
    pub fn context(&self, step: &str, now: Timestamp) -> CommandContext {
        CommandContext {
            command_id: CommandId::derived(self.event_id, step),
            fingerprint: Fingerprint::of(&[step.as_bytes()]),
            actor: self.actor.clone(),
            correlation_id: self.metadata.correlation_id,
            causation_id: Some(self.event_id),
            traceparent: self.metadata.traceparent.clone(),
            occurred_at: now,
        }
    }

    /// What all that follows from one request has in common.
    pub const fn correlation_id(&self) -> Uuid {
        self.metadata.correlation_id
    }

    /// The W3C trace context of the request.
    pub fn traceparent(&self) -> Option<&str> {
        self.metadata.traceparent.as_deref()
    }

    /// The trace that the request is part of.
    pub fn trace_id(&self) -> Option<&str> {
        self.traceparent().and_then(trace_id)
    }
}

fn decode(event: &RecordedEvent) -> Result<DomainEvent, StoreError> {
    DomainEvent::decode(&event.aggregate_type, &event.payload).map_err(|error| StoreError::Undecodable {
        what: "event",
        of: format!("{} at position {}", event.event_type, event.position),
        source: serde::de::Error::custom(error),
    })
}

/// Executes a command whose refusal the process has an answer to; every other failure ends the reaction.
///
/// # Errors
/// When it could not be decided.
pub async fn ask<A>(
    repository: &Repository<A>,
    id: &str,
    command: A::Command,
    context: &CommandContext,
) -> Result<Result<Executed<A>, A::Error>, ProcessError>
where
    A: Aggregate<Services = ()> + Clone + 'static,
    A::Command: Clone + Send + Sync,
    A::Error: Send + 'static,
{
    answer(repository.execute(id, command, context, NOTHING).await)
}

/// Executes a command that the process needs done; a `harmless` refusal is as good as done.
///
/// # Errors
/// [`ProcessError::Refused`] for every other refusal, and when it could not be decided.
pub async fn tell<A>(
    repository: &Repository<A>,
    id: &str,
    command: A::Command,
    context: &CommandContext,
    harmless: fn(&A::Error) -> bool,
) -> Result<(), ProcessError>
where
    A: Aggregate<Services = ()> + Clone + 'static,
    A::Command: Clone + Send + Sync,
    A::Error: Send + 'static,
{
    done(answer(repository.execute(id, command, context, NOTHING).await)?, harmless)
}

/// The same for a command that usually makes the aggregate.
///
/// # Errors
/// Those of [`tell`].
pub async fn begin<A>(
    repository: &Repository<A>,
    id: &str,
    command: A::Command,
    context: &CommandContext,
    harmless: fn(&A::Error) -> bool,
) -> Result<(), ProcessError>
where
    A: Aggregate<Services = ()> + Clone + 'static,
    A::Command: Clone + Send + Sync,
    A::Error: Send + 'static,
{
    done(answer(repository.create(id, command, context, NOTHING).await)?, harmless)
}

/// Executes one command on as many aggregates as `decide` turns to ([`EventStore::together`]).
///
/// # Errors
/// What `decide` returned, and when it could not be decided.
pub async fn together(
    store: &EventStore,
    context: &CommandContext,
    decide: impl Fn(&mut Unit<'_>) -> Result<(), ProcessError> + Sync,
) -> Result<(), ProcessError> {
    match store.together(context, NOTHING, decide).await {
        Ok(_) => Ok(()),
        Err(CommandError::Refused(error)) => Err(error),
        Err(CommandError::Store(error)) => Err(ProcessError::Store(error)),
        Err(CommandError::Conflict | CommandError::KeyReused) => Err(ProcessError::Conflict),
    }
}

/// A part of such a command that the process cannot do without.
///
/// # Errors
/// [`ProcessError::Refused`] when the domain refused it.
pub fn must<A, R: std::error::Error>(decided: Result<A, R>) -> Result<(), ProcessError> {
    decided.map(drop).map_err(|refusal| ProcessError::refused(&refusal))
}

fn answer<A, R: std::error::Error>(
    executed: Result<Executed<A>, CommandError<R>>,
) -> Result<Result<Executed<A>, R>, ProcessError> {
    match executed {
        Ok(executed) => Ok(Ok(executed)),
        Err(CommandError::Refused(refusal)) => Ok(Err(refusal)),
        Err(CommandError::Store(error)) => Err(ProcessError::Store(error)),
        // A step's id and fingerprint are both made from the step, so a reuse is a conflict of two programs' versions.
        Err(CommandError::Conflict | CommandError::KeyReused) => Err(ProcessError::Conflict),
    }
}

fn done<A, R: std::error::Error>(
    told: Result<Executed<A>, R>,
    harmless: fn(&R) -> bool,
) -> Result<(), ProcessError> {
    match told {
        Err(refusal) if !harmless(&refusal) => Err(ProcessError::refused(&refusal)),
        Ok(_) | Err(_) => Ok(()),
    }
}
