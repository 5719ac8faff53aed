//! One projector per version at a time: the leadership of following it, on the read primary. It keeps others standing
//! by; that none writes after losing it is the checkpoint's doing.

use daybook_eventstore::process::Leadership;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

/// Holds the lock until dropped.
pub(crate) struct VersionLock {
    _leadership: Leadership,
}

impl VersionLock {
    /// Waits until nobody else follows this version; `held` is told each time that somebody turns out to.
    pub(crate) async fn acquire(pool: &PgPool, name: &str, version: i32, held: impl Fn()) -> Self {
        let options = PgConnectOptions::clone(&pool.connect_options());
        let work = format!("daybook projector {name}@{version}");
        Self { _leadership: Leadership::acquire_at(options, &work, held).await }
    }
}
