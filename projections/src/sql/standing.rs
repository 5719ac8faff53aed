//! Which projections in SQL are kept in the read database, and where each stands.

use daybook_eventstore::{Checkpoint, EventHash};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool, Row as _};

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
    /// Where it stands in the log that it was made of.
    pub at: Checkpoint,
}

/// What is no table of ours, or went while it was looked at: of no such table, schema or column, or not to be read.
const NOT_OURS: &[&str] = &["42P01", "3F000", "42703", "42501"];

/// All that are kept, or being built.
///
/// # Errors
/// When the read database fails.
pub async fn standing(read: &PgPool) -> Result<Vec<Standing>, SqlError> {
    let mut connection = bounded(read.acquire()).await?;
    let schemas = sqlx::query(
        "SELECT n.nspname::text, quote_ident(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_roles r ON r.oid = c.relowner
         WHERE c.relname = $1 AND c.relkind = 'r' AND starts_with(r.rolname, 'daybook_') ORDER BY 1",
    );
    let mut found = Vec::new();
    for row in bounded(schemas.bind(state::NAME).fetch_all(&mut *connection)).await? {
        let (schema, quoted): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        match look(&mut connection, &quoted).await {
            Ok(Some((title, at))) => found.push(Standing { title, schema, at }),
            Ok(None) => {}
            Err(SqlError::Database(sqlx::Error::Database(error)))
                if error.code().is_some_and(|code| NOT_OURS.contains(&&*code)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

async fn look(connection: &mut PgConnection, schema: &str) -> Result<Option<(String, Checkpoint)>, SqlError> {
    let mut tx = bounded(connection.begin()).await?;
    // The tables belong to others: nothing that they have hung on them is to be run by this account.
    bounded(tx.execute("SET LOCAL row_security = off")).await?;
    let statement =
        format!("SELECT projection, epoch, position, event_hash FROM ONLY {schema}.{}", state::NAME);
    let run = bounded(sqlx::query(&statement).persistent(false).fetch_optional(&mut *tx)).await?;
    bounded(tx.rollback()).await?;
    let Some(run) = run else { return Ok(None) };
    let hash = EventHash(run.try_get(3)?);
    Ok(Some((run.try_get(0)?, Checkpoint { epoch: run.try_get(1)?, position: run.try_get(2)?, hash })))
}
