//! The tables of the index: a row per event, and one per span of them.

use super::{Audit, Span, customer_of, order_of};
use crate::runtime::{Column, Envelope, Table, Tabled};

impl Tabled for Audit {
    const TABLE: Table<Span> = Table {
        name: "audit_spans",
        columns: &[
            Column::Time("first_occurred_at", |span| Some(span.first)),
            Column::Time("last_occurred_at", |span| Some(span.last)),
            Column::Number("events", |span| Some(span.events)),
        ],
        generated: &[],
        indexes: &[],
    };

    const JOURNAL: Option<Table<Envelope>> = Some(Table {
        name: "audit_events",
        columns: &[
            Column::Text("aggregate_type", |event| Some(event.recorded.aggregate_type.clone())),
            Column::Text("aggregate_id", |event| Some(event.recorded.aggregate_id.clone())),
            Column::Text("event_type", |event| Some(event.recorded.event_type.clone())),
            Column::Time("occurred_at", |event| Some(event.metadata.occurred_at)),
            Column::Text("actor", |event| Some(event.metadata.actor.clone())),
            Column::Uuid("correlation_id", |event| Some(event.metadata.correlation_id)),
            Column::Uuid("order_id", order_of),
            Column::Uuid("customer_id", customer_of),
        ],
        generated: &[],
        // Each in the log's order, so that a page is read off whatever it is of; where there may be very many, with the time,
        // so that those of a time are told apart without a look at the rows.
        indexes: &[
            "(position) INCLUDE (occurred_at)",
            "(event_type, position) INCLUDE (occurred_at)",
            "(aggregate_type, position) INCLUDE (occurred_at)",
            "(actor, position) INCLUDE (occurred_at)",
            "(aggregate_id, position)",
            "(correlation_id, position)",
            "(order_id, position) WHERE order_id IS NOT NULL",
            "(customer_id, position) WHERE customer_id IS NOT NULL",
        ],
    });
}
