//! What a read model is: a row per key, and a pure fold of that key's events into it.

use daybook_eventstore::RecordedEvent;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::envelope::Envelope;
use super::table::Table;

/// Why an event could not be folded: its key is parked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// The key's events do not begin with the one that makes the row.
    #[error("there is no {0} yet")]
    NothingYet(&'static str),
    /// The event names a part that the row does not have.
    #[error("there is no such {0}")]
    Unknown(&'static str),
    /// A sum does not fit, or mixes currencies.
    #[error("a sum has no right answer")]
    Arithmetic(#[from] daybook_domain::MoneyError),
}

/// A read model: rows by key, each folded from the events of its key alone. It knows nothing of batches,
/// checkpoints, versions or where its rows are kept.
pub trait ReadModel: Send + Sync + 'static {
    /// The row, as it is stored.
    type Row: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The aggregates whose events it reads; others never reach the fold.
    const SOURCES: &'static [&'static str];

    /// Raised whenever the row or the fold changes: a projector of another revision than the live version
    /// builds the next version by itself.
    const REVISION: i32;

    /// The key whose row this event changes; nothing when it changes none.
    fn key(event: &Envelope) -> Option<String>;

    /// The key to be parked when an event cannot even be decoded.
    fn key_of_unreadable(recorded: &RecordedEvent) -> String {
        recorded.aggregate_id.clone()
    }

    /// The row after the event; nothing when the event takes the row away.
    ///
    /// # Errors
    /// When the event makes no sense for this row.
    fn fold(row: Option<Self::Row>, event: &Envelope) -> Result<Option<Self::Row>, FoldError>;
}

/// A read model that can be kept in Postgres.
pub trait Tabled: ReadModel {
    /// The table of its rows: the row itself is kept whole, the columns are for finding it.
    const TABLE: Table<Self::Row>;

    /// A table with a row per event, when it has one; `key` and `position` identify the row.
    const JOURNAL: Option<Table<Envelope>> = None;
}
