//! The tables of orders: one row per order, and one per event of an order, its payment and its shipments.

use super::Orders;
use super::row::OrderRow;
use crate::runtime::{Column, Envelope, Table, Tabled};

impl Tabled for Orders {
    const TABLE: Table<OrderRow> = Table {
        name: "orders",
        columns: &[
            Column::Uuid("customer_id", |row| row.customer_id.map(daybook_domain::CustomerId::uuid)),
            Column::Text("status", |row| Some(row.status.as_str().to_owned())),
            Column::Text("payment_status", |row| Some(row.payment_status().as_str().to_owned())),
            Column::Text("fulfilment_status", |row| Some(row.fulfilment_status().as_str().to_owned())),
            Column::Text("currency", |row| Some(row.currency().code().to_owned())),
            Column::Number("total", |row| Some(row.quote.total.minor())),
            Column::Number("captured", |row| Some(row.payment.captured.minor())),
            Column::Number("refunded", |row| Some(row.payment.refunded.minor())),
            Column::Time("placed_at", |row| Some(row.placed_at)),
            Column::Words("part_ids", |row| row.part_ids().map(|id| id.to_string()).collect()),
        ],
        generated: &[],
        indexes: &[
            "(placed_at DESC, key DESC)",
            "(customer_id, placed_at DESC, key DESC)",
            "(status, placed_at DESC, key DESC)",
            "USING gin (part_ids)",
        ],
    };

    const JOURNAL: Option<Table<Envelope>> = Some(Table {
        name: "order_history",
        columns: &[
            Column::Uuid("event_id", |event| Some(event.recorded.event_id)),
            Column::Text("aggregate_type", |event| Some(event.recorded.aggregate_type.clone())),
            Column::Text("aggregate_id", |event| Some(event.recorded.aggregate_id.clone())),
            Column::Text("event_type", |event| Some(event.recorded.event_type.clone())),
            Column::Text("event_version", |event| Some(event.recorded.event_version.clone())),
            Column::Time("occurred_at", |event| Some(event.metadata.occurred_at)),
            Column::Time("recorded_at", |event| Some(event.recorded.recorded_at)),
            Column::Text("actor", |event| Some(event.metadata.actor.clone())),
            Column::Uuid("command_id", |event| Some(event.metadata.command_id.uuid())),
            Column::Uuid("correlation_id", |event| Some(event.metadata.correlation_id)),
            Column::Uuid("causation_id", |event| event.metadata.causation_id),
            Column::Json("payload", |event| Some(event.recorded.payload.clone())),
        ],
        generated: &[],
        indexes: &[],
    });
}
