//! Reading the log by position, from the primary or a replica.

mod at;
mod detached;
mod directory;
mod filter;
mod scan;
mod selection;
mod stray;
mod view;

use sqlx::{PgPool, Row};
use uuid::Uuid;

use self::detached::Detached;
pub(crate) use self::detached::Gone;
pub(crate) use self::directory::BLOCK;
pub use self::filter::Filter;
pub use self::scan::{Batch, Scan};
pub use self::selection::{Selection, Slice};
pub use self::view::EventView;
pub(crate) use self::view::{COLUMNS, decode};
use crate::bounded::bounded;
use crate::error::StoreError;
use crate::event::{Position, RecordedEvent};
use crate::partition::Archives;

/// How often the database is asked again for what it should have.
const TRIES: u32 = 3;

/// Where the log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// The log's epoch: another one after a restore or an unclean promotion.
    pub epoch: Uuid,
    /// The position of the last event; 0 when there is none.
    pub position: Position,
}

/// Which log it is, and how often any of its events have left the database or come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogMark {
    epoch: Uuid,
    changes: i64,
}

/// Reads events in the order of their positions.
#[derive(Debug, Clone)]
pub struct LogReader {
    pool: PgPool,
    archives: Option<Archives>,
}

impl LogReader {
    /// A reader of the log in this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool, archives: None }
    }

    /// The same reader, who reads what has left the database from these archives. Without them that is an error.
    #[must_use]
    pub fn with_archives(self, archives: Option<Archives>) -> Self {
        Self { archives, ..self }
    }

    /// Where the log stands.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn head(&self) -> Result<LogHead, StoreError> {
        let row = sqlx::query("SELECT epoch, position FROM log_head").fetch_one(&self.pool).await?;
        Ok(LogHead { epoch: row.try_get(0)?, position: row.try_get(1)? })
    }

    /// By what the log, and where its events lie, is known again. Who uses what a [`Scan`] gives before the scan has ended
    /// compares it with what it was before the scan began: as long as it is the same, nothing was passed over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn mark(&self) -> Result<LogMark, StoreError> {
        let row =
            sqlx::query("SELECT epoch, (SELECT coalesce(sum(changes), 0) FROM log_partitions) FROM log_head");
        let row = bounded(async { Ok(row.fetch_one(&self.pool).await?) }).await?;
        Ok(LogMark { epoch: row.try_get(0)?, changes: row.try_get(1)? })
    }

    /// At most `limit` events after position `after`, in order; empty at the end of the log.
    ///
    /// # Errors
    /// When the database does not answer, or an archive cannot be read.
    pub async fn read(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        let mut tries = 0;
        loop {
            let rows = Selection::after(after).query(limit).build().fetch_all(&self.pool).await?;
            let events: Vec<RecordedEvent> = rows.iter().map(decode).collect::<Result<_, _>>()?;
            // What has left the database is older than something that has not.
            if events.first().is_none_or(|first| first.position == after + 1) {
                return Ok(events);
            }
            let mut detached = Detached::now(&self.pool, self.archives.clone()).await?;
            if after < detached.reaches() {
                return self.read_archived(&mut detached, after, limit).await;
            }
            // It may have come back since it was missed.
            tries += 1;
            if tries == TRIES {
                return Ok(events);
            }
        }
    }

    /// What has left the database, and beyond it what has not.
    async fn read_archived(
        &self,
        detached: &mut Detached,
        after: Position,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let (mut events, mut at) = (Vec::new(), after);
        while events.len() < limit && at < detached.reaches() {
            let block = detached.events(at / BLOCK).await?;
            let more = block.into_iter().filter(|event| event.position > at).take(limit - events.len());
            events.extend(more);
            at = events.last().map_or(at, |last: &RecordedEvent| last.position);
        }
        if events.len() < limit {
            let rest = Selection::after(at).query(limit - events.len());
            let rows = { rest }.build().fetch_all(&self.pool).await?;
            let rest: Vec<RecordedEvent> = rows.iter().map(decode).collect::<Result<_, _>>()?;
            if rest.first().is_some_and(|first| first.position == at + 1) {
                events.extend(rest);
            }
        }
        Ok(events)
    }

    /// Reads a selection in batches of this many events, to its end or to where the log ends when that is reached.
    pub fn scan(&self, selection: Selection, batch: usize) -> Scan {
        Scan::start(self.pool.clone(), self.archives.clone(), selection, batch)
    }

    /// The event at `position`, when there is one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find(&self, position: Position) -> Result<Option<RecordedEvent>, StoreError> {
        if position < 1 {
            return Ok(None);
        }
        let mut events = self.read(position - 1, 1).await?;
        Ok(events.pop().filter(|event| event.position == position))
    }
}
