//! The hashes of a read model in Redis: one command reads rows and where they are.

use std::collections::HashMap;

use async_trait::async_trait;
use fred::interfaces::{HashesInterface as _, LuaInterface as _};
use serde_json::{Map, Value, json};

use super::paged::{Found, Keys, Shelf, Sight};
use crate::runtime::error::TargetError;
use crate::runtime::fold::Stored;
use crate::runtime::model::ReadModel;
use crate::runtime::redis::{CHECKPOINT, RedisTarget, decode, read_checkpoint};

/// How many keys are read at once, about.
const PAGE: usize = 1_000;

/// Some fields of a hash, without what is in them, and from where on there are more. Keys: the version. Arguments: from
/// where, and about how many.
const SCAN: &str = "
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local answer = { page[1] }
for i = 1, #page[2], 2 do answer[#answer + 1] = page[2][i] end
return answer";

#[async_trait]
impl<M: ReadModel> Shelf<M> for RedisTarget<M> {
    async fn keys(&self, version: i32, from: u64) -> Result<Keys, TargetError> {
        let arguments = vec![from.to_string(), PAGE.to_string()];
        let mut keys: Vec<String> =
            self.redis.eval(SCAN, vec![self.keys.version(version)], arguments).await?;
        let next = keys.remove(0).parse().unwrap_or(0);
        keys.retain(|key| !CHECKPOINT.contains(&key.as_str()));
        Ok((keys, Some(next).filter(|next| *next > 0)))
    }

    async fn look(&self, version: i32, keys: &[String]) -> Result<Sight, TargetError> {
        let fields: Vec<&str> = CHECKPOINT.into_iter().chain(keys.iter().map(String::as_str)).collect();
        let mut values: Vec<Option<String>> = self.redis.hmget(self.keys.version(version), fields).await?;
        let rows = values.split_off(CHECKPOINT.len());
        let there = keys.iter().zip(rows).filter_map(|(key, row)| Some((key.clone(), row?)));
        let found = there.map(|(key, row)| (key, read(version, row)));
        Ok(Sight { at: read_checkpoint(&values), rows: found.collect::<HashMap<_, _>>() })
    }

    fn beside(_row: &M::Row) -> Map<String, Value> {
        Map::new()
    }
}

/// Reads a row. One that cannot be read is right in no version, so it equals none of another one.
fn read(version: i32, text: String) -> Found {
    match decode(&text) {
        Some(row) => Found { row, beside: Map::new() },
        None => Found {
            row: Stored { position: 0, doc: text },
            beside: Map::from_iter([("unreadable_in_version".to_owned(), json!(version))]),
        },
    }
}
