//! Parked events: those that could not be applied, and those of the same key that came after.

use std::collections::HashSet;

use daybook_eventstore::Position;
use sqlx::{PgConnection, Row};

use super::fold::Parked;

/// The keys of a version that stand still.
pub(crate) async fn keys(
    connection: &mut PgConnection,
    (name, version): (&str, i32),
) -> Result<HashSet<String>, sqlx::Error> {
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT key FROM parked_events WHERE name = $1 AND version = $2")
            .bind(name)
            .bind(version)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect())
}

/// At most `limit` parked events after `after`, by position, with their keys.
pub(crate) async fn page(
    connection: &mut PgConnection,
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
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Notes which events are parked now and which no longer, and counts them in the register.
pub(crate) async fn settle(
    connection: &mut PgConnection,
    (name, version): (&str, i32),
    parked: &[Parked],
    applied: &[Position],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO parked_events (name, version, key, position, error)
         SELECT $1, $2, new.* FROM unnest($3::text[], $4::bigint[], $5::text[]) AS new
         ON CONFLICT (name, version, position) DO UPDATE SET error = EXCLUDED.error",
    )
    .bind(name)
    .bind(version)
    .bind(parked.iter().map(|event| event.key.as_str()).collect::<Vec<_>>())
    .bind(parked.iter().map(|event| event.position).collect::<Vec<_>>())
    // Postgres keeps no NUL, and an error may quote one.
    .bind(parked.iter().map(|event| event.error.replace('\0', "\u{fffd}")).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM parked_events WHERE name = $1 AND version = $2 AND position = ANY($3)")
        .bind(name)
        .bind(version)
        .bind(applied)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "UPDATE projections SET parked = (SELECT count(*) FROM parked_events WHERE name = $1 AND version = $2)
         WHERE name = $1 AND version = $2",
    )
    .bind(name)
    .bind(version)
    .execute(connection)
    .await
    .map(|_| ())
}
