//! What can go wrong while a read model is kept.

use daybook_eventstore::StoreError;

/// A target could not take a batch.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Another projector has moved the checkpoint, or the version is no longer followed: this one steps down.
    #[error("the checkpoint is not where this projector left it")]
    Fenced,
    /// What was built is gone: it is built again from the first event.
    #[error("what was built is gone")]
    Lost,
    /// The tables that were built are gone, while the register says that they are there: another version is needed.
    #[error("the tables are gone")]
    Gone,
    /// The version is behind the one that readers see.
    #[error("the version is behind the live one")]
    Behind,
    /// The read database failed.
    #[error("the read database failed")]
    Postgres(#[from] sqlx::Error),
    /// Redis failed.
    #[error("redis failed")]
    Redis(#[from] fred::error::Error),
    /// The search engine failed.
    #[error("the search engine failed")]
    Search(#[from] meilisearch_sdk::errors::Error),
    /// The search engine refused a task.
    #[error("the search engine did not do its task: {1}")]
    Task(meilisearch_sdk::errors::ErrorCode, String),
    /// A row cannot be written as JSON.
    #[error("a row cannot be encoded")]
    Encode(#[from] serde_json::Error),
    /// No answer came in time.
    #[error("no answer came in time")]
    TimedOut,
}

/// A projector, or a request to its runtime, failed.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[from] StoreError),
    /// The target failed.
    #[error("the read model could not be written")]
    Target(#[from] TargetError),
    /// There is a mistake in this program.
    #[error("a task panicked: {0}")]
    Panicked(String),
    /// No read model has this name.
    #[error("there is no read model {0:?}; there are {known}", known = crate::registry::names().join(", "))]
    UnknownName(String),
    /// What the read model needs is not configured.
    #[error("{name} needs {what}, which is not configured")]
    NotConfigured {
        /// The read model.
        name: String,
        /// What it needs.
        what: &'static str,
    },
    /// There is no such version, or it is not in the state that the request needs.
    #[error("{name} has no {what} version")]
    NoVersion {
        /// The read model.
        name: String,
        /// What kind of version is missing.
        what: &'static str,
    },
    /// The version was folded by other code than this program's, which can neither follow nor mend it.
    #[error("version {version} of {name} is of revision {revision}, and this program of {ours}; use its own")]
    OtherRevision {
        /// The read model.
        name: String,
        /// The version that is asked for.
        version: i32,
        /// The revision of the code that folded it.
        revision: i32,
        /// The revision of this program's.
        ours: i32,
    },
    /// The versions stand in different logs, are kept on different servers, or do not come together.
    #[error("version {other} of {name} cannot be compared with the live version {live}: {why}")]
    Incomparable {
        /// The read model.
        name: String,
        /// The live version.
        live: i32,
        /// The other version.
        other: i32,
        /// Why not.
        why: String,
    },
    /// The version has not caught up with the live one.
    #[error("version {version} of {name} is at {position}, behind the live version at {live}")]
    Behind {
        /// The read model.
        name: String,
        /// The version that is to go live.
        version: i32,
        /// Where it is.
        position: i64,
        /// Where the live version is.
        live: i64,
    },
}

impl From<sqlx::Error> for RuntimeError {
    fn from(error: sqlx::Error) -> Self {
        Self::Target(TargetError::Postgres(error))
    }
}
