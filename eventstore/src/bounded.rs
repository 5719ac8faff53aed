//! A bound on how long the database may take to answer.

use std::future::Future;
use std::time::Duration;

use crate::error::StoreError;

/// Above the server's own limit on statements, so that this one is met only when the server is out of reach.
const LIMIT: Duration = Duration::from_secs(35);

/// The outcome of `call`, or [`StoreError::TimedOut`].
pub(crate) async fn bounded<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(LIMIT, call).await.map_err(|_elapsed| StoreError::TimedOut)?
}
