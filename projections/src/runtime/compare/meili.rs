//! The indexes of a read model in Meilisearch: one request reads documents and the one that says where they are.

use std::collections::HashMap;

use async_trait::async_trait;
use meilisearch_sdk::documents::DocumentsQuery;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::paged::{Found, Keys, Shelf, Sight};
use crate::runtime::error::TargetError;
use crate::runtime::fold::Stored;
use crate::runtime::meili::{CHECKPOINT, Indexed, Kept, Marker, MeiliTarget};
use crate::runtime::request::{is_absent, within};

/// How many documents are read at once.
const PAGE: usize = 500;

/// A document of which only the id is wanted.
#[derive(Debug, Deserialize)]
struct Named {
    id: String,
}

#[async_trait]
impl<M: Indexed> Shelf<M> for MeiliTarget<M> {
    async fn keys(&self, version: i32, from: u64) -> Result<Keys, TargetError> {
        let Some((uid, _)) = self.locate(version).await? else { return Ok((Vec::new(), None)) };
        let index = self.client.index(uid);
        let mut query = DocumentsQuery::new(&index);
        let offset = usize::try_from(from).unwrap_or(usize::MAX);
        query.with_offset(offset).with_limit(PAGE).with_fields(["id"]);
        let page = within(query.execute::<Named>()).await?;
        let next = Some(from + PAGE as u64).filter(|next| *next < u64::from(page.total));
        let keys = page.results.into_iter().map(|named| named.id).filter(|id| id != CHECKPOINT);
        Ok((keys.collect(), next))
    }

    async fn look(&self, version: i32, keys: &[String]) -> Result<Sight, TargetError> {
        let nothing = Sight { at: None, rows: HashMap::new() };
        let Some((uid, _)) = self.locate(version).await? else { return Ok(nothing) };
        let ids = keys.iter().map(String::as_str).chain([CHECKPOINT]);
        let ids: Vec<String> = ids.map(|id| Value::from(id).to_string()).collect();
        let filter = format!("id IN [{}]", ids.join(", "));
        let index = self.client.index(uid);
        let mut query = DocumentsQuery::new(&index);
        query.with_filter(&filter).with_limit(ids.len());
        let documents = match within(query.execute::<Map<String, Value>>()).await {
            Err(TargetError::Search(error)) if is_absent(&error) => return Ok(nothing),
            other => other?.results,
        };
        let mut sight = nothing;
        for mut document in documents {
            if document.get("id").is_some_and(|id| id == CHECKPOINT) {
                let marker: Marker = serde_json::from_value(Value::Object(document))?;
                // A switch may have put another version there meanwhile.
                sight.at = Some(marker).filter(|marker| marker.version == version).map(Into::into);
                continue;
            }
            let kept: Kept = serde_json::from_value(Value::Object(document.clone()))?;
            for field in ["id", "position", "row"] {
                document.remove(field);
            }
            let row = Stored { position: kept.position, doc: kept.row };
            sight.rows.insert(kept.id, Found { row, beside: document });
        }
        if sight.at.is_none() {
            sight.rows.clear();
        }
        Ok(sight)
    }

    fn beside(row: &M::Row) -> Map<String, Value> {
        M::document(row)
    }
}
