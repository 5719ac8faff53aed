//! An event as it is shown: a line for people, an object for programs. What happened is in today's shape.

use daybook_domain::{Timestamp, catalogue};
use daybook_eventstore::{EventView, Metadata, Position, RecordedEvent, StoreError, Upcasters};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// How long what happened is at most in a line for people.
const WIDEST: usize = 160;

/// An event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Seen {
    pub(crate) position: Position,
    pub(crate) event_id: Uuid,
    pub(crate) event_type: String,
    pub(crate) event_version: String,
    pub(crate) aggregate_type: String,
    pub(crate) aggregate_id: String,
    pub(crate) sequence: i64,
    pub(crate) recorded_at: Timestamp,
    /// Who caused it, and why; nothing when that cannot be read.
    #[serde(flatten)]
    pub(crate) metadata: Option<Metadata>,
    /// What happened: the fields under the event's name, or all of the payload when it is not of that form.
    pub(crate) fields: Value,
}

impl Seen {
    /// In today's shape, or as it was written when newer code wrote it.
    pub(crate) fn of(event: EventView<'_>, upcasters: &Upcasters) -> Result<Self, StoreError> {
        let recorded = event.to_recorded()?;
        Ok(Self::of_recorded(&recorded, upcasters))
    }

    pub(crate) fn of_recorded(recorded: &RecordedEvent, upcasters: &Upcasters) -> Self {
        let upcast = upcasters.upcast(recorded).ok().flatten();
        let todays = upcast.as_ref().unwrap_or(recorded);
        Self {
            position: recorded.position,
            event_id: recorded.event_id,
            event_type: todays.event_type.clone(),
            event_version: recorded.event_version.clone(),
            aggregate_type: recorded.aggregate_type.clone(),
            aggregate_id: recorded.aggregate_id.clone(),
            sequence: recorded.sequence,
            recorded_at: recorded.recorded_at,
            metadata: recorded.metadata().ok(),
            fields: fields(&todays.payload),
        }
    }

    /// When it happened in the world, or was recorded, if the former cannot be read.
    pub(crate) fn at(&self) -> Timestamp {
        self.metadata.as_ref().map_or(self.recorded_at, |metadata| metadata.occurred_at)
    }

    /// Who caused it.
    pub(crate) fn actor(&self) -> &str {
        self.metadata.as_ref().map_or("?", |metadata| metadata.actor.as_str())
    }

    /// For people.
    pub(crate) fn line(&self) -> String {
        let at = self.at().format("%Y-%m-%d %H:%M:%S%.3f");
        let (position, name, id, actor) = (self.position, &self.event_type, &self.aggregate_id, self.actor());
        format!("{position:>9}  {at}  {name:<26}  {id}  {actor}  {}", self.summary())
    }

    /// What happened, as long as a line may be.
    pub(crate) fn summary(&self) -> String {
        let text = self.fields.to_string();
        if text.chars().count() <= WIDEST {
            return text;
        }
        text.chars().take(WIDEST - 1).chain(std::iter::once('…')).collect()
    }

    /// For programs.
    pub(crate) fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// For either.
    pub(crate) fn told(&self, json: bool) -> Result<String, serde_json::Error> {
        if json { self.json() } else { Ok(self.line()) }
    }
}

/// The fields, or the text of what has none.
fn fields(payload: &str) -> Value {
    let fields = catalogue::fields(payload).unwrap_or(payload);
    serde_json::from_str(fields).unwrap_or_else(|_| Value::String(payload.to_owned()))
}
