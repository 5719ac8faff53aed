//! An event as a fold sees it: decoded, with its cause and its place in the log.

use daybook_domain::Timestamp;
use daybook_domain::catalogue::DomainEvent;
use daybook_eventstore::{Metadata, Position, RecordedEvent, Upcasters};

/// A decoded event.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// What happened, in today's shape.
    pub event: DomainEvent,
    /// Who caused it, by which command, and when it happened.
    pub metadata: Metadata,
    /// The event as the store has it, whatever shape that is.
    pub recorded: RecordedEvent,
}

impl Envelope {
    /// Its place in the log.
    pub const fn position(&self) -> Position {
        self.recorded.position
    }

    /// When it happened in the world.
    pub const fn occurred_at(&self) -> Timestamp {
        self.metadata.occurred_at
    }

    /// The id of the aggregate whose fact it is.
    pub fn aggregate_id(&self) -> &str {
        &self.recorded.aggregate_id
    }
}

/// An event on its way into a fold.
#[derive(Debug, Clone)]
pub(crate) enum Arrived {
    /// It can be read.
    Readable(Box<Envelope>),
    /// It cannot: its key stops here.
    Unreadable {
        /// The event as the store has it.
        recorded: Box<RecordedEvent>,
        /// Why not.
        reason: String,
    },
}

impl Arrived {
    /// Decodes an event.
    pub(crate) fn from_log(recorded: RecordedEvent, upcasters: &Upcasters) -> Self {
        match (decode(&recorded, upcasters), recorded.metadata()) {
            (Ok(event), Ok(metadata)) => Self::Readable(Box::new(Envelope { event, metadata, recorded })),
            (Err(reason), _) => Self::unreadable(recorded, reason),
            (_, Err(error)) => Self::unreadable(recorded, format!("metadata cannot be read: {error}")),
        }
    }

    fn unreadable(recorded: RecordedEvent, reason: String) -> Self {
        Self::Unreadable { recorded: Box::new(recorded), reason }
    }

    /// The event as the store has it.
    pub(crate) fn recorded(&self) -> &RecordedEvent {
        match self {
            Self::Readable(envelope) => &envelope.recorded,
            Self::Unreadable { recorded, .. } => recorded,
        }
    }

    /// Its place in the log.
    pub(crate) fn position(&self) -> Position {
        self.recorded().position
    }
}

/// What an event says in today's shape, or why that cannot be read.
pub(crate) fn decode(recorded: &RecordedEvent, upcasters: &Upcasters) -> Result<DomainEvent, String> {
    let upcast = upcasters.upcast(recorded).map_err(|error| chain(&error))?;
    let payload = &upcast.as_ref().unwrap_or(recorded).payload;
    DomainEvent::decode(&recorded.aggregate_type, payload).map_err(|error| chain(&error))
}

/// An error with all its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What a panic said.
pub(crate) fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("nothing")
}
