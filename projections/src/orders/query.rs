//! Reading orders: by id, as lists, and their histories. Every function takes many ids at once.

use std::collections::HashMap;
use std::sync::Arc;

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

/// The orders that these payments, refunds and shipments are of, for those that there are.
///
/// # Errors
/// When the replica fails or does not answer in time.
pub async fn by_parts(db: &ReadDb, ids: &[Uuid]) -> Result<HashMap<Uuid, Arc<OrderRow>>, ReadError> {
    let keys: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let query = sqlx::query("SELECT doc::text AS doc FROM live.orders WHERE part_ids && $1").bind(keys);
    let mut found = HashMap::with_capacity(ids.len());
    for row in &db.within(query.fetch_all(db.pool())).await? {
        let order = Arc::new(doc::<OrderRow>(row)?);
        let asked = order.part_ids().filter(|id| ids.contains(id));
        found.extend(asked.map(|id| (id, Arc::clone(&order))));
    }
    Ok(found)
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
    let sort = Sort { name: "placed", by: "placed_at", sql_type: "timestamptz", descending: true };
    page::fetch(db, "orders", &sort, page, |query| matching(query, filter)).await
}

/// A part of an order's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HistoryPart {
    /// The order.
    pub order_id: OrderId,
    /// The events after this position.
    pub after: Position,
    /// At most so many of them.
    pub first: u32,
}

/// These parts of orders' histories, each oldest first.
///
/// # Errors
/// When the replica fails or does not answer in time.
pub async fn history(
    db: &ReadDb,
    parts: &[HistoryPart],
) -> Result<HashMap<HistoryPart, Vec<HistoryEntry>>, ReadError> {
    let keys: Vec<String> = parts.iter().map(|part| part.order_id.to_string()).collect();
    let after: Vec<Position> = parts.iter().map(|part| part.after).collect();
    let first: Vec<i64> = parts.iter().map(|part| part.first.into()).collect();
    // Columns by name: the statement outlives a switch to a version that has others.
    let query = sqlx::query(
        "SELECT wanted.number, event.position, event.event_id, event.aggregate_type, event.aggregate_id,
             event.event_type, event.event_version, event.occurred_at, event.recorded_at, event.actor,
             event.command_id, event.correlation_id, event.causation_id, event.payload::text AS payload_text
         FROM unnest($1::text[], $2::bigint[], $3::bigint[])
             WITH ORDINALITY AS wanted (key, after, first, number)
         CROSS JOIN LATERAL (
             SELECT * FROM live.order_history h WHERE h.key = wanted.key AND h.position > wanted.after
             ORDER BY h.position LIMIT wanted.first
         ) AS event ORDER BY wanted.number, event.position",
    );
    let rows = db.within(query.bind(keys).bind(after).bind(first).fetch_all(db.pool())).await?;
    let mut histories: HashMap<_, Vec<_>> = parts.iter().map(|part| (*part, Vec::new())).collect();
    for row in &rows {
        let number: i64 = row.try_get("number")?;
        let part = usize::try_from(number - 1).ok().and_then(|index| parts.get(index));
        if let Some(events) = part.and_then(|part| histories.get_mut(part)) {
            events.push(entry(row)?);
        }
    }
    Ok(histories)
}

/// How many events the histories of these orders have.
///
/// # Errors
/// When the replica fails or does not answer in time.
pub async fn history_lengths(db: &ReadDb, ids: &[OrderId]) -> Result<HashMap<OrderId, u64>, ReadError> {
    let keys: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let query =
        sqlx::query("SELECT key, count(*) AS count FROM live.order_history WHERE key = ANY($1) GROUP BY key");
    let rows = db.within(query.bind(keys).fetch_all(db.pool())).await?;
    let mut lengths = HashMap::with_capacity(rows.len());
    for row in &rows {
        if let Ok(id) = row.try_get::<&str, _>("key")?.parse() {
            lengths.insert(id, u64::try_from(row.try_get::<i64, _>("count")?).unwrap_or(0));
        }
    }
    Ok(lengths)
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
