//! An event as it lies in what the database sent: nothing is decoded before somebody asks for it, nor copied before
//! somebody wants to keep it.

use daybook_domain::Timestamp;
use serde::Deserialize;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::error::StoreError;
use crate::event::{Position, RecordedEvent};

/// The columns of an event, for every query that reads events.
pub(crate) const COLUMNS: &str = "position, event_id, aggregate_type, aggregate_id, sequence, event_type, event_version, \
     payload, metadata, recorded_at";

/// The same with nothing in the place of what is not part of what happened.
pub(super) const WHAT_HAPPENED: &str = "position, NULL::uuid, aggregate_type, aggregate_id, sequence, event_type, \
     event_version, payload, NULL::json, NULL::timestamptz";

/// An event of the log, borrowed. What its selection is without need not be there: to ask for it is an error.
#[derive(Debug, Clone, Copy)]
pub struct EventView<'r>(Source<'r>);

/// Where it lies.
#[derive(Debug, Clone, Copy)]
enum Source<'r> {
    /// In a row of [`COLUMNS`].
    Row(&'r PgRow),
    /// In what was read from an archive.
    Archive(&'r RecordedEvent),
}

/// Reads a column, or takes a field.
macro_rules! column {
    ($view:ident, $index:literal, $event:ident => $field:expr) => {
        match $view.0 {
            // The types are those of the table. Among them `json` is sent as its text, which the driver does not know:
            // to be asked for text the server would copy it twice.
            Source::Row(row) => Ok(row.try_get_unchecked($index)?),
            Source::Archive($event) => Ok($field),
        }
    };
}

impl<'r> EventView<'r> {
    /// The event in a row of [`COLUMNS`].
    pub(crate) const fn of(row: &'r PgRow) -> Self {
        Self(Source::Row(row))
    }

    /// The event that was read from an archive.
    pub(super) const fn archived(event: &'r RecordedEvent) -> Self {
        Self(Source::Archive(event))
    }

    /// Its place in the log.
    ///
    /// # Errors
    /// When the database sent something else; so with all that follow.
    pub fn position(self) -> Result<Position, StoreError> {
        column!(self, 0, event => event.position)
    }

    /// Its id.
    pub fn event_id(self) -> Result<Uuid, StoreError> {
        column!(self, 1, event => event.event_id)
    }

    /// The aggregate's type.
    pub fn aggregate_type(self) -> Result<&'r str, StoreError> {
        column!(self, 2, event => &event.aggregate_type)
    }

    /// The aggregate's id.
    pub fn aggregate_id(self) -> Result<&'r str, StoreError> {
        column!(self, 3, event => &event.aggregate_id)
    }

    /// Its place in the aggregate's stream, from 1.
    pub fn sequence(self) -> Result<i64, StoreError> {
        column!(self, 4, event => event.sequence)
    }

    /// Its type.
    pub fn event_type(self) -> Result<&'r str, StoreError> {
        column!(self, 5, event => &event.event_type)
    }

    /// The version of its payload's fields.
    pub fn event_version(self) -> Result<&'r str, StoreError> {
        column!(self, 6, event => &event.event_version)
    }

    /// Its payload, as the bytes that were written.
    pub fn payload(self) -> Result<&'r str, StoreError> {
        column!(self, 7, event => &event.payload)
    }

    /// Its metadata, as the bytes that were written.
    pub fn metadata(self) -> Result<&'r str, StoreError> {
        column!(self, 8, event => &event.metadata)
    }

    /// When the store recorded it.
    pub fn recorded_at(self) -> Result<Timestamp, StoreError> {
        column!(self, 9, event => event.recorded_at)
    }

    /// Its payload as `E`, with no tree of values between.
    ///
    /// # Errors
    /// [`StoreError::Undecodable`] when it is not an `E`.
    pub fn payload_as<E: Deserialize<'r>>(self) -> Result<E, StoreError> {
        serde_json::from_str(self.payload()?).map_err(|source| StoreError::Undecodable {
            what: "event",
            of: self.position().map(|position| format!("position {position}")).unwrap_or_default(),
            source,
        })
    }

    /// The event, to keep.
    pub fn to_recorded(self) -> Result<RecordedEvent, StoreError> {
        Ok(RecordedEvent {
            position: self.position()?,
            event_id: self.event_id()?,
            aggregate_type: self.aggregate_type()?.to_owned(),
            aggregate_id: self.aggregate_id()?.to_owned(),
            sequence: self.sequence()?,
            event_type: self.event_type()?.to_owned(),
            event_version: self.event_version()?.to_owned(),
            payload: self.payload()?.to_owned(),
            metadata: self.metadata()?.to_owned(),
            recorded_at: self.recorded_at()?,
        })
    }
}

impl<'r> From<&'r RecordedEvent> for EventView<'r> {
    fn from(event: &'r RecordedEvent) -> Self {
        Self::archived(event)
    }
}

pub(crate) fn decode(row: &PgRow) -> Result<RecordedEvent, StoreError> {
    EventView::of(row).to_recorded()
}
