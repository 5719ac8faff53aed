//! Which events of the log somebody wants.

use std::num::NonZeroU16;

use sqlx::{Postgres, QueryBuilder};

use super::filter::Filter;
use super::view::{COLUMNS, WHAT_HAPPENED};
use crate::event::{Position, RecordedEvent, StreamId};

/// One of several shares of the streams. An aggregate's events are all in the same share, so several can be replayed
/// side by side with the order kept within each stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    number: u16,
    of: NonZeroU16,
}

impl Slice {
    /// All the slices, when there are so many.
    ///
    /// ```
    /// use std::num::NonZeroU16;
    ///
    /// use daybook_eventstore::{Selection, Slice};
    ///
    /// let shares: Vec<Selection> =
    ///     Slice::all(NonZeroU16::MIN.saturating_add(3)).map(|slice| Selection::after(0).in_slice(slice)).collect();
    /// assert_eq!(shares.len(), 4);
    /// ```
    pub fn all(of: NonZeroU16) -> impl Iterator<Item = Self> {
        (0..of.get()).map(move |number| Self { number, of })
    }

    /// Which one it is, from 0.
    pub(super) fn number(self) -> i32 {
        i32::from(self.number)
    }

    /// How many there are.
    pub(super) fn of(self) -> i32 {
        i32::from(self.of.get())
    }
}

/// The number that an aggregate's share is known by, before it is divided by how many shares there are.
pub(super) const SLICED: &str = "(hashtext(e.aggregate_id) & 2147483647)";

/// Which events: all of a range of positions, or those that meet every condition given.
///
/// ```no_run
/// # async fn read(store: daybook_eventstore::EventStore) -> Result<(), daybook_eventstore::StoreError> {
/// use daybook_eventstore::Selection;
///
/// let refunds = Selection::after(0).until(2_000_000).of_types(["PaymentRefunded"]).of_aggregates(["Payment"]);
/// let mut scan = store.reader().scan(refunds, 1_000);
/// while let Some(batch) = scan.next().await? {
///     for event in batch.events() {
///         let refund: serde_json::Value = event.payload_as()?;
///         println!("{}: {refund}", event.position()?);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Selection {
    after: Position,
    until: Option<Position>,
    filter: Filter,
    slice: Option<Slice>,
    only_what_happened: bool,
}

impl Selection {
    /// Every event after this position; 0 is before the first.
    pub fn after(position: Position) -> Self {
        Self { after: position, ..Self::default() }
    }

    /// None after this position.
    #[must_use]
    pub fn until(self, position: Position) -> Self {
        Self { until: Some(position), ..self }
    }

    /// Only events that meet this, in place of what was asked of them before.
    #[must_use]
    pub fn only(self, filter: Filter) -> Self {
        Self { filter, ..self }
    }

    /// Only events of these types.
    #[must_use]
    pub fn of_types<T: Into<String>>(self, types: impl IntoIterator<Item = T>) -> Self {
        Self { filter: self.filter.of_types(types), ..self }
    }

    /// Only events of aggregates of these types.
    #[must_use]
    pub fn of_aggregates<T: Into<String>>(self, types: impl IntoIterator<Item = T>) -> Self {
        Self { filter: self.filter.of_aggregates(types), ..self }
    }

    /// Only events of these streams; only they are read.
    #[must_use]
    pub fn of_streams(self, streams: impl IntoIterator<Item = StreamId>) -> Self {
        Self { filter: self.filter.of_streams(streams), ..self }
    }

    /// Only events of the streams in this share.
    #[must_use]
    pub fn in_slice(self, slice: Slice) -> Self {
        Self { slice: Some(slice), ..self }
    }

    /// Only what happened: without the events' ids, their metadata and when they were recorded, which are half of what
    /// would be sent.
    #[must_use]
    pub fn only_what_happened(self) -> Self {
        Self { only_what_happened: true, ..self }
    }

    /// Where it begins: the events are after this position.
    pub(super) const fn begins(&self) -> Position {
        self.after
    }

    /// The same, but none after this position.
    pub(super) fn up_to(&self, until: Option<Position>) -> Self {
        Self { until: until.or(self.until), ..self.clone() }
    }

    /// Goes on after this position.
    pub(super) const fn go_on(&mut self, after: Position) {
        self.after = after;
    }

    /// Where it ends: none of the events is after this position.
    pub(super) const fn ends(&self) -> Option<Position> {
        self.until
    }

    /// Whether it is one that the directory of events by their types helps with.
    pub(super) const fn is_of_types(&self) -> bool {
        self.filter.is_of_types()
    }

    /// Whether all events of some types in its range are in it.
    pub(super) const fn is_of_types_alone(&self) -> bool {
        self.is_of_types() && self.slice.is_none()
    }

    /// The streams it is of, when it is of some.
    pub(super) fn streams(&self) -> Option<&[StreamId]> {
        self.filter.streams()
    }

    /// The share of the streams it is of, when it is of one.
    pub(super) const fn slice(&self) -> Option<Slice> {
        self.slice
    }

    /// Whether this event is in it, but for its share of the streams, which the database knows.
    pub(super) fn includes(&self, event: &RecordedEvent) -> bool {
        event.position > self.after
            && self.until.is_none_or(|until| event.position <= until)
            && self.filter.includes(event)
    }

    /// Whether every position of the range is in it.
    pub(super) const fn is_whole(&self) -> bool {
        self.filter.is_everything() && self.slice.is_none()
    }

    /// The query that reads it in order, `limit` events at most.
    pub(super) fn query(&self, limit: usize) -> QueryBuilder<'static, Postgres> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let columns = if self.only_what_happened { WHAT_HAPPENED } else { COLUMNS };
        let mut query = QueryBuilder::new(format!("SELECT {columns} FROM "));
        if let Some(streams) = self.filter.streams() {
            // Each is looked up by its key, which the planner need not be trusted with.
            let types: Vec<String> = streams.iter().map(|stream| stream.aggregate_type.clone()).collect();
            let ids: Vec<String> = streams.iter().map(|stream| stream.aggregate_id.clone()).collect();
            query.push("unnest(").push_bind(types).push("::text[], ").push_bind(ids).push("::text[])");
            query.push(" AS wanted (type, id) CROSS JOIN LATERAL (SELECT e.* FROM events e");
            query.push(" WHERE e.aggregate_type = wanted.type AND e.aggregate_id = wanted.id AND ");
            self.restrict(&mut query);
            query.push(" ORDER BY e.sequence LIMIT ").push_bind(limit).push(") e");
        } else {
            query.push("events e WHERE ");
            self.restrict(&mut query);
        }
        query.push(" ORDER BY position LIMIT ").push_bind(limit);
        query
    }

    /// The query of what the directory has of it in these blocks, up to `beyond`: in each row how far the directory
    /// reaches, and, if there is one, a block and the offsets in it.
    pub(super) fn directory(&self, first: i64, beyond: i64) -> QueryBuilder<'static, Postgres> {
        let mut query = QueryBuilder::new(
            "SELECT h.position, d.block, d.offsets FROM event_directory_head h LEFT JOIN event_directory d ON d.block >= ",
        );
        query.push_bind(first).push(" AND d.block < ").push_bind(beyond);
        self.filter.restrict(&mut query, "d");
        query
    }

    /// The query that reads what is at these positions in order.
    pub(super) fn query_at(&self, positions: &[Position]) -> QueryBuilder<'static, Postgres> {
        let columns = if self.only_what_happened { WHAT_HAPPENED } else { COLUMNS };
        let mut query = QueryBuilder::new(format!("SELECT {columns} FROM events e WHERE e.position = ANY ("));
        query.push_bind(positions.to_vec()).push(")");
        self.restrict_to_slice(&mut query);
        query.push(" ORDER BY position");
        query
    }

    /// Adds the other conditions.
    fn restrict(&self, query: &mut QueryBuilder<'static, Postgres>) {
        query.push("e.position > ").push_bind(self.after);
        if let Some(until) = self.until {
            query.push(" AND e.position <= ").push_bind(until);
        }
        self.filter.restrict(query, "e");
        self.restrict_to_slice(query);
    }

    fn restrict_to_slice(&self, query: &mut QueryBuilder<'static, Postgres>) {
        if let Some(slice) = self.slice {
            query.push(format!(" AND {SLICED} % ")).push_bind(slice.of());
            query.push(" = ").push_bind(slice.number());
        }
    }
}
