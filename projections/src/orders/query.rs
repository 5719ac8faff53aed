//! Reading orders: by id, as lists, and their histories. Every function takes many ids at once.

use std::collections::HashMap;

use daybook_domain::{CommandId, CustomerId, OrderId, Timestamp};
use daybook_eventstore::Position;
use sqlx::postgres::PgRow;
use sqlx::{QueryBuilder, Row};
use uuid::Uuid;

use super::row::{FulfilmentStatus, OrderRow, OrderStatus, PaymentStatus};
use crate::read::page::{self, Sort};
use crate::read::{Page, PageRequest, ReadDb, ReadError, doc};

/// Which orders are asked for; all of them without.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// Of this customer.
    pub customer_id: Option<CustomerId>,
    /// In this state.
    pub status: Option<OrderStatus>,
    /// Whose payment is in this state.
    pub payment_status: Option<PaymentStatus>,
    /// Whose goods are in this state.
    pub fulfilment_status: Option<FulfilmentStatus>,
}

/// One event of an order, its payment or one of its shipments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Its place in the log.
    pub position: Position,
    /// Its id.
    pub event_id: Uuid,
    /// `Order`, `Payment` or `Shipment`.
    pub aggregate_type: String,
    /// Which of them.
    pub aggregate_id: String,
    /// What happened, such as `OrderPlaced`.
    pub event_type: String,
    /// The version of the payload's fields.
    pub event_version: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Who caused it.
    pub actor: String,
    /// By which command.
    pub command_id: CommandId,
    /// What all that follows from one request has in common.
    pub correlation_id: Uuid,
    /// The event that it was an answer to.
    pub causation_id: Option<Uuid>,
    /// Its payload, as JSON text.
    pub payload: String,
}

/// The orders with these ids, those that there are.
///
/// # Errors
/// When the replica fails or does not answer in time.
pub async fn by_ids(db: &ReadDb, ids: &[OrderId]) -> Result<HashMap<OrderId, OrderRow>, ReadError> {
    let keys: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let query = sqlx::query("SELECT doc::text AS doc FROM live.orders WHERE key = ANY($1)").bind(keys);
    let rows = db.within(query.fetch_all(db.pool())).await?;
    let orders = rows.iter().map(doc::<OrderRow>);
    orders.map(|order| order.map(|order| (order.order_id, order))).collect()
}

/// A page of the orders that match, newest first. Page and total are of one moment.
///
/// # Errors
/// When the replica fails or does not answer in time.
pub async fn list(
    db: &ReadDb,
    filter: &OrderFilter,
    page: &PageRequest,
) -> Result<Page<OrderRow>, ReadError> {
    let sort = Sort { by: "placed_at", sql_type: "timestamptz", descending: true };
    page::fetch(db, "orders", &sort, page, |query| matching(query, filter)).await
}

/// The histories of these orders, each oldest first; at most `limit` events of each, after position `after`.
///
/// # Errors
/// When the replica fails or does not answer in time.
pub async fn history(
    db: &ReadDb,
    ids: &[OrderId],
    after: Position,
    limit: u32,
) -> Result<HashMap<OrderId, Vec<HistoryEntry>>, ReadError> {
    let keys: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let query = sqlx::query(
        "SELECT event.*, event.payload::text AS payload_text FROM unnest($1::text[]) AS wanted (key)
         CROSS JOIN LATERAL (
             SELECT * FROM live.order_history h WHERE h.key = wanted.key AND h.position > $2
             ORDER BY h.position LIMIT $3
         ) AS event",
    );
    let query = query.bind(keys).bind(after).bind(i64::from(limit));
    let rows = db.within(query.fetch_all(db.pool())).await?;
    let mut histories: HashMap<OrderId, Vec<HistoryEntry>> = ids.iter().map(|id| (*id, Vec::new())).collect();
    for row in &rows {
        let key: &str = row.try_get("key")?;
        if let Ok(id) = key.parse::<OrderId>() {
            histories.entry(id).or_default().push(entry(row)?);
        }
    }
    Ok(histories)
}

fn matching(query: &mut QueryBuilder<'_, sqlx::Postgres>, filter: &OrderFilter) {
    if let Some(customer) = filter.customer_id {
        query.push(" AND customer_id = ").push_bind(customer.uuid());
    }
    if let Some(status) = filter.status {
        query.push(" AND status = ").push_bind(status.as_str());
    }
    if let Some(status) = filter.payment_status {
        query.push(" AND payment_status = ").push_bind(status.as_str());
    }
    if let Some(status) = filter.fulfilment_status {
        query.push(" AND fulfilment_status = ").push_bind(status.as_str());
    }
}

fn entry(row: &PgRow) -> Result<HistoryEntry, sqlx::Error> {
    Ok(HistoryEntry {
        position: row.try_get("position")?,
        event_id: row.try_get("event_id")?,
        aggregate_type: row.try_get("aggregate_type")?,
        aggregate_id: row.try_get("aggregate_id")?,
        event_type: row.try_get("event_type")?,
        event_version: row.try_get("event_version")?,
        occurred_at: row.try_get("occurred_at")?,
        recorded_at: row.try_get("recorded_at")?,
        actor: row.try_get("actor")?,
        command_id: CommandId::new(row.try_get("command_id")?),
        correlation_id: row.try_get("correlation_id")?,
        causation_id: row.try_get("causation_id")?,
        payload: row.try_get("payload_text")?,
    })
}
