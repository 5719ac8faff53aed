//! Bringing the read database to this program's schema.

use daybook_eventstore::run_migrations;
use sqlx::PgPool;
use sqlx::migrate::MigrateError;

/// Makes the register of versions and what else the read models share; each version's own tables are made by its
/// projector. Several processes may ask at once.
///
/// # Errors
/// When the database fails, or was brought further by a newer program.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    run_migrations(pool, &sqlx::migrate!("../migrations/read")).await
}
