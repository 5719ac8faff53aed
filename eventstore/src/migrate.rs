//! Bringing the event store's database to this program's schema.

use sqlx::PgPool;

use crate::error::StoreError;

/// Brings the database to this program's schema; several processes may ask at once.
///
/// # Errors
/// When the database fails, or was brought further by a newer program.
pub async fn migrate(pool: &PgPool) -> Result<(), StoreError> {
    Ok(sqlx::migrate!("../migrations/events").run(pool).await?)
}
