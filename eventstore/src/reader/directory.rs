//! Where the events of some types are: what the store has written down of it, block after block of the log
//! (`migrations/events/0012_event_directory.sql`). It only spares looking: without it the same events are found.

use sqlx::{PgConnection, Row};

use super::selection::Selection;
use crate::bounded::bounded;
use crate::error::StoreError;
use crate::event::Position;

/// How many positions a block has.
pub(crate) const BLOCK: Position = 4_096;
/// Over how many blocks events are looked up first, and at most.
const FIRST_WINDOW: i64 = 512;
const MAX_WINDOW: i64 = 2_048;
/// How many positions make a lookup a small one, after which the next goes over more blocks, and how many a large one.
const FEW: usize = 1_024;
const MANY: usize = 32_768;
/// One in how many must be wanted for the events to be read one after another, with the others between them.
const DENSE: usize = 3;

/// Some of the log, and how to read what is wanted of it.
#[derive(Debug)]
pub(super) enum Stretch {
    /// What is wanted is at these positions, in order; nothing else is up to `until`.
    Listed { positions: Vec<Position>, until: Position },
    /// What is wanted must be looked for up to `until`, or to the end.
    Unlisted { until: Option<Position> },
}

/// Looks up stretch after stretch.
#[derive(Debug)]
pub(super) struct Directory {
    window: i64,
    exhausted: bool,
}

impl Directory {
    pub(super) const fn new() -> Self {
        Self { window: FIRST_WINDOW, exhausted: false }
    }

    /// The next of the selection's stretches.
    pub(super) async fn next(
        &mut self,
        connection: &mut PgConnection,
        selection: &Selection,
    ) -> Result<Stretch, StoreError> {
        if self.exhausted || !selection.is_of_types() {
            return Ok(Stretch::Unlisted { until: None });
        }
        let (after, first) = (selection.begins(), selection.begins() / BLOCK);
        let beyond = first.saturating_add(self.window);
        let rows =
            bounded(async { Ok(selection.directory(first, beyond).build().fetch_all(connection).await?) })
                .await?;
        let extent: Position = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
        if extent <= after {
            return Ok(Stretch::Unlisted { until: None });
        }
        let until = extent.min(beyond.saturating_mul(BLOCK));
        self.exhausted = until == extent;
        let until = selection.ends().map_or(until, |end| end.min(until));
        let mut positions = Vec::new();
        for row in &rows {
            let Some(block) = row.try_get::<Option<i64>, _>(1)? else { continue };
            let offsets: Vec<i16> = row.try_get(2)?;
            let listed = offsets.into_iter().map(|offset| block * BLOCK + i64::from(offset) + 1);
            positions.extend(listed.filter(|position| after < *position && *position <= until));
        }
        self.adjust(positions.len());
        let length = usize::try_from(until - after).unwrap_or(usize::MAX);
        if positions.len() > length / DENSE {
            return Ok(Stretch::Unlisted { until: Some(until) });
        }
        positions.sort_unstable();
        Ok(Stretch::Listed { positions, until })
    }

    /// The fewer there are, the further the next lookup goes.
    const fn adjust(&mut self, found: usize) {
        if found < FEW && self.window < MAX_WINDOW {
            self.window *= 4;
        } else if found > MANY && self.window > 1 {
            self.window /= 4;
        }
    }
}
