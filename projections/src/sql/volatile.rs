//! Functions that Postgres says may give another result each time, or do something beside giving one.

use sqlx::PgConnection;

use super::account::bounded;
use super::error::{FileError, SqlError};
use super::file::Projection;
use super::words;

/// Makes sure that no statement calls one.
pub(super) async fn check(connection: &mut PgConnection, projection: &Projection) -> Result<(), SqlError> {
    let mut calls = Vec::new();
    for statement in projection.statements() {
        calls.extend(words::calls(statement)?);
    }
    let names: Vec<&str> = calls.iter().map(|(name, _)| name.as_str()).collect();
    let volatile = sqlx::query_scalar(
        "SELECT proname::text FROM pg_proc WHERE provolatile = 'v' AND proname = ANY ($1)",
    )
    .bind(names);
    let volatile: Vec<String> = bounded(volatile.fetch_all(connection)).await?;
    match calls.into_iter().find(|(name, _)| volatile.contains(name)) {
        None => Ok(()),
        Some((name, line)) => {
            let what = format!("{name:?} is not for projections: it may give something else each time");
            Err(FileError { line, what }.into())
        }
    }
}
