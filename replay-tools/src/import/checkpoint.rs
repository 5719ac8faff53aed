//! How far the import of a file is, kept where the events are. It spares work and is never what correctness rests on:
//! a command that is sent again changes nothing.

use std::time::Duration;

use daybook_eventstore::StoreError;
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres, Row};
use tokio_util::sync::CancellationToken;

use super::error::ImportError;
use super::patience::Patience;

/// What is imported, in the table of imports.
const SOURCE: &str = "online-retail";
/// How long the database may take to answer.
const LIMIT: Duration = Duration::from_secs(35);

/// The import of one file. Only one process at a time holds it.
pub(super) struct Checkpoint {
    sha256: [u8; 32],
    pool: PgPool,
    /// Holds the lock as long as it lives: the server lets go of it with the connection. Nothing while the database is
    /// away.
    connection: Option<PoolConnection<Postgres>>,
}

impl Checkpoint {
    /// Takes the import of the file with this content, and says up to which line it has taken effect.
    pub(super) async fn take(pool: PgPool, sha256: [u8; 32]) -> Result<(Self, u64), ImportError> {
        let mut connection = in_time(hold(&pool, &sha256)).await?;
        let insert = sqlx::query(
            "INSERT INTO imports (source, file_sha256, lines_done) VALUES ($1, $2, 0) \
             ON CONFLICT (source, file_sha256) DO UPDATE SET updated_at = now() RETURNING lines_done",
        );
        let insert = insert.bind(SOURCE).bind(sha256.as_slice());
        let row = in_time(async { Ok(insert.fetch_one(&mut *connection).await?) }).await?;
        let done: i64 = row.try_get(0)?;
        Ok((Self { sha256, pool, connection: Some(connection) }, u64::try_from(done).unwrap_or(0)))
    }

    /// Notes that everything up to this line has taken effect; outlasts an outage.
    pub(super) async fn advance(&mut self, lines: u64, stop: &CancellationToken) -> Result<(), ImportError> {
        let mut patience = Patience::new(stop);
        loop {
            // What fails goes, and its lock with it.
            let noted = match self.connection.take() {
                Some(connection) => self.note(connection, lines).await,
                None => match in_time(hold(&self.pool, &self.sha256)).await {
                    Ok(connection) => self.note(connection, lines).await,
                    Err(failure) => Err(failure),
                },
            };
            match noted {
                Ok(()) => return Ok(()),
                Err(failure) => patience.outlast(failure).await?,
            }
        }
    }

    async fn note(
        &mut self,
        mut connection: PoolConnection<Postgres>,
        lines: u64,
    ) -> Result<(), ImportError> {
        let update = sqlx::query(
            "UPDATE imports SET lines_done = greatest(lines_done, $3), updated_at = now() \
             WHERE source = $1 AND file_sha256 = $2",
        );
        let update =
            update.bind(SOURCE).bind(self.sha256.as_slice()).bind(i64::try_from(lines).unwrap_or(i64::MAX));
        in_time(async { Ok(update.execute(&mut *connection).await?) }).await?;
        self.connection = Some(connection);
        Ok(())
    }
}

/// A connection that holds the import of the file with this content.
async fn hold(pool: &PgPool, sha256: &[u8; 32]) -> Result<PoolConnection<Postgres>, ImportError> {
    let mut connection = pool.acquire().await?;
    // Others never get it: they would hold the lock.
    connection.close_on_drop();
    let lock = sqlx::query("SELECT pg_try_advisory_lock($1)").bind(lock_id(sha256));
    let held = lock.fetch_one(&mut *connection).await?.try_get::<bool, _>(0)?;
    if held { Ok(connection) } else { Err(ImportError::Running) }
}

async fn in_time<T>(call: impl Future<Output = Result<T, ImportError>>) -> Result<T, ImportError> {
    tokio::time::timeout(LIMIT, call).await.map_err(|_elapsed| StoreError::TimedOut)?
}

fn lock_id(sha256: &[u8; 32]) -> i64 {
    sha256.iter().take(8).fold(0, |id, byte| (id << 8) | i64::from(*byte))
}
