//! Beginning a transaction in a way that may be given up.

use sqlx::{PgPool, Postgres, Transaction};

/// Begins a transaction on one of the pool's connections. Dropping the future, as a time-out or an abort does, leaves no
/// transaction open.
///
/// The pool's own `begin` does: dropped after it has sent its statement and before it is answered, it puts the
/// connection back inside a transaction that nobody knows of. Whatever is written there next looks committed to whoever
/// gets the same connection and to nobody else, and is lost with it.
///
/// # Errors
/// When there is no connection to be had in time, or the database fails.
pub async fn begin_tx(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    #[expect(clippy::disallowed_methods, reason = "here it always comes to its end")]
    let beginning = tokio::spawn(async move { pool.begin().await });
    // It ends by itself, and a transaction that nobody waits for any more is rolled back when it is dropped.
    beginning.await.map_err(|_lost| sqlx::Error::WorkerCrashed)?
}
