//! Parked events: those that could not be applied, and those of the same key that came after. However many there are,
//! a batch asks for those of its own keys only.

use std::collections::{HashMap, HashSet};

use daybook_eventstore::{Position, Trace};
use sqlx::{PgConnection, PgExecutor, Row};

use super::fold::{EARLIER, Keyed, Parked};

/// Which of these keys stand still, and before which position each does.
pub(crate) async fn stops(
    db: impl PgExecutor<'_>,
    (name, version): (&str, i32),
    keyed: &[Keyed],
) -> Result<HashMap<String, Position>, sqlx::Error> {
    if keyed.is_empty() {
        return Ok(HashMap::new());
    }
    sqlx::query_as(
        "SELECT key, min(position) FROM parked_events WHERE name = $1 AND version = $2 AND key = ANY($3)
         GROUP BY key",
    )
    .bind(name)
    .bind(version)
    .bind(keyed.iter().map(|keyed| keyed.key.as_str()).collect::<Vec<_>>())
    .fetch_all(db)
    .await
    .map(|rows: Vec<(String, Position)>| rows.into_iter().collect())
}

/// Which of these positions are parked.
pub(crate) async fn among(
    db: impl PgExecutor<'_>,
    (name, version): (&str, i32),
    positions: &[Position],
) -> Result<HashSet<Position>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT position FROM parked_events WHERE name = $1 AND version = $2 AND position = ANY($3)",
    )
    .bind(name)
    .bind(version)
    .bind(positions)
    .fetch_all(db)
    .await
    .map(|rows: Vec<Position>| rows.into_iter().collect())
}

/// At most `limit` parked events after `after`, by position, with their keys.
pub(crate) async fn page(
    db: impl PgExecutor<'_>,
    (name, version): (&str, i32),
    after: Position,
    limit: i64,
) -> Result<Vec<(Position, String)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT position, key FROM parked_events WHERE name = $1 AND version = $2 AND position > $3
         ORDER BY position LIMIT $4",
    )
    .bind(name)
    .bind(version)
    .bind(after)
    .bind(limit)
    .fetch_all(db)
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Notes which events are parked now, and that of those that were tried again no other is, whatever became of it; counts
/// them in the register. Why an event was parked stays as it was first told.
pub(crate) async fn settle(
    connection: &mut PgConnection,
    (name, version): (&str, i32),
    parked: &[Parked],
    retried: &[Position],
) -> Result<(), sqlx::Error> {
    let positions: Vec<Position> = parked.iter().map(|parked| parked.event.position).collect();
    // What was parked because of an earlier event may now be parked for a reason of its own.
    let added: i64 = sqlx::query_scalar(
        "WITH added AS (
             INSERT INTO parked_events AS old (name, version, key, position, error)
             SELECT $1, $2, new.* FROM unnest($3::text[], $4::bigint[], $5::text[]) AS new
             ON CONFLICT (name, version, position) DO UPDATE SET error = EXCLUDED.error WHERE old.error = $6
             RETURNING xmax = 0 AS is_new
         ) SELECT count(*) FROM added WHERE is_new",
    )
    .bind(name)
    .bind(version)
    .bind(parked.iter().map(|event| event.key.as_str()).collect::<Vec<_>>())
    .bind(&positions)
    // Postgres keeps no NUL, and an error may quote one.
    .bind(parked.iter().map(|event| event.error.replace('\0', "\u{fffd}")).collect::<Vec<_>>())
    .bind(EARLIER)
    .fetch_one(&mut *connection)
    .await?;
    let gone = sqlx::query(
        "DELETE FROM parked_events WHERE name = $1 AND version = $2 AND position = ANY($3)
             AND position <> ALL($4)",
    )
    .bind(name)
    .bind(version)
    .bind(retried)
    .bind(&positions)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    sqlx::query("UPDATE projections SET parked = parked + $3 WHERE name = $1 AND version = $2")
        .bind(name)
        .bind(version)
        .bind(added - gone.cast_signed())
        .execute(connection)
        .await?;
    tell(name, version, parked.iter().filter(|parked| !retried.contains(&parked.event.position)));
    Ok(())
}

/// Leaves a line for each event that is parked now: what is wrong with the first of a key is wrong with the code or the
/// log, the others only wait for it.
fn tell<'a>(projection: &str, version: i32, parked: impl Iterator<Item = &'a Parked>) {
    for Parked { key, event, error } in parked {
        let Trace { position, event_type, correlation_id, trace_id } = event;
        let correlation_id = correlation_id.map(tracing::field::display);
        if error == EARLIER {
            tracing::warn!(
                projection,
                version,
                key,
                position,
                event_type,
                correlation_id,
                trace_id,
                error,
                "an event waits for one that is parked"
            );
        } else {
            tracing::error!(
                projection,
                version,
                key,
                position,
                event_type,
                correlation_id,
                trace_id,
                error,
                "an event is parked; somebody should look"
            );
        }
    }
}
