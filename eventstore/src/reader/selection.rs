//! Which events of the log somebody wants.

use std::num::NonZeroU16;

use sqlx::{Postgres, QueryBuilder};

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
    event_types: Option<Vec<String>>,
    aggregate_types: Option<Vec<String>>,
    streams: Option<Vec<StreamId>>,
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

    /// Only events of these types.
    #[must_use]
    pub fn of_types<T: Into<String>>(self, types: impl IntoIterator<Item = T>) -> Self {
        Self { event_types: Some(types.into_iter().map(Into::into).collect()), ..self }
    }

    /// Only events of aggregates of these types.
    #[must_use]
    pub fn of_aggregates<T: Into<String>>(self, types: impl IntoIterator<Item = T>) -> Self {
        Self { aggregate_types: Some(types.into_iter().map(Into::into).collect()), ..self }
    }

    /// Only events of these streams; only they are read.
    #[must_use]
    pub fn of_streams(self, streams: impl IntoIterator<Item = StreamId>) -> Self {
        let mut streams: Vec<StreamId> = streams.into_iter().collect();
        streams.sort_unstable_by(|one, other| {
            (&one.aggregate_type, &one.aggregate_id).cmp(&(&other.aggregate_type, &other.aggregate_id))
        });
        streams.dedup();
        Self { streams: Some(streams), ..self }
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
        self.streams.is_none() && (self.event_types.is_some() || self.aggregate_types.is_some())
    }

    /// Whether all events of some types in its range are in it.
    pub(super) const fn is_of_types_alone(&self) -> bool {
        self.is_of_types() && self.slice.is_none()
    }

    /// The streams it is of, when it is of some.
    pub(super) fn streams(&self) -> Option<&[StreamId]> {
        self.streams.as_deref()
    }

    /// The share of the streams it is of, when it is of one.
    pub(super) const fn slice(&self) -> Option<Slice> {
        self.slice
    }

    /// Whether this event is in it, but for its share of the streams, which the database knows.
    pub(super) fn includes(&self, event: &RecordedEvent) -> bool {
        let one_of =
            |some: &Option<Vec<String>>, it: &String| some.as_ref().is_none_or(|some| some.contains(it));
        event.position > self.after
            && self.until.is_none_or(|until| event.position <= until)
            && one_of(&self.event_types, &event.event_type)
            && one_of(&self.aggregate_types, &event.aggregate_type)
            && self.streams.as_ref().is_none_or(|streams| {
                streams.iter().any(|stream| {
                    stream.aggregate_id == event.aggregate_id && stream.aggregate_type == event.aggregate_type
                })
            })
    }

    /// Whether every position of the range is in it.
    pub(super) const fn is_whole(&self) -> bool {
        self.event_types.is_none()
            && self.aggregate_types.is_none()
            && self.streams.is_none()
            && self.slice.is_none()
    }

    /// The query that reads it in order, `limit` events at most.
    pub(super) fn query(&self, limit: usize) -> QueryBuilder<'static, Postgres> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let columns = if self.only_what_happened { WHAT_HAPPENED } else { COLUMNS };
        let mut query = QueryBuilder::new(format!("SELECT {columns} FROM "));
        if let Some(streams) = &self.streams {
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
        if let Some(types) = &self.event_types {
            query.push(" AND d.event_type = ANY (").push_bind(types.clone()).push(")");
        }
        if let Some(types) = &self.aggregate_types {
            query.push(" AND d.aggregate_type = ANY (").push_bind(types.clone()).push(")");
        }
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
        if let Some(types) = &self.event_types {
            query.push(" AND e.event_type = ANY (").push_bind(types.clone()).push(")");
        }
        if let Some(types) = &self.aggregate_types {
            query.push(" AND e.aggregate_type = ANY (").push_bind(types.clone()).push(")");
        }
        self.restrict_to_slice(query);
    }

    fn restrict_to_slice(&self, query: &mut QueryBuilder<'static, Postgres>) {
        if let Some(slice) = self.slice {
            query.push(format!(" AND {SLICED} % ")).push_bind(slice.of());
            query.push(" = ").push_bind(slice.number());
        }
    }
}
