//! What stops an import. A line that cannot be imported is no error: it is rejected with a reason.

use std::path::PathBuf;

use daybook_eventstore::{CommandError, StoreError, VaultError};
use daybook_projections::read::ReadError;

/// Why an import stopped. What had taken effect stands, and running it again goes on from there.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImportError {
    /// The file cannot be read.
    #[error("{} cannot be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not CSV.
    #[error("{} is not CSV", .path.display())]
    NotCsv {
        /// The file.
        path: PathBuf,
        /// Why.
        source: csv::Error,
    },
    /// The file does not begin with the header.
    #[error("{} does not begin with {header}", .path.display())]
    NoHeader {
        /// The file.
        path: PathBuf,
        /// The header it should begin with.
        header: String,
    },
    /// A report cannot be written.
    #[error("{} cannot be written", .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another import of the same file runs.
    #[error("this file is being imported by another process")]
    Running,
    /// The domain refused what the plan asks for.
    #[error("{document}: {step} was refused")]
    Refused {
        /// The invoice or product.
        document: String,
        /// What was asked.
        step: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The invoice was imported before, from a file that says something else of it.
    #[error("{document} was imported before with other content")]
    OtherContent {
        /// The invoice or product.
        document: String,
    },
    /// What a command must have left is not there.
    #[error("{document}: {what} is not there")]
    Vanished {
        /// The invoice or product.
        document: String,
        /// What.
        what: String,
    },
    /// Others write to the same aggregate all the time.
    #[error("{document}: {step} was crowded out by other commands")]
    CrowdedOut {
        /// The invoice or product.
        document: String,
        /// What was asked.
        step: String,
    },
    /// The event store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Personal data could not be sealed.
    #[error("personal data could not be sealed")]
    Vault(#[from] VaultError),
    /// A database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// An invoice was not begun because one before it failed.
    #[error("the import stopped")]
    Stopped,
    /// A part of the import ended without a word.
    #[error("a part of the import was lost")]
    Lost(#[from] tokio::task::JoinError),
    /// The read model cannot be read.
    #[error("the read model cannot be read")]
    ReadModel(#[from] ReadError),
    /// The money in the events or the read model is not the money of the lines.
    #[error("by {whose}, {wrong} orders are not what the file says; the first is {first}")]
    MoneyDiffers {
        /// Whose account it is.
        whose: &'static str,
        /// How many orders.
        wrong: usize,
        /// The first of them.
        first: String,
    },
}

impl ImportError {
    /// Why a command of an invoice did not take effect.
    pub(super) fn of<R>(error: CommandError<R>, document: &str, step: &str) -> Self
    where
        R: std::error::Error + Send + Sync + 'static,
    {
        let (document, step) = (document.to_owned(), step.to_owned());
        match error {
            CommandError::Refused(source) => Self::Refused { document, step, source: Box::new(source) },
            CommandError::KeyReused => Self::OtherContent { document },
            CommandError::Conflict => Self::CrowdedOut { document, step },
            CommandError::Store(source) => Self::Store(source),
        }
    }
}
