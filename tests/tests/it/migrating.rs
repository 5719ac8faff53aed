//! That a migration takes as long as it takes.

use std::fmt::Debug;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::migrate::Migrate;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::harness::{Database, eventually};

const SOON: Duration = Duration::from_secs(30);

/// Migrates while somebody else does, who takes longer than a statement may.
async fn outlasts_another<F, E: Debug>(database: Database, migrate: impl FnOnce(PgPool) -> F)
where
    F: Future<Output = Result<(), E>>,
{
    let mut other = database.pool.acquire().await.expect("a connection");
    other.lock().await.expect("the right to migrate");
    let options = PgConnectOptions::clone(&database.pool.connect_options());
    let options = options.options([("statement_timeout", "100ms")]);
    let migrating = migrate(PgPoolOptions::new().max_connections(1).connect_lazy_with(options));
    let letting_wait = async {
        eventually(SOON, "it has waited for long", || async {
            let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                AND wait_event = 'advisory' AND query_start < now() - interval '500 milliseconds'";
            let waits: i64 = sqlx::query_scalar(waits).fetch_one(&database.pool).await.expect("who waits");
            (waits > 0).then_some(())
        })
        .await;
        other.unlock().await.expect("it is the next one's turn");
    };
    let (migrated, ()) = tokio::join!(migrating, letting_wait);
    migrated.expect("it is not cut off");
}

#[tokio::test]
async fn a_migration_is_not_cut_off_as_other_statements_are() {
    let events = Database::events().await;
    outlasts_another(events, |pool| async move { daybook_eventstore::migrate(&pool).await }).await;
    let read = Database::read().await;
    outlasts_another(read, |pool| async move { daybook_projections::migrate(&pool).await }).await;
}
