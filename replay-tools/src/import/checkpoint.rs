//! How far the import of a file is, kept where the events are. It spares work and is never what correctness rests on:
//! a command that is sent again changes nothing.

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres, Row};

use super::error::ImportError;

/// What is imported, in the table of imports.
const SOURCE: &str = "online-retail";

/// The import of one file. Only one process at a time holds it.
pub(super) struct Checkpoint {
    sha256: [u8; 32],
    /// Holds the lock as long as the process lives: the server lets go of it with the connection.
    connection: PoolConnection<Postgres>,
}

impl Checkpoint {
    /// Takes the import of the file with this content, and says up to which line it has taken effect.
    pub(super) async fn take(pool: &PgPool, sha256: [u8; 32]) -> Result<(Self, u64), ImportError> {
        let mut connection = pool.acquire().await?;
        let lock = sqlx::query("SELECT pg_try_advisory_lock($1)").bind(lock_id(&sha256));
        if !lock.fetch_one(&mut *connection).await?.try_get::<bool, _>(0)? {
            return Err(ImportError::Running);
        }
        let row = sqlx::query(
            "INSERT INTO imports (source, file_sha256, lines_done) VALUES ($1, $2, 0) \
             ON CONFLICT (source, file_sha256) DO UPDATE SET updated_at = now() RETURNING lines_done",
        )
        .bind(SOURCE)
        .bind(sha256.as_slice())
        .fetch_one(&mut *connection)
        .await?;
        let done: i64 = row.try_get(0)?;
        Ok((Self { sha256, connection }, u64::try_from(done).unwrap_or(0)))
    }

    /// Notes that everything up to this line has taken effect.
    pub(super) async fn advance(&mut self, lines: u64) -> Result<(), ImportError> {
        sqlx::query(
            "UPDATE imports SET lines_done = greatest(lines_done, $3), updated_at = now() \
             WHERE source = $1 AND file_sha256 = $2",
        )
        .bind(SOURCE)
        .bind(self.sha256.as_slice())
        .bind(i64::try_from(lines).unwrap_or(i64::MAX))
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }
}

fn lock_id(sha256: &[u8; 32]) -> i64 {
    sha256.iter().take(8).fold(0, |id, byte| (id << 8) | i64::from(*byte))
}
