//! Asking the index: where the events are that somebody looks for. The log is asked for the events themselves.

use std::collections::HashMap;
use std::time::Duration;

use daybook_domain::OrderId;
use daybook_domain::inspection::Sought;
use daybook_eventstore::Position;
use sqlx::{PgPool, Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::SPAN;
use crate::read::{Behind, ReadDb, ReadError, ReplicaWatch};

/// Waits until the index in this database knows the log up to a position, but not longer than so long.
///
/// # Errors
/// How far behind it is then.
pub async fn reach(read: PgPool, position: Position, patience: Duration) -> Result<(), Behind> {
    let (watch, asking) = ReplicaWatch::start(read);
    let reached = watch.wait_for("audit", position, patience).await;
    asking.abort();
    reached
}

/// Which part of what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditPage {
    /// At most so many.
    pub first: u32,
    /// Those after this position, in the order asked for; from the beginning without.
    pub after: Option<Position>,
    /// From the last one backwards.
    pub newest_first: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The positions of the events.
    pub positions: Vec<Position>,
    /// What the index has.
    pub extent: Extent,
}

/// What the index has of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Up to where.
    pub as_of: Position,
    /// How many events up to there it lacks, because one of their span cannot be read: by this program, or at all.
    pub unindexed: i64,
}

/// The index that is of this log: one of another log says nothing.
const INDEX: &str = "projections p WHERE p.name = 'audit' AND p.status = 'live' AND NOT p.diverged";

/// The positions of the events that are looked for, a page of them, in the log's order or in the opposite one.
///
/// # Errors
/// When the replica fails or does not answer in time.
pub async fn find(db: &ReadDb, sought: &Sought, page: AuditPage) -> Result<Found, ReadError> {
    let mut query = QueryBuilder::new("SELECT p.parked, p.position, ARRAY(");
    let events = |query: &mut QueryBuilder<'_, Postgres>, of: &str| {
        query.push("SELECT e.position FROM live.audit_events e WHERE ").push(of);
        matching(query, sought);
        if let Some(after) = page.after {
            query.push(if page.newest_first { " AND e.position < " } else { " AND e.position > " });
            query.push_bind(after);
        }
        query.push(if page.newest_first { " ORDER BY e.position DESC" } else { " ORDER BY e.position" });
        query.push(" LIMIT ").push_bind(i64::from(page.first));
    };
    match sought.customer_id {
        // Of each of the customer's carts and orders a page is more than enough.
        Some(customer) => {
            query.push("SELECT DISTINCT found.position FROM ");
            of_customer(&mut query, customer.uuid());
            query.push(" CROSS JOIN LATERAL ((");
            events(&mut query, "e.order_id = theirs.order_id");
            query.push(") UNION ALL (");
            events(&mut query, "e.aggregate_id = theirs.aggregate_id");
            query.push(")) AS found ORDER BY found.position");
            query.push(if page.newest_first { " DESC LIMIT " } else { " LIMIT " });
            query.push_bind(i64::from(page.first));
        }
        None => events(&mut query, "true"),
    }
    query.push(") FROM ").push(INDEX);
    // Planned for what is asked for: what is best for a rare type is not for a common one.
    let query = query.build_query_as().persistent(false);
    let found = db.within(query.fetch_optional(db.pool())).await?;
    let (unindexed, as_of, positions) = found.ok_or(ReadError::NotBuilt)?;
    Ok(Found { positions, extent: Extent { as_of, unindexed } })
}

/// How many events are looked for. Of a common kind that takes as long as reading the index of all of them.
///
/// # Errors
/// When the replica fails or does not answer in time.
pub async fn count(db: &ReadDb, sought: &Sought) -> Result<u64, ReadError> {
    let mut query = QueryBuilder::new("");
    match sought.customer_id {
        _ if *sought == Sought::default() => {
            query.push("SELECT coalesce(sum(events), 0)::bigint FROM live.audit_spans");
        }
        Some(customer) => {
            query.push("SELECT count(DISTINCT e.position) FROM ");
            of_customer(&mut query, customer.uuid());
            query.push(" JOIN live.audit_events e ON e.order_id = theirs.order_id");
            query.push(" OR e.aggregate_id = theirs.aggregate_id WHERE true");
            matching(&mut query, sought);
        }
        None => {
            query.push("SELECT count(*) FROM live.audit_events e WHERE true");
            matching(&mut query, sought);
        }
    }
    let count: i64 = db.within(query.build_query_scalar().persistent(false).fetch_one(db.pool())).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// The positions of all events of these orders: their own, those of their payments and parcels, of stock as far as it was
/// for them, and of the carts they were. Of each the first `limit`, in order; and what the index has.
///
/// # Errors
/// When the replica fails or does not answer in time.
pub async fn stories(
    db: &ReadDb,
    orders: &[OrderId],
    limit: u32,
) -> Result<(HashMap<OrderId, Vec<Position>>, Extent), ReadError> {
    let ids: Vec<Uuid> = orders.iter().map(|order| order.uuid()).collect();
    let query = format!(
        "SELECT p.parked, p.position, wanted.id, story.position FROM (SELECT * FROM {INDEX}) AS p
         CROSS JOIN unnest($1::uuid[]) AS wanted (id) LEFT JOIN LATERAL (
             SELECT e.position FROM live.audit_events e WHERE e.order_id = wanted.id
             UNION
             SELECT e.position FROM live.audit_events s
                 JOIN live.audit_events e ON e.aggregate_id = s.aggregate_id AND e.aggregate_type = 'Cart'
                 WHERE s.order_id = wanted.id AND s.aggregate_type = 'Cart'
             ORDER BY position LIMIT $2
         ) AS story ON true ORDER BY wanted.id, story.position",
    );
    let rows = db.within(sqlx::query(&query).bind(ids).bind(i64::from(limit)).fetch_all(db.pool())).await?;
    let (mut stories, mut extent): (HashMap<OrderId, Vec<Position>>, _) = (HashMap::new(), None);
    for row in &rows {
        extent = Some(Extent { unindexed: row.try_get(0)?, as_of: row.try_get(1)? });
        if let Some(position) = row.try_get(3)? {
            stories.entry(OrderId::new(row.try_get(2)?)).or_default().push(position);
        }
    }
    Ok((stories, extent.ok_or(ReadError::NotBuilt)?))
}

/// A customer's orders, and what else names them.
fn of_customer(query: &mut QueryBuilder<'_, Postgres>, customer: Uuid) {
    query.push(
        "(SELECT DISTINCT c.order_id, CASE WHEN c.order_id IS NULL THEN c.aggregate_id END AS aggregate_id
          FROM live.audit_events c WHERE c.customer_id = ",
    );
    query.push_bind(customer).push(") AS theirs");
}

/// Adds ` AND …` for all that is looked for, but for the customer.
fn matching(query: &mut QueryBuilder<'_, Postgres>, sought: &Sought) {
    if let Some(order) = sought.order_id {
        query.push(" AND e.order_id = ").push_bind(order.uuid());
    }
    if let Some(correlation) = sought.correlation_id {
        query.push(" AND e.correlation_id = ").push_bind(correlation);
    }
    let texts = [
        ("aggregate_type", &sought.aggregate_type),
        ("aggregate_id", &sought.aggregate_id),
        ("event_type", &sought.event_type),
        ("actor", &sought.actor),
    ];
    for (column, text) in texts {
        if let Some(text) = text {
            query.push(format_args!(" AND e.{column} = ")).push_bind(text.clone());
        }
    }
    // The spans tell where to look, and each event whether it is one.
    if let Some(from) = sought.from {
        query.push(" AND e.occurred_at >= ").push_bind(from);
        query.push(format_args!(" AND e.position > (SELECT min(key)::bigint * {SPAN} FROM live.audit_spans"));
        query.push(" WHERE last_occurred_at >= ").push_bind(from).push(")");
    }
    if let Some(to) = sought.to {
        query.push(" AND e.occurred_at < ").push_bind(to);
        query.push(format_args!(
            " AND e.position <= (SELECT (max(key)::bigint + 1) * {SPAN} FROM live.audit_spans"
        ));
        query.push(" WHERE first_occurred_at < ").push_bind(to).push(")");
    }
}
