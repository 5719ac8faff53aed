//! The rows: writing timers down and striking them out.

use std::sync::Arc;

use daybook_domain::{Clock, CommandId, Timestamp};
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use super::runner::SAFETY_INTERVAL;
use crate::bell::Bell;

/// The channel on which runners hear of a timer that is due before they would look by themselves.
pub(super) const CHANNEL: &str = "daybook_timers";

/// Something to do at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Timer {
    /// Its id, derived from its cause: writing it down again changes nothing.
    pub timer_id: Uuid,
    /// When.
    pub due_at: Timestamp,
    /// What, such as `payment-deadline`.
    pub kind: String,
    /// To whom: the id of a stream.
    pub subject: String,
    /// With what.
    pub payload: serde_json::Value,
}

impl Timer {
    /// The id of the command that it fires as: fired again, it takes no effect again.
    pub fn command_id(&self) -> CommandId {
        CommandId::derived(self.timer_id, "timer")
    }
}

/// The timers of one database.
#[derive(Clone)]
pub struct Timers {
    pub(super) pool: PgPool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) bell: Arc<Bell>,
}

impl Timers {
    /// The timers in this database, due by this clock.
    pub fn new(pool: PgPool, clock: Arc<dyn Clock>) -> Self {
        Self { pool, clock, bell: Arc::default() }
    }

    /// Writes timers down, all in one statement; those already there stay as they are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn schedule(&self, timers: &[Timer]) -> Result<(), sqlx::Error> {
        self.schedule_in_tx(&self.pool, timers).await
    }

    /// The same in the caller's transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn schedule_in_tx(&self, tx: impl PgExecutor<'_>, timers: &[Timer]) -> Result<(), sqlx::Error> {
        if timers.is_empty() {
            return Ok(());
        }
        // In one order for everybody, so that two writers of the same timers never wait for each other.
        let mut sorted: Vec<&Timer> = timers.iter().collect();
        sorted.sort_by_key(|timer| timer.timer_id);
        let soon = self.clock.now() + SAFETY_INTERVAL;
        // Runners look at every interval anyway, so only what is due before that is worth a notification: each
        // one takes a lock that the log's appends need too.
        sqlx::query(
            "WITH added AS (
                 INSERT INTO timers (timer_id, due_at, kind, subject, payload, next_at)
                 SELECT t.timer_id, t.due_at, t.kind, t.subject, t.payload::json, t.due_at
                 FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[])
                      AS t (timer_id, due_at, kind, subject, payload)
                 ON CONFLICT (timer_id) DO NOTHING
                 RETURNING due_at
             )
             SELECT pg_notify($6, '') FROM added HAVING min(due_at) < $7",
        )
        .bind(sorted.iter().map(|t| t.timer_id).collect::<Vec<_>>())
        .bind(sorted.iter().map(|t| t.due_at).collect::<Vec<_>>())
        .bind(sorted.iter().map(|t| t.kind.as_str()).collect::<Vec<_>>())
        .bind(sorted.iter().map(|t| t.subject.as_str()).collect::<Vec<_>>())
        .bind(sorted.iter().map(|t| t.payload.to_string()).collect::<Vec<_>>())
        .bind(CHANNEL)
        .bind(soon)
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Strikes timers out, as far as they are there. One that is being fired at this moment fires: whether that
    /// still matters is for the aggregate to say.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel(&self, timer_ids: &[Uuid]) -> Result<(), sqlx::Error> {
        if timer_ids.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "DELETE FROM timers WHERE timer_id IN (
                 SELECT timer_id FROM timers WHERE timer_id = ANY($1) FOR UPDATE SKIP LOCKED)",
        )
        .bind(timer_ids)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
