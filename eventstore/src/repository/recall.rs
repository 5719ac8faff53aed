//! What can be known of an aggregate or a command without deciding anything, if possible without asking the store.

use std::sync::Arc;

use cqrs_es::Aggregate;
use sqlx::Row;

use super::entry::Slot;
use super::{Loaded, Repository};
use crate::bounded::bounded;
use crate::command::{CommandContext, CommandError, Executed};
use crate::error::StoreError;
use crate::event::RecordedEvent;

impl<A> Repository<A>
where
    A: Aggregate<Services = ()> + Clone + 'static,
    A::Command: Clone + Send + Sync,
    A::Error: Send + 'static,
{
    /// The same aggregates with a memory of their own, for somebody who follows the log and lets this repository
    /// [`hear`](Self::hear) every event from before its first use on.
    #[must_use]
    pub fn hearing(&self) -> Self {
        Self { room: self.room.another(), hearing: true, ..self.clone() }
    }

    /// Takes note of an event of the log, whoever wrote it.
    pub fn hear(&self, event: &RecordedEvent) {
        if let Some(slot) = self.room.find::<Slot<A>>(&event.aggregate_id) {
            slot.hear(event.sequence);
        }
    }

    /// The aggregate as of the last event heard, or later: from memory where that is new enough. A repository that
    /// does not hear the log asks the primary.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn recall(&self, id: &str) -> Result<Loaded<A>, StoreError> {
        let mut recalled = self.recall_many(&[id]).await?;
        recalled.pop().ok_or(StoreError::Closed)
    }

    /// Several aggregates as of the last event heard, or later, in the order asked for: at most one statement.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn recall_many(&self, ids: &[&str]) -> Result<Vec<Loaded<A>>, StoreError> {
        let mut recalled = Vec::with_capacity(ids.len());
        for id in ids {
            let slot = self.slot(id);
            let entry = slot.lock().await;
            let known = entry.committed_at(slot.heard()).filter(|_| self.hearing);
            recalled
                .push(known.map(|known| Loaded { version: known.version, state: Arc::clone(&known.state) }));
        }
        let missing: Vec<&str> =
            ids.iter().zip(&recalled).filter(|(_, known)| known.is_none()).map(|(id, _)| *id).collect();
        self.meters.hits.increment(count(ids.len() - missing.len()));
        self.meters.misses.increment(count(missing.len()));
        let mut loaded =
            if missing.is_empty() { Vec::new() } else { self.load_many(&missing).await? }.into_iter();
        Ok(recalled.into_iter().filter_map(|known| known.or_else(|| loaded.next())).collect())
    }

    /// Sees to it that these aggregates are in memory, in whatever state: one statement for those that are not, before a
    /// decision turns to each of them.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn have_at_hand(&self, ids: &[&str]) -> Result<(), StoreError> {
        let mut missing = Vec::new();
        for id in ids {
            if self.slot(id).lock().await.committed().is_none() {
                missing.push(*id);
            }
        }
        self.meters.misses.increment(count(missing.len()));
        if missing.is_empty() { Ok(()) } else { self.load_many(&missing).await.map(drop) }
    }

    /// A state that the aggregate had once, if this process remembers one: for what never changes about it.
    pub async fn remembered(&self, id: &str) -> Option<Arc<A>> {
        let slot = self.room.find::<Slot<A>>(id)?;
        let entry = slot.lock().await;
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
        let statement = sqlx::query(
            "SELECT fingerprint, position, version, outcome::text FROM commands WHERE command_id = $1",
        )
        .bind(context.command_id.uuid());
        let found = bounded(async { Ok(statement.fetch_optional(self.store.pool()).await?) }).await?;
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

fn count(aggregates: usize) -> u64 {
    u64::try_from(aggregates).unwrap_or(u64::MAX)
}
