//! Single events by their positions, many at a time.

use std::collections::BTreeSet;

use super::detached::Detached;
use super::directory::BLOCK;
use super::selection::Selection;
use super::view::decode;
use super::{LogReader, TRIES};
use crate::bounded::bounded;
use crate::error::StoreError;
use crate::event::{Position, RecordedEvent};

impl LogReader {
    /// The events at these positions, those that there are, in order. Those that have left the database are read from the
    /// archives, a block of them at a time. It is certain of what is not there.
    ///
    /// # Errors
    /// When the database does not answer in time, or an archive cannot be read.
    pub async fn at(&self, positions: &[Position]) -> Result<Vec<RecordedEvent>, StoreError> {
        let mut missing: BTreeSet<Position> = positions.iter().copied().collect();
        missing.retain(|position| *position > 0);
        let mut events: Vec<RecordedEvent> = Vec::new();
        // What was in neither place may have moved from the one to the other meanwhile, and is looked for again.
        for _ in 0..TRIES {
            for in_archives in [false, true] {
                if missing.is_empty() {
                    break;
                }
                let found = self.some_at(&missing, in_archives).await?;
                let there: BTreeSet<Position> = found.iter().map(|event| event.position).collect();
                missing.retain(|position| !there.contains(position));
                events.extend(found);
            }
        }
        events.sort_unstable_by_key(|event| event.position);
        Ok(events)
    }

    async fn some_at(
        &self,
        positions: &BTreeSet<Position>,
        in_archives: bool,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        if in_archives { self.archived_at(positions).await } else { self.attached_at(positions).await }
    }

    async fn attached_at(&self, positions: &BTreeSet<Position>) -> Result<Vec<RecordedEvent>, StoreError> {
        let positions: Vec<Position> = positions.iter().copied().collect();
        let mut query = Selection::after(0).query_at(&positions);
        let rows = bounded(async { Ok(query.build().fetch_all(&self.pool).await?) }).await?;
        rows.iter().map(decode).collect()
    }

    async fn archived_at(&self, positions: &BTreeSet<Position>) -> Result<Vec<RecordedEvent>, StoreError> {
        let mut detached = bounded(Detached::now(&self.pool, self.archives.clone())).await?;
        let gone = positions.range(..=detached.reaches());
        let blocks: BTreeSet<i64> = gone.map(|position| (position - 1) / BLOCK).collect();
        let mut events = Vec::new();
        for block in blocks {
            let block = bounded(detached.events(block)).await?;
            events.extend(block.into_iter().filter(|event| positions.contains(&event.position)));
        }
        Ok(events)
    }
}
