//! What can go wrong in the store itself; a refusal by the domain is not one of these.

use crate::event::RecordedEvent;

/// A fault of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed or did not answer in time.
    #[error("the event store's database failed")]
    Database(#[from] sqlx::Error),
    /// The database is older or newer than this program.
    #[error("the event store's schema could not be migrated")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The queue of appends is full; nothing was done, and the caller may try again later.
    #[error("the event store is overloaded")]
    Overloaded,
    /// No answer came in time; the append may or may not have been done, and the same command may be sent again.
    #[error("the event store did not answer in time")]
    TimedOut,
    /// A decision on several aggregates turned to one that is not in memory yet; it is to be passed on, and the decision
    /// is taken again.
    #[error("an aggregate is not at hand yet")]
    NotAtHand,
    /// The store is shutting down.
    #[error("the event store is closed")]
    Closed,
    /// Something stored could not be read by this program.
    #[error("stored {what} of {of} cannot be decoded")]
    Undecodable {
        /// Which kind of thing.
        what: &'static str,
        /// Whose.
        of: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Something stored is an event that this program does not know, by its type or its version: newer code wrote it. What
    /// it means is never guessed.
    #[error(
        "the event at position {position} is a {event_type} of version {event_version}, which is not known here"
    )]
    UnknownEvent {
        /// Its type.
        event_type: String,
        /// Its version.
        event_version: String,
        /// Its place in the log.
        position: i64,
    },
    /// The log at the checkpoint is not the log that the checkpoint was taken of.
    #[error("the log is not the one that {name} stood on at position {position}")]
    LogDiverged {
        /// Whose checkpoint.
        name: String,
        /// The checkpoint's position.
        position: i64,
    },
    /// An archive of events cannot be read or written, or is not as it was written.
    #[error("the archive {path} cannot be used")]
    Archive {
        /// Where it is.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An event has left the database, and this process was not told where the archives are.
    #[error("the event at position {position} is in an archive only, and no folder of archives is given")]
    Archived {
        /// The event's position.
        position: i64,
    },
    /// There is no archive with this position.
    #[error("there is no archive of a partition with position {position}")]
    NotArchived {
        /// The position.
        position: i64,
    },
}

impl StoreError {
    /// That this event is not known.
    pub(crate) fn unknown(event: &RecordedEvent) -> Self {
        let RecordedEvent { event_type, event_version, position, .. } = event.clone();
        Self::UnknownEvent { event_type, event_version, position }
    }
}
