//! What can be known of an aggregate or a command without deciding anything.

use std::sync::Arc;

use cqrs_es::Aggregate;
use sqlx::Row;

use super::Repository;
use crate::command::{CommandContext, CommandError, Executed};
use crate::error::StoreError;

impl<A> Repository<A>
where
    A: Aggregate<Services = ()> + Clone + 'static,
    A::Command: Clone + Send + Sync,
    A::Error: Send + 'static,
{
    /// A state that the aggregate had once, if this process remembers one: for what never changes about it.
    pub async fn remembered(&self, id: &str) -> Option<Arc<A>> {
        let entry = self.cache.get(id)?;
        let entry = entry.lock().await;
        entry.committed().map(|known| Arc::clone(&known.state))
    }

    /// What the command was told if it took effect before: for when it cannot be put together any more.
    ///
    /// # Errors
    /// [`CommandError::KeyReused`] when its id was used with another input.
    pub async fn replay(
        &self,
        id: &str,
        context: &CommandContext,
    ) -> Result<Option<Executed<A>>, CommandError<A::Error>> {
        let found = sqlx::query(
            "SELECT fingerprint, position, version, outcome::text FROM commands WHERE command_id = $1",
        )
        .bind(context.command_id.uuid())
        .fetch_optional(self.store.pool())
        .await
        .map_err(StoreError::from)?;
        let Some(row) = found else { return Ok(None) };
        let read = |row: &sqlx::postgres::PgRow| {
            Ok::<_, sqlx::Error>((
                row.try_get::<Vec<u8>, _>(0)?,
                row.try_get(1)?,
                row.try_get(2)?,
                row.try_get(3)?,
            ))
        };
        let (fingerprint, position, version, outcome) = read(&row).map_err(StoreError::from)?;
        if fingerprint != context.fingerprint.0 {
            return Err(CommandError::KeyReused);
        }
        let state = self.load(id).await?.state;
        Ok(Some(Executed { position, version, replayed: true, appended: 0, outcome, state }))
    }
}
