//! Which projections in SQL are kept in the read database, and where each stands.

use daybook_eventstore::Position;
use sqlx::{Connection as _, Executor as _, PgPool, Row as _};

use super::account::bounded;
use super::error::SqlError;
use super::state;

/// A projection in SQL that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its name and version.
    pub title: String,
    /// The schema it is in.
    pub schema: String,
    /// The position of the last event that it has dealt with.
    pub position: Position,
}

/// All that are kept, or being built.
///
/// # Errors
/// When the read database fails.
pub async fn standing(read: &PgPool) -> Result<Vec<Standing>, SqlError> {
    let mut connection = bounded(read.acquire()).await?;
    let mut tx = bounded(connection.begin()).await?;
    // The tables belong to others: nothing that they have hung on them is to be run by this account.
    bounded(tx.execute("SET LOCAL row_security = off")).await?;
    let schemas = sqlx::query(
        "SELECT n.nspname::text, quote_ident(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relname = $1 AND c.relkind = 'r' ORDER BY 1",
    );
    let mut found = Vec::new();
    for row in bounded(schemas.bind(state::NAME).fetch_all(&mut *tx)).await? {
        let (schema, quoted): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let statement = format!("SELECT projection, position FROM ONLY {quoted}.{}", state::NAME);
        let run = sqlx::query(&statement).persistent(false).fetch_optional(&mut *tx);
        if let Some(run) = bounded(run).await? {
            found.push(Standing { title: run.try_get(0)?, schema, position: run.try_get(1)? });
        }
    }
    Ok(found)
}
