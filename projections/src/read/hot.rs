//! Hot copies in Redis, read in one round trip and never waited for: whoever gets nothing asks Postgres.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use daybook_eventstore::Position;
use fred::clients::Client;
use fred::interfaces::{ClientLike, LuaInterface};
use fred::types::Builder;
use fred::types::config::{Config, ReconnectPolicy};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::runtime::redis::{Keys, decode};

/// What keys begin with where nothing else is configured.
pub const PREFIX: &str = "daybook:";
/// How long a read may take: asking Postgres takes no longer.
const LIMIT: Duration = Duration::from_millis(25);
/// How long Redis is left alone after it did not answer.
const REST: Duration = Duration::from_secs(1);
/// How many rows one script reads.
const MOST: usize = 1_000;
/// How long a command may take, for those that write.
const COMMAND: Duration = Duration::from_secs(5);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// Pauses between attempts to connect again, in milliseconds.
const RECONNECT: (u32, u32) = (50, 2_000);

/// The position and the rows of the version that readers see, when it is at least at a position.
/// Keys: the pointer. Arguments: what keys begin with, the position, and the rows' keys.
const READ: &str = "
local version = redis.call('GET', KEYS[1])
if not version then return false end
local key = ARGV[1] .. '@' .. version
local at = redis.call('HGET', key, '!position')
if not at or tonumber(at) < tonumber(ARGV[2]) then return false end
local rows = redis.call('HMGET', key, unpack(ARGV, 3))
table.insert(rows, 1, at)
return rows";

/// A connection to Redis that comes back by itself.
///
/// # Errors
/// When the URL is not one of Redis.
pub fn connect(url: &str) -> Result<Client, fred::error::Error> {
    let client = Builder::from_config(Config::from_url(url)?)
        .with_performance_config(|config| config.default_command_timeout = COMMAND)
        .with_connection_config(|config| {
            config.connection_timeout = CONNECT;
            config.internal_command_timeout = CONNECT;
            // A script that may have run is not run again by itself.
            config.max_command_attempts = 1;
        })
        .set_policy(ReconnectPolicy::new_exponential(0, RECONNECT.0, RECONNECT.1, 2))
        .build()?;
    // It goes on trying until the client is dropped.
    drop(client.connect());
    Ok(client)
}

/// Reads hot copies.
#[derive(Debug, Clone)]
pub struct Hot {
    redis: Client,
    prefix: String,
    resting: Arc<Mutex<Option<Instant>>>,
}

impl Hot {
    /// Reads there.
    pub fn new(redis: Client, prefix: &str) -> Self {
        Self { redis, prefix: prefix.to_owned(), resting: Arc::default() }
    }

    /// The rows with these keys, in their order, of a version that is at least at `after`, and where that is; nothing
    /// at all when Redis does not answer at once, has no version to be read, or is behind.
    pub(crate) async fn rows<R: DeserializeOwned>(
        &self,
        name: &str,
        keys: &[String],
        after: Option<Position>,
    ) -> Option<(Position, Vec<Option<R>>)> {
        if self.is_resting() {
            return None;
        }
        let (mut at, mut rows) = (Position::MAX, Vec::with_capacity(keys.len()));
        for chunk in keys.chunks(MOST) {
            let Ok(Ok(read)) = tokio::time::timeout(LIMIT, self.read(name, chunk, after)).await else {
                self.rest();
                return None;
            };
            let mut read = read?.into_iter();
            at = at.min(read.next()??.parse().ok()?);
            for row in read {
                let decoded = row.map(|row| serde_json::from_str(&decode(&row)?.doc).ok());
                // A row of another shape is none to be shown.
                rows.push(match decoded {
                    Some(None) => return None,
                    Some(row) => row,
                    None => None,
                });
            }
        }
        Some((at, rows))
    }

    async fn read(
        &self,
        name: &str,
        rows: &[String],
        after: Option<Position>,
    ) -> Result<Option<Vec<Option<String>>>, fred::error::Error> {
        let keys = Keys::of(&self.prefix, name);
        let mut arguments = vec![keys.base().to_owned(), after.unwrap_or(0).to_string()];
        arguments.extend_from_slice(rows);
        self.redis.eval(READ, vec![keys.live()], arguments).await
    }

    fn is_resting(&self) -> bool {
        let resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.is_some_and(|until| Instant::now() < until)
    }

    fn rest(&self) {
        *self.resting.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + REST);
    }
}
