//! Rows as the driver gives them, decoded as they come: what a reader reaches that promises nothing else.

use std::num::NonZeroU16;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use sqlx::{PgPool, Row as _};

use super::{Contestant, Failed};
use crate::basket::BasketEvent;

pub(super) struct Rows(PgPool);

impl Rows {
    pub(super) const fn start(pool: PgPool) -> Self {
        Self(pool)
    }
}

#[async_trait]
impl Contestant for Rows {
    async fn replay(&self, _slices: NonZeroU16) -> Result<u64, Failed> {
        let query = "SELECT aggregate_id, sequence, event_type, payload FROM events ORDER BY position";
        let mut rows = sqlx::query(query).fetch(&self.0);
        let mut decoded = 0;
        while let Some(row) = rows.try_next().await? {
            let (_id, _sequence): (&str, i64) = (row.try_get(0)?, row.try_get(1)?);
            let _event: BasketEvent = serde_json::from_str(row.try_get_unchecked(3)?)?;
            decoded += 1;
        }
        Ok(decoded)
    }

    /// By their positions, which nobody knows in earnest.
    async fn replay_rare(&self) -> Result<u64, Failed> {
        let query = "SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload \
             FROM events WHERE position IN (SELECT generate_series(10000, 2000000, 10000)) ORDER BY position";
        let rows = sqlx::query(query).fetch_all(&self.0).await?;
        for row in &rows {
            let _event: BasketEvent = serde_json::from_str(row.try_get_unchecked(6)?)?;
        }
        Ok(u64::try_from(rows.len())?)
    }
}
