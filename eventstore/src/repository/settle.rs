//! What follows once the store has what was decided: it is remembered, weighed, and now and then kept as a snapshot.
//! No command waits for a snapshot, or fails for want of one.

use std::sync::Arc;

use cqrs_es::Aggregate;

use super::Repository;
use super::entry::{Entry, Slot, Versioned};
use crate::error::StoreError;
use crate::snapshot;

impl<A: Aggregate + Clone + 'static> Repository<A> {
    /// Notes that the store has what a command came to.
    pub(super) async fn settle(&self, id: &str, slot: &Arc<Slot<A>>, after: &Versioned<A>) {
        let mut entry = slot.lock().await;
        entry.commit(after);
        self.weigh(id, slot, &mut entry);
        self.snapshot_if_due(id, slot, &mut entry);
    }

    /// Tells the process's memory what this weighs, if that has changed much.
    pub(super) fn weigh(&self, id: &str, slot: &Arc<Slot<A>>, entry: &mut Entry<A>) {
        if let Some(bytes) = entry.outgrown() {
            self.room.weigh(id, slot, bytes);
        }
    }

    /// Takes a snapshot beside the commands. When all turns are taken, the next command asks again.
    fn snapshot_if_due(&self, id: &str, slot: &Arc<Slot<A>>, entry: &mut Entry<A>) {
        let Some(due) = entry.due(self.policy).cloned() else { return };
        let Some(turn) = self.store.snapshot_turn() else { return };
        entry.keep(due.version);
        let (repository, id, slot) = (self.clone(), id.to_owned(), Arc::clone(slot));
        tokio::spawn(async move {
            let _turn = turn;
            if let Err(error) = repository.take_snapshot(&id, &slot, &due).await {
                tracing::warn!(aggregate = A::TYPE, %id, error = &error as &dyn std::error::Error, "no snapshot");
            }
        });
    }

    async fn take_snapshot(
        &self,
        id: &str,
        slot: &Arc<Slot<A>>,
        due: &Versioned<A>,
    ) -> Result<(), StoreError> {
        let at = (due.version, due.event_id);
        let bytes =
            snapshot::save(self.store.pool(), (A::TYPE, id), at, due.state.as_ref(), self.policy).await?;
        let mut entry = slot.lock().await;
        entry.weighed(due, bytes);
        self.weigh(id, slot, &mut entry);
        Ok(())
    }
}
