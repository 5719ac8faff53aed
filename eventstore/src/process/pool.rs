//! Pools of connections to Postgres, the same for every process.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::config::PgUrl;

/// How long to wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a statement may run on the server.
const STATEMENT_TIMEOUT: &str = "30s";

/// A pool of at most `max` connections, which the server sees as `application`'s. It connects when first used, so
/// a database that is away is a matter of readiness and not of starting.
///
/// It is for statements that find their rows by keys: each is planned once a connection, since planning anew for every
/// call's values costs more than running it.
pub fn pool(url: &PgUrl, max: u32, application: &str) -> PgPool {
    open(url.options().options([("plan_cache_mode", "force_generic_plan")]), max, application)
}

/// The same for queries whose best plan depends on what is asked for.
pub fn pool_for_queries(url: &PgUrl, max: u32, application: &str) -> PgPool {
    open(url.options(), max, application)
}

fn open(options: PgConnectOptions, max: u32, application: &str) -> PgPool {
    let options = options
        .application_name(application)
        .options([("statement_timeout", STATEMENT_TIMEOUT), ("jit", "off")]);
    PgPoolOptions::new()
        .max_connections(max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A ping before each use costs a quarter of the throughput; a dead connection shows itself in use.
        .test_before_acquire(false)
        .connect_lazy_with(options)
}
