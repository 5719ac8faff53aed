//! One projector per version at a time: a session's advisory lock on the read primary. It keeps others standing
//! by; that none writes after losing it is the checkpoint's doing.

use sqlx::{Connection, PgConnection, PgPool};

/// Holds the lock until dropped.
pub(crate) struct VersionLock {
    _session: PgConnection,
}

impl VersionLock {
    /// Waits until nobody else follows this version.
    pub(crate) async fn acquire(pool: &PgPool, name: &str, version: i32) -> Result<Self, sqlx::Error> {
        let mut session = PgConnection::connect_with(&pool.connect_options()).await?;
        // It waits for as long as it takes; but a waiter that died must not be given the lock.
        sqlx::query("SET statement_timeout = 0").execute(&mut session).await?;
        sqlx::query("SET client_connection_check_interval = '1s'").execute(&mut session).await?;
        sqlx::query("SELECT pg_advisory_lock(hashtextextended($1, 0))")
            .bind(format!("daybook projector {name}@{version}"))
            .execute(&mut session)
            .await?;
        Ok(Self { _session: session })
    }
}
