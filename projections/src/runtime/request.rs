//! One request to Meilisearch: how long it may take, and what its refusals mean.

use std::time::Duration;

use meilisearch_sdk::errors::{Error, ErrorCode};

use super::error::TargetError;

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(5);

/// What a request comes to, in time.
pub(super) async fn within<T>(request: impl Future<Output = Result<T, Error>>) -> Result<T, TargetError> {
    Ok(tokio::time::timeout(REQUEST, request).await.map_err(|_| TargetError::TimedOut)??)
}

/// Nothing instead of an error when the index or the document is not there.
pub(super) fn found<T>(result: Result<T, TargetError>) -> Result<Option<T>, TargetError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(TargetError::Search(error)) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether it says that an index or a document is not there.
pub(crate) fn is_absent(error: &Error) -> bool {
    let Error::Meilisearch(error) = error else { return false };
    matches!(error.error_code, ErrorCode::IndexNotFound | ErrorCode::DocumentNotFound)
}
