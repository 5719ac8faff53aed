//! Where the checkpoints of processes are kept: beside the log, since losing one without the other helps nobody.

use sqlx::{PgPool, Row};

use crate::bounded::bounded;
use crate::checkpoint::Checkpoint;
use crate::error::StoreError;
use crate::event::EventHash;

/// The checkpoints of the processes that follow the log.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    pool: PgPool,
}

impl Checkpoints {
    /// The checkpoints in the event store's primary database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Where `name` stood last; nothing when it never ran.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find(&self, name: &str) -> Result<Option<Checkpoint>, StoreError> {
        let query =
            sqlx::query("SELECT epoch, position, event_hash FROM checkpoints WHERE name = $1").bind(name);
        let Some(row) = bounded(async { Ok(query.fetch_optional(&self.pool).await?) }).await? else {
            return Ok(None);
        };
        let hash: Vec<u8> = row.try_get(2)?;
        let hash = hash.try_into().map_err(|_| sqlx::Error::Decode("event_hash is not 32 bytes".into()))?;
        Ok(Some(Checkpoint { epoch: row.try_get(0)?, position: row.try_get(1)?, hash: EventHash(hash) }))
    }

    /// Notes that `name` stands at `checkpoint`; within an epoch it never goes back, so that one who was stopped for
    /// a while cannot undo what its successor noted.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn save(&self, name: &str, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let query = sqlx::query(
            "INSERT INTO checkpoints (name, epoch, position, event_hash) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, position = excluded.position, \
             event_hash = excluded.event_hash \
             WHERE checkpoints.epoch <> excluded.epoch OR checkpoints.position < excluded.position",
        )
        .bind(name)
        .bind(checkpoint.epoch)
        .bind(checkpoint.position)
        .bind(checkpoint.hash.0.as_slice());
        bounded(async { Ok(query.execute(&self.pool).await?) }).await?;
        Ok(())
    }
}
