//! Reading the log by position, from the primary or a replica.

use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};
use uuid::Uuid;

use crate::error::StoreError;
use crate::event::{Position, RecordedEvent};

/// The columns of [`RecordedEvent`], for every query that reads events.
pub(crate) const COLUMNS: &str = "position, event_id, aggregate_type, aggregate_id, sequence, event_type, \
     event_version, payload::text, metadata::text, recorded_at";

/// Where the log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// The log's epoch: another one after a restore or an unclean promotion.
    pub epoch: Uuid,
    /// The position of the last event; 0 when there is none.
    pub position: Position,
}

/// Reads events in the order of their positions.
#[derive(Debug, Clone)]
pub struct LogReader {
    pool: PgPool,
}

impl LogReader {
    /// A reader of the log in this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Where the log stands.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn head(&self) -> Result<LogHead, StoreError> {
        let row = sqlx::query("SELECT epoch, position FROM log_head").fetch_one(&self.pool).await?;
        Ok(LogHead { epoch: row.try_get(0)?, position: row.try_get(1)? })
    }

    /// At most `limit` events after position `after`, in order; empty at the end of the log.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        let statement =
            format!("SELECT {COLUMNS} FROM events WHERE position > $1 ORDER BY position LIMIT $2");
        let rows = sqlx::query(&statement)
            .bind(after)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(decode).collect()
    }

    /// The event at `position`, when there is one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find(&self, position: Position) -> Result<Option<RecordedEvent>, StoreError> {
        let mut events = self.read(position - 1, 1).await?;
        Ok(events.pop().filter(|event| event.position == position))
    }
}

pub(crate) fn decode(row: &PgRow) -> Result<RecordedEvent, StoreError> {
    Ok(RecordedEvent {
        position: row.try_get(0)?,
        event_id: row.try_get(1)?,
        aggregate_type: row.try_get(2)?,
        aggregate_id: row.try_get(3)?,
        sequence: row.try_get(4)?,
        event_type: row.try_get(5)?,
        event_version: row.try_get(6)?,
        payload: row.try_get(7)?,
        metadata: row.try_get(8)?,
        recorded_at: row.try_get(9)?,
    })
}
