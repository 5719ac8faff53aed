//! Snapshots: an aggregate's state at a version, to spare loading its events. Never truth: a snapshot that other code
//! made, or that is not of this log, is passed over.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::{PgPool, Row};
use uuid::Uuid;

use crate::bounded::bounded;
use crate::error::StoreError;
use crate::upcast::Upcasters;

/// Up to how many events a stream is loaded without looking for a snapshot.
const SHORT: i64 = 100;

/// Finds those of this version of the code that stand on the event of the log they were taken at. One that has left the
/// database since was there when the snapshot was kept.
const FIND: &str = "SELECT s.aggregate_id, s.version, s.event_id, s.state::text, \
     (extract(epoch FROM now() - s.taken_at) * 1000)::bigint \
     FROM snapshots s WHERE s.aggregate_type = $1 AND s.aggregate_id = ANY($2) AND s.state_version = $3 \
     AND (EXISTS (SELECT FROM events e WHERE (e.aggregate_type, e.aggregate_id, e.sequence, e.event_id) \
             = (s.aggregate_type, s.aggregate_id, s.version, s.event_id)) \
         OR s.event_id IS NOT NULL AND EXISTS (SELECT FROM partitioned_streams p \
             WHERE (p.aggregate_type, p.aggregate_id) = (s.aggregate_type, s.aggregate_id) \
             AND p.detached >= s.version))";

/// Keeps one that stands on an event of the log. It takes the place of an older one, of one that stands on none, and
/// of one of newer code that has not been taken anew for so long that the newer code seems to be gone. This statement sees
/// the events as they were when it began, so one that is ahead may stand on an event that came since, unless it was there
/// long before.
const SAVE: &str = "INSERT INTO snapshots AS old \
     (aggregate_type, aggregate_id, version, event_id, state_version, state, taken_at) \
     SELECT $1, $2, $3, $4, $5, $6::json, now() WHERE EXISTS (SELECT FROM events e \
         WHERE (e.aggregate_type, e.aggregate_id, e.sequence, e.event_id) = ($1, $2, $3, $4)) \
     ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE \
     SET version = excluded.version, event_id = excluded.event_id, state_version = excluded.state_version, \
         state = excluded.state, taken_at = excluded.taken_at \
     WHERE (old.state_version, old.version) < (excluded.state_version, excluded.version) \
         OR (old.state_version > excluded.state_version AND old.taken_at < now() - $7 * interval '1 second') \
         OR ((old.version <= excluded.version OR old.taken_at < now() - interval '1 minute') \
            AND NOT EXISTS (SELECT FROM events e WHERE (e.aggregate_type, e.aggregate_id, e.sequence, e.event_id) \
                = (old.aggregate_type, old.aggregate_id, old.version, old.event_id)))";

/// When a repository takes snapshots, and which it trusts.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotPolicy {
    /// The version of the state's serialised form; raise it when the form or the meaning of a field changes. Once it is
    /// a repository's, the number of upcasters is in it: a state that was folded without one of them is not trusted.
    pub state_version: i32,
    /// A snapshot is taken when the stream has grown by this many events since the last one.
    pub every: i64,
    /// It is taken already when the stream has grown by a tenth of that and the last one is older than this, if the
    /// stream is long enough for anybody to look for one: 100 events, or `every` if that is less.
    pub older_than: Duration,
}

/// A snapshot as it is found.
#[derive(Debug)]
pub(crate) struct Snapshot<A> {
    pub(crate) version: i64,
    /// The event that brought the stream to this version.
    pub(crate) event_id: Uuid,
    pub(crate) state: A,
    /// How long its serialised form is.
    pub(crate) bytes: u64,
    /// How long ago it was taken, as the database has it.
    pub(crate) age: Duration,
}

impl SnapshotPolicy {
    /// The policy of a store with these upcasters. Both numbers only ever grow, so their sum is another one, and a
    /// higher one, after each change of either.
    pub(crate) fn with(self, upcasters: &Upcasters) -> Self {
        Self { state_version: self.state_version.saturating_add(upcasters.count()), ..self }
    }

    /// Up to how many events a stream is loaded without looking for a snapshot.
    pub(crate) const fn short(self) -> i64 {
        if self.every < SHORT { self.every } else { SHORT }
    }

    /// Whether a stream at `version` is due for one when the last is at `kept`, and was taken so long ago.
    pub(crate) fn is_due(self, version: i64, kept: i64, age: impl FnOnce() -> Duration) -> bool {
        let grown = version - kept;
        let few = grown < self.every;
        let enough = version > self.short() && grown >= (self.every / 10).max(1);
        !few || (enough && age() >= self.older_than)
    }
}

/// The trusted snapshots of these streams.
pub(crate) async fn find<A: DeserializeOwned>(
    pool: &PgPool,
    aggregate_type: &str,
    ids: &[&str],
    policy: SnapshotPolicy,
) -> Result<HashMap<String, Snapshot<A>>, StoreError> {
    let statement = sqlx::query(FIND).bind(aggregate_type).bind(ids).bind(policy.state_version);
    let rows = bounded(async { Ok(statement.fetch_all(pool).await?) }).await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in rows {
        let (id, state): (String, String) = (row.try_get(0)?, row.try_get(3)?);
        let (version, event_id, age): (_, _, i64) = (row.try_get(1)?, row.try_get(2)?, row.try_get(4)?);
        let age = Duration::from_millis(u64::try_from(age).unwrap_or(0));
        let bytes = u64::try_from(state.len()).unwrap_or(u64::MAX);
        match serde_json::from_str(&state) {
            Ok(state) => drop(found.insert(id, Snapshot { version, event_id, state, bytes, age })),
            Err(error) => {
                tracing::warn!(%aggregate_type, %id, %error, "passed over a snapshot that does not fit");
            }
        }
    }
    Ok(found)
}

/// Keeps the state that a stream came to with this event as its snapshot, unless a newer one is there or the event is
/// not; returns how long its serialised form is.
pub(crate) async fn save<A: Serialize + Sync>(
    pool: &PgPool,
    (aggregate_type, aggregate_id): (&str, &str),
    (version, event_id): (i64, Uuid),
    state: &A,
    policy: SnapshotPolicy,
) -> Result<u64, StoreError> {
    let state = serde_json::to_string(state).map_err(|source| StoreError::Undecodable {
        what: "state",
        of: format!("{aggregate_type} {aggregate_id}"),
        source,
    })?;
    let bytes = u64::try_from(state.len()).unwrap_or(u64::MAX);
    // No interval is longer than the database can tell.
    let older_than = u32::try_from(policy.older_than.as_secs()).unwrap_or(u32::MAX);
    let statement = sqlx::query(SAVE)
        .bind(aggregate_type)
        .bind(aggregate_id)
        .bind(version)
        .bind(event_id)
        .bind(policy.state_version)
        .bind(state)
        .bind(i64::from(older_than));
    bounded(async { Ok(statement.execute(pool).await?) }).await?;
    Ok(bytes)
}
