//! `cqrs-es` with `postgres-es`, as they are.

use std::num::NonZeroU16;

use async_trait::async_trait;
use cqrs_es::persist::PersistedEventRepository as _;
use daybook_domain::IdSource as _;
use daybook_eventstore::process::SystemIds;
use postgres_es::{PostgresCqrs, PostgresEventRepository, postgres_cqrs};
use sqlx::PgPool;

use super::{Contestant, Failed};
use crate::basket::{Add, Basket, Line, metadata};

/// The table of `postgres-es`, which the hand-written contestants use too.
pub(super) const TABLE: &str = "CREATE TABLE events (
    aggregate_type text NOT NULL, aggregate_id text NOT NULL,
    sequence bigint CHECK (sequence >= 0) NOT NULL,
    event_type text NOT NULL, event_version text NOT NULL, payload json NOT NULL, metadata json NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence))";

pub(super) struct PostgresEs {
    cqrs: PostgresCqrs<Basket>,
    events: PostgresEventRepository,
}

pub(super) async fn prepare(database: &str) -> Result<(), Failed> {
    super::run_script(database, TABLE).await
}

impl PostgresEs {
    pub(super) fn start(pool: PgPool) -> Self {
        Self { events: PostgresEventRepository::new(pool.clone()), cqrs: postgres_cqrs(pool, Vec::new(), ()) }
    }

    async fn execute(&self, stream: &str, events: usize) -> Result<(), Failed> {
        let lines = (0..events).map(|_| Line::some()).collect();
        Ok(self.cqrs.execute_with_metadata(stream, Add(lines), metadata(SystemIds.next())).await?)
    }
}

#[async_trait]
impl Contestant for PostgresEs {
    async fn append_new(&self, stream: &str, events: usize) -> Result<(), Failed> {
        self.execute(stream, events).await
    }

    async fn replay(&self, _slices: NonZeroU16) -> Result<u64, Failed> {
        let mut events = self.events.stream_all_events::<Basket>().await?;
        let mut decoded = 0;
        while let Some(event) = events.next::<Basket>(&[]).await {
            event?;
            decoded += 1;
        }
        Ok(decoded)
    }

    async fn decide(&self, stream: &str) -> Result<(), Failed> {
        self.execute(stream, 1).await
    }
}
