//! What somebody wants to hear of.

use sqlx::{Postgres, QueryBuilder};

use crate::event::{RecordedEvent, StreamId};

/// Events that meet every condition given; without one, all of them.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    event_types: Option<Vec<String>>,
    aggregate_types: Option<Vec<String>>,
    /// In order, and none twice.
    streams: Option<Vec<StreamId>>,
}

impl Filter {
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
        streams.sort_unstable_by(|one, other| key(one).cmp(&key(other)));
        streams.dedup();
        Self { streams: Some(streams), ..self }
    }

    /// Whether every event meets it.
    pub const fn is_everything(&self) -> bool {
        self.event_types.is_none() && self.aggregate_types.is_none() && self.streams.is_none()
    }

    /// Whether an event meets it.
    pub fn includes(&self, event: &RecordedEvent) -> bool {
        let one_of =
            |some: &Option<Vec<String>>, it: &String| some.as_ref().is_none_or(|some| some.contains(it));
        let wanted = (event.aggregate_type.as_str(), event.aggregate_id.as_str());
        one_of(&self.event_types, &event.event_type)
            && one_of(&self.aggregate_types, &event.aggregate_type)
            && (self.streams.as_ref())
                .is_none_or(|streams| streams.binary_search_by(|stream| key(stream).cmp(&wanted)).is_ok())
    }

    /// Whether it is one that the directory of events by their types helps with.
    pub(super) const fn is_of_types(&self) -> bool {
        self.streams.is_none() && (self.event_types.is_some() || self.aggregate_types.is_some())
    }

    /// The streams it is of, when it is of some.
    pub(super) fn streams(&self) -> Option<&[StreamId]> {
        self.streams.as_deref()
    }

    /// Adds the conditions on types, of what has them under this name.
    pub(super) fn restrict(&self, query: &mut QueryBuilder<'static, Postgres>, name: &str) {
        if let Some(types) = &self.event_types {
            query.push(format!(" AND {name}.event_type = ANY (")).push_bind(types.clone()).push(")");
        }
        if let Some(types) = &self.aggregate_types {
            query.push(format!(" AND {name}.aggregate_type = ANY (")).push_bind(types.clone()).push(")");
        }
    }
}

fn key(stream: &StreamId) -> (&str, &str) {
    (&stream.aggregate_type, &stream.aggregate_id)
}
