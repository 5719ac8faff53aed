//! What can be wrong with a projection in SQL, and with running it.

use std::fmt;
use std::time::Duration;

use daybook_eventstore::{Position, StoreError};

/// The file is not a projection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct FileError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

impl FileError {
    pub(super) fn at(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

/// Which events a statement was run for when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blamed {
    /// None: it makes the tables.
    Nothing,
    /// It goes well for the events before this one, and not with it.
    Event(Position),
    /// It fails whatever the events are; these are the first it was run for.
    Batch(Position, Position),
}

impl fmt::Display for Blamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::Event(position) => write!(f, ", at the event at position {position}"),
            Self::Batch(first, last) => write!(f, ", for the events at positions {first} to {last}"),
        }
    }
}

/// A projection in SQL could not be run.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The file is not one.
    #[error(transparent)]
    File(#[from] FileError),
    /// Postgres refused a statement.
    #[error("line {line}{blamed}: {message}")]
    Statement {
        /// The line of the file.
        line: usize,
        /// Which events it was run for.
        blamed: Blamed,
        /// What Postgres says.
        message: String,
    },
    /// A statement took longer than it may.
    #[error("line {line}{blamed}: the statement took longer than {} s", limit.as_secs())]
    TooLong {
        /// The line of the file.
        line: usize,
        /// Which events it was run for.
        blamed: Blamed,
        /// How long it may take.
        limit: Duration,
    },
    /// An event is not what events are.
    #[error("the event at position {position} cannot be read: {reason}")]
    Unreadable {
        /// Its position.
        position: Position,
        /// Why not.
        reason: String,
    },
    /// Events left the database, or came back, while the log was read: it is read again from where the run stands.
    #[error("the log was moved while it was read")]
    Moved,
    /// The log could not be read, or is another one.
    #[error("the log could not be read")]
    Log(#[from] StoreError),
    /// The read database failed.
    #[error("the read database failed")]
    Database(#[from] sqlx::Error),
    /// No answer came in time.
    #[error("the read database did not answer in time")]
    TimedOut,
    /// Another run of the same projection is under way, or has moved it.
    #[error("another run of {0} is under way")]
    UnderWay(String),
    /// There is a schema of this name that no run of this projection made.
    #[error("the schema {0} is there already, and this projection did not make it")]
    NotOurs(String),
    /// The name of the schema is for something else.
    #[error("the schema cannot be named {0}, which is for something else")]
    Reserved(String),
    /// What is there was made by another file, or of other events.
    #[error("the schema {schema} was made {by}: give the projection another version, or run with --replace")]
    MadeOtherwise {
        /// The schema.
        schema: String,
        /// By what.
        by: String,
    },
    /// The account of the read database may not do what it takes.
    #[error("the account of DAYBOOK_READ_URL may not {0}")]
    NotAllowed(&'static str),
}

impl SqlError {
    /// Whether it is the file that is wrong: another run of it would fail too.
    pub const fn is_of_the_file(&self) -> bool {
        matches!(self, Self::File(_) | Self::Statement { .. } | Self::TooLong { .. })
    }

    /// Whether it may pass by itself.
    pub(super) const fn is_outage(&self) -> bool {
        matches!(self, Self::Log(_) | Self::Moved | Self::Database(_) | Self::TimedOut)
    }
}
