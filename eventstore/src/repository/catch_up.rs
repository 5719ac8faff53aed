//! Bringing what a process remembers of aggregates up to what the primary has.

use std::collections::HashMap;

use cqrs_es::Aggregate;

use super::Repository;
use super::entry::Versioned;
use crate::error::StoreError;
use crate::event::RecordedEvent;
use crate::snapshot;

/// How many events of a long stream are read at once.
const PAGE: usize = 1_000;

impl<A: Aggregate + Clone> Repository<A> {
    /// Brings what is known of these aggregates up to the primary: one statement for those that have not grown
    /// much, whatever their number. Only a stream that is not short is worth looking for a snapshot.
    pub(super) async fn catch_up(
        &self,
        ids: &[&str],
        known: Vec<Option<Versioned<A>>>,
    ) -> Result<Vec<Versioned<A>>, StoreError> {
        let short = usize::try_from(self.policy.short()).unwrap_or(usize::MAX);
        let unseen: Vec<bool> = known.iter().map(Option::is_none).collect();
        let mut states: Vec<Versioned<A>> = known.into_iter().map(Option::unwrap_or_default).collect();
        let mut growing: Vec<usize> = self.begin(ids, &mut states, short).await?;
        let long: Vec<usize> = growing.iter().copied().filter(|index| unseen[*index]).collect();
        if !long.is_empty() {
            self.leap(ids, &mut states, &long).await?;
        }
        while !growing.is_empty() {
            growing = self.advance(ids, &mut states, growing, PAGE).await?;
        }
        Ok(states)
    }

    /// Applies the next events of those that have them all in the database; returns those that may have more. A snapshot
    /// may spare what has left it.
    async fn begin(
        &self,
        ids: &[&str],
        states: &mut [Versioned<A>],
        page: usize,
    ) -> Result<Vec<usize>, StoreError> {
        let after: Vec<(&str, i64)> =
            ids.iter().zip(&*states).map(|(id, state)| (*id, state.version)).collect();
        let (events, gone) = self.store.streams_here(A::TYPE, &after, page).await?;
        let mut by_stream = by_stream(events);
        let mut growing = Vec::new();
        for (index, id) in ids.iter().enumerate() {
            let events = by_stream.remove(*id).unwrap_or_default();
            let is_gone = gone.iter().any(|one| one.aggregate_id == *id);
            if is_gone || events.len() == page {
                growing.push(index);
            }
            for event in events.iter().filter(|_| !is_gone) {
                states[index].apply(event)?;
            }
        }
        Ok(growing)
    }

    /// Applies the next page of events to each of `which`; returns those that may have more.
    async fn advance(
        &self,
        ids: &[&str],
        states: &mut [Versioned<A>],
        which: Vec<usize>,
        page: usize,
    ) -> Result<Vec<usize>, StoreError> {
        let after: Vec<(&str, i64)> =
            which.iter().map(|index| (ids[*index], states[*index].version)).collect();
        let mut by_stream = by_stream(self.store.streams(A::TYPE, &after, page).await?);
        let mut growing = Vec::new();
        for index in which {
            let events = by_stream.remove(ids[index]).unwrap_or_default();
            if events.len() == page {
                growing.push(index);
            }
            for event in &events {
                states[index].apply(event)?;
            }
        }
        Ok(growing)
    }

    /// Leaps ahead to the snapshots of these aggregates, where there are any that are further on.
    async fn leap(
        &self,
        ids: &[&str],
        states: &mut [Versioned<A>],
        which: &[usize],
    ) -> Result<(), StoreError> {
        let wanted: Vec<&str> = which.iter().map(|index| ids[*index]).collect();
        let mut found = snapshot::find::<A>(self.store.pool(), A::TYPE, &wanted, self.policy).await?;
        for index in which {
            let Some(snapshot) = found.remove(ids[*index]).map(Versioned::from) else { continue };
            if snapshot.version > states[*index].version {
                states[*index] = snapshot;
            } else {
                states[*index].kept = snapshot.kept;
            }
        }
        Ok(())
    }
}

fn by_stream(events: Vec<RecordedEvent>) -> HashMap<String, Vec<RecordedEvent>> {
    let mut by_stream: HashMap<String, Vec<RecordedEvent>> = HashMap::new();
    for event in events {
        by_stream.entry(event.aggregate_id.clone()).or_default().push(event);
    }
    by_stream
}
