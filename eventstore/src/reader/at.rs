//! Single events by their positions, many at a time.

use std::collections::HashSet;

use super::LogReader;
use super::selection::Selection;
use super::view::decode;
use crate::bounded::bounded;
use crate::error::StoreError;
use crate::event::{Position, RecordedEvent};

impl LogReader {
    /// The events at these positions, those that there are, in order; in one statement, but for those that have left the
    /// database, which are read from the archives one by one.
    ///
    /// # Errors
    /// When the database does not answer in time, or an archive cannot be read.
    pub async fn at(&self, positions: &[Position]) -> Result<Vec<RecordedEvent>, StoreError> {
        let mut query = Selection::after(0).query_at(positions);
        let rows = bounded(async { Ok(query.build().fetch_all(&self.pool).await?) }).await?;
        let mut events: Vec<RecordedEvent> = rows.iter().map(decode).collect::<Result<_, _>>()?;
        let found: HashSet<Position> = events.iter().map(|event| event.position).collect();
        for missing in positions.iter().filter(|position| !found.contains(position)) {
            events.extend(bounded(self.find(*missing)).await?);
        }
        events.sort_unstable_by_key(|event| event.position);
        events.dedup_by_key(|event| event.position);
        Ok(events)
    }
}
