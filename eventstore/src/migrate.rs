//! Bringing a database to this program's schema, however long that takes.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection, PgPool};

use crate::error::StoreError;

/// Brings the event store's database to this program's schema; several processes may ask at once.
///
/// # Errors
/// When the database fails, or was brought further by a newer program.
pub async fn migrate(pool: &PgPool) -> Result<(), StoreError> {
    Ok(run_migrations(pool, &sqlx::migrate!("../migrations/events")).await?)
}

/// Runs the migrations that a database has not had yet, one process after another. A migration of a large table, or
/// waiting for another process's, is not cut off as other statements of the pool are.
///
/// # Errors
/// When the database fails, or was brought further by a newer program.
pub async fn run_migrations(pool: &PgPool, migrator: &Migrator) -> Result<(), MigrateError> {
    // What it is allowed goes with it.
    let mut connection = pool.acquire().await?.detach();
    sqlx::query("SET statement_timeout = 0").execute(&mut connection).await?;
    migrator.run(&mut connection).await?;
    Ok(connection.close().await?)
}
