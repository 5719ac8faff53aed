//! One prepared statement with one row for each event: the floor of a design without batches.

use async_trait::async_trait;
use daybook_domain::IdSource as _;
use daybook_eventstore::process::SystemIds;
use sqlx::PgPool;

use super::{Contestant, Failed};
use crate::basket::Text;

const INSERT: &str = "INSERT INTO events VALUES ($1, $2, $3, $4, $5, $6::text::json, $7::text::json)";

pub(super) struct Insert(PgPool);

impl Insert {
    pub(super) const fn start(pool: PgPool) -> Self {
        Self(pool)
    }
}

#[async_trait]
impl Contestant for Insert {
    async fn append_new(&self, stream: &str, events: usize) -> Result<(), Failed> {
        if events != 1 {
            return Err("appends one event".into());
        }
        let text = Text::some(SystemIds.next());
        sqlx::query(INSERT)
            .bind("Basket")
            .bind(stream)
            .bind(1_i64)
            .bind("LineAdded")
            .bind("1")
            .bind(text.payload)
            .bind(text.metadata)
            .execute(&self.0)
            .await?;
        Ok(())
    }
}
