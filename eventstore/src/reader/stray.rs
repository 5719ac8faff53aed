//! Events that no reader of the log sees, though they are in its table: who loads their stream would. Only somebody who went
//! round the store's own functions can have written them.

use super::LogReader;
use crate::error::StoreError;
use crate::event::Position;

/// Before the first position there can be in the database, or beyond the head; all of it at one moment.
const STRAY: &str = "SELECT least( \
         (SELECT min(position) FROM events WHERE position <= \
             (SELECT coalesce(max(last), 0) FROM log_partitions WHERE NOT attached)), \
         (SELECT min(position) FROM events WHERE position > (SELECT position FROM log_head)))";
/// A second one at a position.
const DOUBLED: &str = "SELECT position FROM events WHERE position > $1 AND position <= $2 \
     GROUP BY position HAVING count(*) > 1 ORDER BY position LIMIT 1";

impl LogReader {
    /// The first position where there is an event and the log has no place for one; nothing when all is in order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_stray(&self) -> Result<Option<Position>, StoreError> {
        Ok(sqlx::query_scalar(STRAY).fetch_one(&self.pool).await?)
    }

    /// The first position in this range at which there are several events.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_doubled(
        &self,
        after: Position,
        until: Position,
    ) -> Result<Option<Position>, StoreError> {
        Ok(sqlx::query_scalar(DOUBLED).bind(after).bind(until).fetch_optional(&self.pool).await?)
    }
}
