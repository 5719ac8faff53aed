//! Leadership: of several processes of a kind, one at a time does the work and the others stand by. It is whoever
//! holds an advisory lock on the primary, for as long as the connection that holds it lives. It saves
//! work and never protects anything: two leaders for a moment must do no harm.

use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};

use super::config::PgUrl;

/// How long the database may take to accept the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one attempt waits for the lock on the server; another follows.
const LOCK_TIMEOUT: &str = "5s";
/// How long one attempt may take in all.
const ATTEMPT: Duration = Duration::from_secs(10);
/// The pause after an attempt that failed.
const PAUSE: Duration = Duration::from_millis(500);
/// How often the leader looks whether its connection lives, and how long that may take.
const CHECK: Duration = Duration::from_secs(1);
/// What the server answers when the lock was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// The right to do some work.
#[derive(Debug)]
pub struct Leadership {
    connection: PgConnection,
}

impl Leadership {
    /// Waits until the leadership of `work` is free, and takes it.
    pub async fn acquire(url: &PgUrl, work: &str) -> Self {
        Self::acquire_at(url.options(), work, || {}).await
    }

    /// The same on the database that `options` lead to: there, its lock must be nobody else's. `held` is told each time
    /// that somebody else turns out to have it.
    pub async fn acquire_at(options: PgConnectOptions, work: &str, held: impl Fn()) -> Self {
        tracing::info!(work, "standing by");
        // When a leader's machine vanishes, the server must find out and free the lock.
        let options = options.application_name(&format!("{work} leader")).options([
            ("lock_timeout", LOCK_TIMEOUT),
            ("tcp_keepalives_idle", "3"),
            ("tcp_keepalives_interval", "2"),
            ("tcp_keepalives_count", "3"),
        ]);
        loop {
            match attempt(&options, work).await {
                Ok(connection) => return Self { connection },
                Err(error) if is_held_by_another(&error) => held(),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot ask for the leadership");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Returns when the leadership is lost.
    pub async fn lost(&mut self) {
        loop {
            tokio::time::sleep(CHECK).await;
            if !matches!(tokio::time::timeout(CHECK, self.connection.ping()).await, Ok(Ok(()))) {
                return;
            }
        }
    }
}

async fn attempt(options: &PgConnectOptions, work: &str) -> Result<PgConnection, sqlx::Error> {
    let timed_out = |_elapsed| sqlx::Error::PoolTimedOut;
    let mut connection =
        tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await.map_err(timed_out)??;
    let lock =
        sqlx::query("SELECT pg_advisory_lock(hashtextextended($1, 0))").bind(work).execute(&mut connection);
    tokio::time::timeout(ATTEMPT, lock).await.map_err(timed_out)??;
    Ok(connection)
}

fn is_held_by_another(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(DatabaseError::code).is_some_and(|code| code == LOCK_NOT_AVAILABLE)
}
