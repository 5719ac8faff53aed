//! Reading stock: the levels of many variants at once.

use std::collections::HashMap;

use daybook_domain::VariantId;
use daybook_eventstore::Position;

use super::{StockLevel, VariantStock};
use crate::read::{Hot, ReadDb, ReadError, doc};

/// The levels of these variants at every location, sorted by location; a variant nobody stocks has none.
///
/// # Errors
/// When the replica fails or does not answer in time.
pub async fn by_variants(
    db: &ReadDb,
    ids: &[VariantId],
) -> Result<HashMap<VariantId, Vec<StockLevel>>, ReadError> {
    let uuids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let query =
        sqlx::query("SELECT doc::text AS doc FROM live.stock WHERE variant_id = ANY($1) ORDER BY key");
    let rows = db.within(query.bind(uuids).fetch_all(db.pool())).await?;
    let mut levels: HashMap<VariantId, Vec<StockLevel>> = ids.iter().map(|id| (*id, Vec::new())).collect();
    for level in rows.iter().map(doc::<StockLevel>) {
        let level = level?;
        levels.entry(level.variant_id).or_default().push(level);
    }
    Ok(levels)
}

/// The same as [`by_variants`] from the hot copy, at `after` or later; nothing when it cannot tell, and then the
/// caller asks Postgres.
pub async fn by_variants_hot(
    hot: &Hot,
    ids: &[VariantId],
    after: Option<Position>,
) -> Option<HashMap<VariantId, Vec<StockLevel>>> {
    let keys: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let (_, rows) = hot.rows::<VariantStock>("stock-hot", &keys, after).await?;
    Some(ids.iter().zip(rows).map(|(id, row)| (*id, row.unwrap_or_default().levels)).collect())
}
