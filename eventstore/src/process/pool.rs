//! Pools of connections to Postgres, the same for every process.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgPool};

use super::config::PgUrl;

/// How long to wait for a connection, and how long a statement may run on the server.
struct Limits {
    acquire: Duration,
    statement: &'static str,
}

/// Those of what has to be done.
const FOR_WORK: Limits = Limits { acquire: Duration::from_secs(5), statement: "30s" };
/// Those of what somebody waits for, at most 5 s: a connection whose query nobody waits for any more is soon free again.
const FOR_QUERIES: Limits = Limits { acquire: Duration::from_millis(1_500), statement: "4500ms" };

/// A pool of at most `max` connections, which the server sees as `application`'s. It connects when first used, so
/// a database that is away is a matter of readiness and not of starting.
///
/// It is for statements that find their rows by keys: each is planned once a connection, since planning anew for every
/// call's values costs more than running it. None is worth the 5 ms that the server takes to start helpers for it, which
/// it would do for a plan that must do for any value.
pub fn pool(url: &PgUrl, max: u32, application: &str) -> PgPool {
    let planning = [("plan_cache_mode", "force_generic_plan"), ("max_parallel_workers_per_gather", "0")];
    open(url.options().options(planning), max, application, &FOR_WORK)
}

/// The same for queries whose best plan depends on what is asked for, and whose asker does not wait long.
pub fn pool_for_queries(url: &PgUrl, max: u32, application: &str) -> PgPool {
    open(url.options(), max, application, &FOR_QUERIES)
}

/// The same for who reads much of the log, and takes their time with it: how long a statement takes says nothing of the
/// database.
pub fn pool_for_scans(url: &PgUrl, max: u32, application: &str) -> PgPool {
    open(url.options().disable_statement_logging(), max, application, &FOR_WORK)
}

fn open(options: PgConnectOptions, max: u32, application: &str, limits: &Limits) -> PgPool {
    let options = options
        .application_name(application)
        .options([("statement_timeout", limits.statement), ("jit", "off")]);
    PgPoolOptions::new()
        .max_connections(max)
        .acquire_timeout(limits.acquire)
        // A ping before each use costs a quarter of the throughput; a dead connection shows itself in use.
        .test_before_acquire(false)
        .connect_lazy_with(options)
}
