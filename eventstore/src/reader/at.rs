//! Single events by their positions, many at a time.

use std::collections::BTreeSet;

use super::LogReader;
use super::detached::Detached;
use super::directory::BLOCK;
use super::selection::Selection;
use super::view::decode;
use crate::bounded::bounded;
use crate::error::StoreError;
use crate::event::{Position, RecordedEvent};

impl LogReader {
    /// The events at these positions, those that there are, in order. Those that have left the database are read from the
    /// archives, a block of them at a time.
    ///
    /// # Errors
    /// When the database does not answer in time, or an archive cannot be read.
    pub async fn at(&self, positions: &[Position]) -> Result<Vec<RecordedEvent>, StoreError> {
        let mut query = Selection::after(0).query_at(positions);
        let rows = bounded(async { Ok(query.build().fetch_all(&self.pool).await?) }).await?;
        let mut events: Vec<RecordedEvent> = rows.iter().map(decode).collect::<Result<_, _>>()?;
        let mut missing: BTreeSet<Position> = positions.iter().copied().collect();
        missing.retain(|position| *position > 0);
        for event in &events {
            missing.remove(&event.position);
        }
        if !missing.is_empty() {
            events.extend(self.archived_at(&missing).await?);
            events.sort_unstable_by_key(|event| event.position);
        }
        Ok(events)
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
