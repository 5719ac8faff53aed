//! Pools of connections to Postgres, the same for every process.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use super::config::PgUrl;

/// How long to wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a statement may run on the server.
const STATEMENT_TIMEOUT: &str = "30s";

/// A pool of at most `max` connections, which the server sees as `application`'s. It connects when first used, so
/// a database that is away is a matter of readiness and not of starting.
pub fn pool(url: &PgUrl, max: u32, application: &str) -> PgPool {
    let options = url
        .options()
        .application_name(application)
        .options([("statement_timeout", STATEMENT_TIMEOUT), ("jit", "off")]);
    PgPoolOptions::new()
        .max_connections(max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A ping before each use costs a quarter of the throughput; a dead connection shows itself in use.
        .test_before_acquire(false)
        .connect_lazy_with(options)
}
