//! Reading carts, many at once.

use std::collections::HashMap;

use daybook_domain::{CartId, CustomerId};
use daybook_eventstore::Position;
use sqlx::Row;

use super::CartRow;
use crate::read::{Hot, ReadDb, ReadError, doc};

/// The carts with these ids, those that there are.
///
/// # Errors
/// When the replica fails or does not answer in time.
pub async fn by_ids(db: &ReadDb, ids: &[CartId]) -> Result<HashMap<CartId, CartRow>, ReadError> {
    let keys: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let query = sqlx::query("SELECT key, doc::text AS doc FROM live.carts WHERE key = ANY($1)").bind(keys);
    let rows = db.within(query.fetch_all(db.pool())).await?;
    let mut carts = HashMap::with_capacity(rows.len());
    for row in &rows {
        if let Ok(id) = row.try_get::<&str, _>("key")?.parse() {
            carts.insert(id, doc(row)?);
        }
    }
    Ok(carts)
}

/// The carts of these customers, newest first.
///
/// # Errors
/// When the replica fails or does not answer in time.
pub async fn by_customers(
    db: &ReadDb,
    ids: &[CustomerId],
) -> Result<HashMap<CustomerId, Vec<CartRow>>, ReadError> {
    let uuids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let query = sqlx::query(
        "SELECT customer_id, doc::text AS doc FROM live.carts WHERE customer_id = ANY($1) ORDER BY key DESC",
    );
    let rows = db.within(query.bind(uuids).fetch_all(db.pool())).await?;
    let mut carts: HashMap<CustomerId, Vec<CartRow>> = ids.iter().map(|id| (*id, Vec::new())).collect();
    for row in &rows {
        let customer = CustomerId::new(row.try_get("customer_id")?);
        carts.entry(customer).or_default().push(doc(row)?);
    }
    Ok(carts)
}

/// The same as [`by_ids`] from the hot copy, at `after` or later, and where that is; nothing when it cannot tell, and
/// then the caller asks Postgres.
pub async fn by_ids_hot(
    hot: &Hot,
    ids: &[CartId],
    after: Option<Position>,
) -> Option<(Position, HashMap<CartId, CartRow>)> {
    let keys: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let (at, rows) = hot.rows::<CartRow>("carts-hot", &keys, after).await?;
    Some((at, ids.iter().zip(rows).filter_map(|(id, row)| Some((*id, row?))).collect()))
}
