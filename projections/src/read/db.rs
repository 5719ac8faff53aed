//! The database that queries read: a replica, asked with a time limit.

use std::time::Duration;

use serde::de::DeserializeOwned;
use sqlx::PgPool;
use sqlx::postgres::PgRow;

/// A query failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The read model has never been built.
    #[error("the read model is not there yet")]
    NotBuilt,
    /// The replica failed.
    #[error("the read database failed")]
    Database(#[source] sqlx::Error),
    /// The replica did not answer in time.
    #[error("the read database did not answer in time")]
    TimedOut,
    /// The replica has too much to do, or had to end the query to go on; it may be asked again.
    #[error("the read database is overloaded")]
    Overloaded,
    /// The cursor is not one of this list in this order.
    #[error("the cursor is not one of this list")]
    WrongCursor,
    /// A stored row is not of this program's shape.
    #[error("a stored row cannot be decoded")]
    Undecodable(#[from] serde_json::Error),
    /// The search engine failed.
    #[error("the search engine failed")]
    Search(#[source] meilisearch_sdk::errors::Error),
}

impl From<sqlx::Error> for ReadError {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Overloaded;
        }
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        match code.as_deref() {
            // undefined_table and invalid_schema_name: no version was ever made live. undefined_column: none of this
            // program's revision was.
            Some("42P01" | "3F000" | "42703") => Self::NotBuilt,
            // query_canceled: the statement's own time limit.
            Some("57014") => Self::TimedOut,
            // serialization_failure, which on a replica is a conflict with its recovery, and too_many_connections.
            Some("40001" | "53300") => Self::Overloaded,
            _ => Self::Database(error),
        }
    }
}

/// A replica of the read database (or, on one machine, its primary).
#[derive(Debug, Clone)]
pub struct ReadDb {
    pool: PgPool,
    limit: Duration,
}

impl ReadDb {
    /// Reads there; no query takes longer than `limit`.
    pub const fn new(replica: PgPool, limit: Duration) -> Self {
        Self { pool: replica, limit }
    }

    pub(crate) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Waits for a query, but not for ever.
    pub(crate) async fn within<T>(
        &self,
        query: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, ReadError> {
        let answer = tokio::time::timeout(self.limit, query).await;
        answer.map_err(|_| ReadError::TimedOut)?.map_err(ReadError::from)
    }
}

/// The `doc` of a row.
pub(crate) fn doc<T: DeserializeOwned>(row: &PgRow) -> Result<T, ReadError> {
    let text: &str = sqlx::Row::try_get(row, "doc")?;
    Ok(serde_json::from_str(text)?)
}
