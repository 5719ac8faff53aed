//! Snapshots: an aggregate's state at a version, to spare loading its events. Never truth: a snapshot that does
//! not fit the code that reads it is passed over.

use std::collections::HashMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::{PgPool, Row};

use crate::error::StoreError;
use crate::upcast::Upcasters;

/// When a repository takes snapshots, and which it trusts.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotPolicy {
    /// The version of the state's serialised form; raise it when the form or the meaning of a field changes. Once it is
    /// a repository's, the number of upcasters is in it: a state that was folded without one of them is not trusted.
    pub state_version: i32,
    /// A snapshot is taken each time the stream has grown by this many events.
    pub every: i64,
}

impl SnapshotPolicy {
    /// The policy of a store with these upcasters. Both numbers only ever grow, so their sum is another one, and a
    /// higher one, after each change of either.
    pub(crate) fn with(self, upcasters: &Upcasters) -> Self {
        Self { state_version: self.state_version.saturating_add(upcasters.count()), ..self }
    }

    /// Whether a stream that grew from `before` to `after` is due for one.
    pub(crate) const fn is_due(self, before: i64, after: i64) -> bool {
        before / self.every != after / self.every
    }
}

/// The trusted snapshots of these streams: version and state.
pub(crate) async fn find<A: DeserializeOwned>(
    pool: &PgPool,
    aggregate_type: &str,
    ids: &[&str],
    policy: SnapshotPolicy,
) -> Result<HashMap<String, (i64, A)>, StoreError> {
    let rows = sqlx::query(
        "SELECT aggregate_id, version, state::text FROM snapshots \
         WHERE aggregate_type = $1 AND aggregate_id = ANY($2) AND state_version = $3",
    )
    .bind(aggregate_type)
    .bind(ids)
    .bind(policy.state_version)
    .fetch_all(pool)
    .await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in rows {
        let (id, version, state): (String, i64, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        match serde_json::from_str(&state) {
            Ok(state) => drop(found.insert(id, (version, state))),
            Err(error) => {
                tracing::warn!(%aggregate_type, %id, %error, "passed over a snapshot that does not fit");
            }
        }
    }
    Ok(found)
}

/// Keeps the state as the stream's snapshot, unless a newer one is there.
pub(crate) async fn save<A: Serialize + Sync>(
    pool: &PgPool,
    (aggregate_type, aggregate_id): (&str, &str),
    version: i64,
    state: &A,
    policy: SnapshotPolicy,
) -> Result<(), StoreError> {
    let state = serde_json::to_string(state).map_err(|source| StoreError::Undecodable {
        what: "state",
        of: format!("{aggregate_type} {aggregate_id}"),
        source,
    })?;
    sqlx::query(
        "INSERT INTO snapshots (aggregate_type, aggregate_id, version, state_version, state, taken_at) \
         VALUES ($1, $2, $3, $4, $5::json, now()) \
         ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE \
         SET version = excluded.version, state_version = excluded.state_version, state = excluded.state, \
             taken_at = excluded.taken_at \
         WHERE (snapshots.state_version, snapshots.version) < (excluded.state_version, excluded.version)",
    )
    .bind(aggregate_type)
    .bind(aggregate_id)
    .bind(version)
    .bind(policy.state_version)
    .bind(state)
    .execute(pool)
    .await?;
    Ok(())
}
