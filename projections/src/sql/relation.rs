//! The relation `events`: what a statement sees of the events of a batch. It is a temporary table that is filled anew for
//! each section, so Postgres knows how large it is when it plans.

use std::borrow::Cow;

use daybook_domain::Timestamp;
use daybook_domain::catalogue::fields;
use daybook_eventstore::{CopyRows, EventView, Position, RecordedEvent, Upcasters};
use serde::Deserialize;
use uuid::Uuid;

use super::error::SqlError;

/// The table, as the account of the projection makes it for itself.
pub(super) const TABLE: &str = "CREATE TEMP TABLE events (
    position bigint, event_type text, aggregate_type text, aggregate_id text, sequence bigint, actor text,
    occurred_at timestamptz, recorded_at timestamptz, event_id uuid, command_id uuid, correlation_id uuid,
    causation_id uuid, payload jsonb
) ON COMMIT DELETE ROWS";
/// How it is emptied for the next section.
pub(super) const CLEAR: &str = "TRUNCATE pg_temp.events";

/// A column of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Position,
    EventType,
    AggregateType,
    AggregateId,
    Sequence,
    Actor,
    OccurredAt,
    RecordedAt,
    EventId,
    CommandId,
    CorrelationId,
    CausationId,
    Payload,
}

impl Column {
    /// All of them.
    pub(super) const ALL: [Self; 13] = [
        Self::Position,
        Self::EventType,
        Self::AggregateType,
        Self::AggregateId,
        Self::Sequence,
        Self::Actor,
        Self::OccurredAt,
        Self::RecordedAt,
        Self::EventId,
        Self::CommandId,
        Self::CorrelationId,
        Self::CausationId,
        Self::Payload,
    ];

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Position => "position",
            Self::EventType => "event_type",
            Self::AggregateType => "aggregate_type",
            Self::AggregateId => "aggregate_id",
            Self::Sequence => "sequence",
            Self::Actor => "actor",
            Self::OccurredAt => "occurred_at",
            Self::RecordedAt => "recorded_at",
            Self::EventId => "event_id",
            Self::CommandId => "command_id",
            Self::CorrelationId => "correlation_id",
            Self::CausationId => "causation_id",
            Self::Payload => "payload",
        }
    }

    /// Whether it is part of the metadata.
    const fn is_cause(self) -> bool {
        matches!(
            self,
            Self::Actor | Self::OccurredAt | Self::CommandId | Self::CorrelationId | Self::CausationId
        )
    }
}

/// How the relation is filled, with these columns and no others; at least one.
fn copy(columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
    format!("COPY pg_temp.events ({}) FROM STDIN (FORMAT binary)", names.join(", "))
}

/// Who caused an event and why, borrowed.
#[derive(Debug, Deserialize)]
struct Cause<'a> {
    #[serde(borrow)]
    actor: Cow<'a, str>,
    command_id: Uuid,
    correlation_id: Uuid,
    causation_id: Option<Uuid>,
    occurred_at: Timestamp,
}

/// The events of one section, as they are sent.
#[derive(Debug)]
pub(super) struct Rows {
    sent: CopyRows,
    /// The statement that takes them.
    copy: String,
    /// How many bytes come before the first row.
    header: usize,
    /// After each row, how many bytes there are, and the position of its event.
    ends: Vec<(usize, Position)>,
}

impl Rows {
    /// None yet, with these columns.
    fn new(columns: &[Column]) -> Self {
        let rows = CopyRows::of(i16::try_from(columns.len()).unwrap_or(i16::MAX));
        Self { header: rows.unsent().len(), sent: rows, copy: copy(columns), ends: Vec::new() }
    }

    /// The statement that takes them.
    pub(super) fn copy(&self) -> &str {
        &self.copy
    }

    pub(super) const fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many bytes are sent for them.
    pub(super) fn bytes(&self) -> usize {
        self.sent.unsent().len()
    }

    /// The positions of the first and the last event.
    pub(super) fn span(&self) -> (Position, Position) {
        let position = |end: Option<&(usize, Position)>| end.map_or(0, |(_, position)| *position);
        (position(self.ends.first()), position(self.ends.last()))
    }

    /// The position of the last of the first `count` events.
    pub(super) fn position(&self, count: usize) -> Position {
        count.checked_sub(1).and_then(|last| self.ends.get(last)).map_or(0, |(_, position)| *position)
    }

    /// What is sent for the first `count` events, but for the trailer.
    pub(super) fn first(&self, count: usize) -> &[u8] {
        let last = count.checked_sub(1).and_then(|last| self.ends.get(last));
        &self.sent.unsent()[..last.map_or(self.header, |(end, _)| *end)]
    }

    fn push(&mut self, event: &Event<'_>, columns: &[Column]) -> Result<(), SqlError> {
        self.sent.begin();
        for column in columns {
            event.put(*column, &mut self.sent)?;
        }
        self.ends.push((self.sent.unsent().len(), event.position));
        Ok(())
    }
}

/// An event in today's shape, borrowed from where it lies.
struct Event<'a> {
    position: Position,
    name: &'a str,
    payload: &'a str,
    view: EventView<'a>,
    /// Read when something of it is wanted.
    cause: Option<Cause<'a>>,
}

impl Event<'_> {
    fn put(&self, column: Column, rows: &mut CopyRows) -> Result<(), SqlError> {
        let (view, cause) = (self.view, self.cause.as_ref());
        match (column, cause) {
            (Column::Position, _) => rows.int8(self.position),
            (Column::EventType, _) => rows.text(self.name),
            (Column::AggregateType, _) => rows.text(view.aggregate_type()?),
            (Column::AggregateId, _) => rows.text(view.aggregate_id()?),
            (Column::Sequence, _) => rows.int8(view.sequence()?),
            (Column::RecordedAt, _) => rows.timestamptz(view.recorded_at()?),
            (Column::EventId, _) => rows.uuid(view.event_id()?),
            (Column::Payload, _) => {
                rows.jsonb(fields(self.payload).map_err(|error| unreadable(self.position, &error))?);
            }
            (Column::Actor, Some(cause)) => rows.text(&cause.actor),
            (Column::OccurredAt, Some(cause)) => rows.timestamptz(cause.occurred_at),
            (Column::CommandId, Some(cause)) => rows.uuid(cause.command_id),
            (Column::CorrelationId, Some(cause)) => rows.uuid(cause.correlation_id),
            (Column::CausationId, Some(Cause { causation_id: Some(id), .. })) => rows.uuid(*id),
            (
                Column::Actor
                | Column::OccurredAt
                | Column::CommandId
                | Column::CorrelationId
                | Column::CausationId,
                _,
            ) => rows.null(),
        }
        Ok(())
    }
}

fn unreadable(position: Position, error: &serde_json::Error) -> SqlError {
    SqlError::Unreadable { position, reason: error.to_string() }
}

/// What a section is given.
#[derive(Debug, Clone)]
pub(super) struct Share {
    /// Events of these types.
    pub(super) types: Vec<String>,
    /// With these columns: those that its statements use.
    pub(super) columns: Vec<Column>,
}

/// Which events a run is of, section by section, and up to which moment.
#[derive(Debug, Clone)]
pub(super) struct Sorting {
    /// What each section is given.
    pub(super) shares: Vec<Share>,
    /// What brings events to today's shape.
    pub(super) upcasters: Upcasters,
    /// Only what had happened by then.
    pub(super) as_of: Option<Timestamp>,
}

impl Sorting {
    /// No rows yet, for each section.
    pub(super) fn rows(&self) -> Vec<Rows> {
        self.shares.iter().map(|share| Rows::new(&share.columns)).collect()
    }

    /// Puts an event where it belongs; whether that is anywhere.
    pub(super) fn sort(&self, view: EventView<'_>, into: &mut [Rows]) -> Result<bool, SqlError> {
        if self.upcasters.is_todays(view.event_type()?, view.event_version()?) {
            return self.put(view, view.event_type()?, view.payload()?, into);
        }
        let recorded: RecordedEvent = view.to_recorded()?;
        match self.upcasters.upcast(&recorded)? {
            Some(todays) => self.put(view, &todays.event_type, &todays.payload, into),
            None => self.put(view, view.event_type()?, view.payload()?, into),
        }
    }

    fn put<'a>(
        &self,
        view: EventView<'a>,
        event_type: &'a str,
        payload: &'a str,
        into: &mut [Rows],
    ) -> Result<bool, SqlError> {
        let wants = |share: &Share| share.types.iter().any(|wanted| wanted == event_type);
        let mut event = Event { position: view.position()?, name: event_type, payload, view, cause: None };
        let is_asked = |share: &Share| wants(share) && share.columns.iter().any(|column| column.is_cause());
        if self.as_of.is_some() || self.shares.iter().any(is_asked) {
            let cause = serde_json::from_str(view.metadata()?);
            event.cause = Some(cause.map_err(|error| unreadable(event.position, &error))?);
        }
        let is_later = |cause: &Cause<'_>| self.as_of.is_some_and(|as_of| cause.occurred_at > as_of);
        if event.cause.as_ref().is_some_and(is_later) {
            return Ok(false);
        }
        let mut found = false;
        for (share, rows) in self.shares.iter().zip(into).filter(|(share, _)| wants(share)) {
            rows.push(&event, &share.columns)?;
            found = true;
        }
        Ok(found)
    }
}
